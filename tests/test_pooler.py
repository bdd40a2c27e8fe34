"""The product behind a real PgBouncer in transaction mode, as Debian has it."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from tortoise.connection import get_connection
from tortoise.transactions import in_transaction

from tests import postgres as pg
from tests.people import wrong
from tests.servers import migrate, production_environ
from tests.site import Person, Site, site
from webapp.accounts.statements import run
from webapp.database import Database, serialise
from webapp.database.config import SESSION_SETTINGS
from webapp.doctor.database import examine
from webapp.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pooled_url(pooler_port: int, postgres: pg.Postgres) -> Iterator[str]:
    """A migrated database by the pooler's address."""
    with postgres.database() as url:
        behind = url.replace(str(postgres.port), str(pooler_port))
        migrate(behind)
        yield behind


@pytest.fixture(scope="module")
def pooled(pooled_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two web processes behind it."""
    with site(tmp_path_factory.mktemp("pooler"), pooled_url) as running:
        running.start()
        yield running


@pytest.fixture
async def ada(pooled: Site) -> AsyncIterator[Person]:
    async with pooled.person() as person:
        yield person


@pytest.fixture
async def database(pooled_url: str) -> AsyncIterator[Database]:
    """A process's connections through the pooler."""
    there = Database(pooled_url)
    await there.open()
    yield there
    await there.close()


async def test_a_person_signs_up_and_comes_back(pooled: Site, ada: Person) -> None:
    await ada.sign_up()
    code = await ada.code()
    assert (await ada.post("/verification", {"code": wrong(code)})).status == 422
    assert await ada.verify()
    await ada.phone.text(ada.number, "Signup complete")
    assert (await ada.post("/signout", {})).status == 200
    credentials = {"email": ada.email, "password": ada.answers["password"]}
    assert (await ada.post("/signin", credentials)).step == "signin-code"
    page = await ada.post("/signin/code", {"code": await ada.code()})
    assert page.verified is True


async def test_many_sign_up_at_once(pooled: Site) -> None:
    async def journey() -> bool:
        async with pooled.person() as person:
            await person.sign_up()
            return await person.verify()

    assert await asyncio.gather(*(journey() for _ in range(12))) == [True] * 12


async def test_right_codes_in_parallel_all_get_in(ada: Person) -> None:
    await ada.sign_up()
    code = {"code": await ada.code()}
    answers = await asyncio.gather(*(ada.send("/verification", code) for _ in range(20)))
    assert {(a.status_code, a.headers.get("location")) for a in answers} == {(303, "/account")}


async def test_no_prepared_statement_stays_behind(database: Database, pooled: Site) -> None:
    async with pooled.person() as person:
        await person.sign_up()
        assert await person.verify()
    names = await asyncio.gather(
        *(run("SELECT name FROM pg_prepared_statements") for _ in range(8))
    )
    assert [row for rows in names for row in rows if row["name"]] == []


async def test_a_transaction_has_our_settings_and_leaves_none(database: Database) -> None:
    for name, value in SESSION_SETTINGS.items():
        ours = f"SELECT setting AS value FROM pg_settings WHERE name = '{name}'"
        assert [dict(row) for row in await run(ours)] == [{"value": value}]
        async with in_transaction():
            assert [dict(row) for row in await run(ours)] == [{"value": value}]
    names = list(SESSION_SETTINGS)
    async with get_connection("default")._pool.acquire() as connection:
        left = "SELECT name FROM pg_settings WHERE source = 'session' AND name = ANY($1)"
        async with connection.transaction():
            await connection.execute("ROLLBACK; BEGIN")  # one that has not begun as ours do
            assert await connection.fetch(left, names) == []


async def test_a_lock_of_ours_holds_through_it(database: Database) -> None:
    order: list[str] = []

    async def hold(name: str) -> None:
        async with in_transaction():
            await serialise("one at a time")
            order.append(name)
            await run("SELECT pg_sleep(0.05)")
            order.append(name)

    await asyncio.gather(*(hold(name) for name in "abc"))
    assert order[0::2] == order[1::2]


async def test_a_statement_cancelled_at_any_step_costs_the_pool_nothing(pooled_url: str) -> None:
    database = Database(pooled_url, pool_size=1)
    await database.open()
    try:
        await run("SELECT 1")
        for waits in range(12):  # let it come as far as its first step, its second, …
            task = asyncio.create_task(run("SELECT pg_sleep(0.01)"))
            for _ in range(waits):
                await asyncio.sleep(0.001 if waits > 6 else 0)
            task.cancel()
            await asyncio.wait([task])
        async with asyncio.timeout(10):
            assert len(await run("SELECT 1")) == 1
    finally:
        await database.close()


async def test_the_doctor_names_a_startup_parameter_that_the_pooler_refuses(
    pooled_url: str,
) -> None:
    environ = production_environ(f"{pooled_url}?options=-c%20search_path%3Daccounts")
    [fault] = [fault async for fault in examine(Settings.load(environ))]
    assert fault.startswith("DATABASE_URL: the pooler there refuses the startup parameter options")
