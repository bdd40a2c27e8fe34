"""As many connections to PostgreSQL as the smallest hosted databases allow, for two dynos."""

import asyncio
from collections.abc import Iterator

import pytest

from tests import postgres as pg
from tests.rows import Rows
from tests.servers import migrate
from tests.site import Site, site

pytestmark = pytest.mark.slow
ALLOWED = 20
AT_ONCE = 40


@pytest.fixture
def small(postgres: pg.Postgres) -> Iterator[str]:
    """A database whose role may connect 20 times."""
    with postgres.connect() as connection:
        connection.execute(f"CREATE ROLE small LOGIN CONNECTION LIMIT {ALLOWED}".encode())
    with postgres.database() as url:
        name = url.rpartition("/")[2]
        with postgres.connect() as connection:
            connection.execute(f'ALTER DATABASE "{name}" OWNER TO small'.encode())
        yield url.replace("postgres@", "small@")
    with postgres.connect() as connection:
        connection.execute(b"DROP ROLE small")


async def test_two_dynos_and_a_worker_fit_the_smallest_database(
    small: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    migrate(small)
    with site(tmp_path_factory.mktemp("first"), small) as first, site(
        tmp_path_factory.mktemp("second"), small
    ) as second:  # fmt: skip
        for dyno in (first, second):
            dyno.start()
        first.worker()
        done = await asyncio.gather(*(signs_up(dyno) for dyno in (first, second) * (AT_ONCE // 2)))
        assert done == [True] * AT_ONCE
        superuser = small.replace("small@", "postgres@")
        used = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'small'"
        assert Rows(superuser).one(used) < ALLOWED  # so that a release finds room


async def signs_up(dyno: Site) -> bool:
    """Whether a whole journey succeeds."""
    async with dyno.person() as person:
        await person.sign_up()
        return await person.verify()
