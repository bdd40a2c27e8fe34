"""Our tables in a schema of their own, beside another application's of the same names."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from tortoise.transactions import in_transaction

from tests import postgres as pg
from tests.rows import Rows
from tests.servers import command, production_environ
from tests.site import Site, site
from webapp.database import Database, serialise
from webapp.database.locks import LOCK

pytestmark = pytest.mark.slow
OURS = {"DATABASE_SCHEMA": "accounts"}
THEIRS = """
CREATE TABLE users (id int PRIMARY KEY, name text, email text);
CREATE TABLE sessions (id int PRIMARY KEY, user_id int REFERENCES users);
INSERT INTO users VALUES (1, 'Their own', 'they@example.com');
INSERT INTO sessions VALUES (1, 1)
"""


@pytest.fixture
def theirs(postgres: pg.Postgres) -> Iterator[str]:
    """The database of an application that has users and sessions."""
    with postgres.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute(THEIRS)
        yield url


@pytest.fixture(params=["direct", "pooled"])
def way(request: pytest.FixtureRequest, theirs: str, postgres: pg.Postgres) -> str:
    """How we come to it: directly, or through a pooler in transaction mode."""
    if request.param == "direct":
        return theirs
    port: int = request.getfixturevalue("pooler_port")
    return theirs.replace(str(postgres.port), str(port))


def release(url: str, **settings: str) -> tuple[int, str]:
    """The exit status and the words of `migrate`."""
    done = command("migrate", environ=production_environ(url, **settings))
    return done.returncode, done.stdout + done.stderr


def tables(url: str, schema: str) -> set[str]:
    found = Rows(url).all("SELECT tablename FROM pg_tables WHERE schemaname = ?", schema)
    return {name for (name,) in found}


def as_it_was(url: str) -> bool:
    """Whether the other application's part of the database is what it made."""
    rows = Rows(url)
    return (
        tables(url, "public") == {"users", "sessions"}
        and rows.all("SELECT * FROM public.users") == [(1, "Their own", "they@example.com")]
        and rows.all("SELECT * FROM public.sessions") == [(1, 1)]
    )


@pytest.fixture
def beside(way: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The accounts in the schema `accounts` of that database."""
    assert release(way, **OURS)[0] == 0
    with site(tmp_path_factory.mktemp("schema"), way) as running:
        running.start(**OURS)
        yield running


async def test_another_applications_users_are_not_touched(theirs: str, beside: Site) -> None:
    async with beside.person() as ada, beside.person() as unverified:
        await unverified.sign_up()
        await ada.sign_up()
        assert await ada.verify()
        await ada.phone.text(ada.number, "Signup complete")
        await ada.post("/signout", {})
        credentials = {"email": ada.email, "password": ada.answers["password"]}
        assert (await ada.post("/signin", credentials)).step == "signin-code"
        assert (await ada.post("/signin/code", {"code": await ada.code()})).verified
        assert as_it_was(theirs)
        assert {"users", "sessions", "outbox", "tortoise_migrations"} <= tables(theirs, "accounts")

        sql = "SELECT name, email, email_confirmed, phone FROM accounts.verified_people"
        assert Rows(theirs).all(sql) == [("Ada Lovelace", ada.email, False, ada.number)]
        me = (await ada.client.get("/session")).json()
        same = "SELECT sub = ? FROM accounts.verified_people WHERE verified_at IS NOT NULL"
        assert Rows(theirs).one(same, me["sub"]) is True


def test_migrating_again_changes_nothing_there(way: str, theirs: str) -> None:
    assert "applied 0001_initial" in release(way, **OURS)[1]
    assert release(way, **OURS) == (0, "")
    assert as_it_was(theirs)


def test_who_may_not_make_a_schema_uses_one_that_was_made_for_it(
    theirs: str, postgres: pg.Postgres
) -> None:
    with psycopg.connect(theirs, autocommit=True) as connection:
        connection.execute("CREATE ROLE limited LOGIN")
        connection.execute("CREATE SCHEMA accounts AUTHORIZATION limited")
    as_limited = theirs.replace("postgres@", "limited@")
    assert release(as_limited, **OURS)[0] == 0
    assert as_it_was(theirs)


def test_without_a_schema_tables_of_our_names_stop_the_migration(theirs: str) -> None:
    status, words = release(theirs)
    assert status == 1
    assert "users" in words
    assert "DATABASE_SCHEMA" in words
    assert as_it_was(theirs)


@pytest.mark.parametrize(("schema", "waits"), [("one", True), ("two", False)])
async def test_a_lock_holds_whoever_has_the_same_schema_and_nobody_else(
    theirs: str, schema: str, *, waits: bool
) -> None:
    database = Database(theirs, schema="one")
    await database.open()
    try:
        await database.migrate()
        with psycopg.connect(theirs) as other:
            other.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
            other.execute(f"SET search_path = {schema}".encode())
            other.execute(LOCK.replace("$1", "%s").encode(), ["the same"])
            assert await asyncio.wait_for(waiting_for_a_lock(theirs), 20) is waits
    finally:
        await database.close()


async def waiting_for_a_lock(url: str) -> bool:
    """Whether we wait for a lock that we could have at once otherwise."""

    async def lock() -> None:
        async with in_transaction():
            await serialise("the same")

    locking = asyncio.create_task(lock())
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while not locking.done() and not Rows(url).one(waiting):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    waits = not locking.done()
    locking.cancel()
    await asyncio.wait([locking])
    return waits
