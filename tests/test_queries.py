"""What a full database would cost: every statement of the product finds its rows by an index."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from starlette.applications import Starlette

from tests import postgres as pg
from tests.conftest import Clock
from tests.people import ADA, CONFIRMATION, NUMBER, OTHER_NUMBER, PASSWORD, sign_up, verify, wrong
from tests.phone import Phone
from tests.rows import Rows
from tests.servers import command, production_environ
from tests.visitor import Visitor
from webapp.accounts.purge import purge

pytestmark = pytest.mark.parametrize("database", ["postgres"], indirect=True)

SMALL = {"oidc_keys"}  # tables of a few rows however many people there are


class Statements(logging.Handler):
    """Every statement that the application sends, with the values it had first."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, list[Any]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        sql, values = record.args or ("", None)
        if re.match("SELECT|INSERT|UPDATE|DELETE", str(sql)):
            rows = list(values or [])  # type: ignore[call-overload]
            batch = bool(rows) and isinstance(rows[0], list)
            self.seen.setdefault(str(sql), rows[0] if batch else rows)


@pytest.fixture
def statements() -> Iterator[Statements]:
    """What is sent from here on."""
    logger, handler = logging.getLogger("tortoise.db_client"), Statements()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(params=["public", "accounts"])
def schema(request: pytest.FixtureRequest) -> str:
    """Where our tables are."""
    return str(request.param)


@pytest.fixture
def environ(schema: str) -> dict[str, str]:
    """Room for the texts of the past, which fill the rows that every sign-up counts in."""
    return {"DATABASE_SCHEMA": schema, "SENDS_PER_HOUR": "100000"}


@pytest.fixture
def database_url(database: str, postgres: pg.Postgres, schema: str) -> Iterator[str]:
    """A database in which the tests' own connections see that schema too."""
    assert database == "postgres"
    with postgres.database() as url:
        done = command("migrate", environ=production_environ(url, DATABASE_SCHEMA=schema))
        assert done.returncode == 0, done.stderr
        with postgres.connect() as connection:
            name = url.rpartition("/")[2]
            connection.execute(f'ALTER DATABASE "{name}" SET search_path = {schema}'.encode())
        yield url


@pytest.fixture
def full(app: Starlette, database_url: str) -> Rows:
    """Enough rows, and knowledge of them, for PostgreSQL to plan as for millions."""
    rows = Rows(database_url)
    rows.fill(20_000)
    return rows


async def change_and_leave(visitor: Visitor, phone: Phone, clock: Clock) -> None:
    """Sign in to the account, do everything that its own pages offer, and delete it."""
    clock.advance(600)
    await visitor.visit("/signin?prompt=login")
    await visitor.submit("/signin", email=ADA["email"], password=PASSWORD)
    page = await visitor.submit("/signin/code", code=await phone.code(OTHER_NUMBER))
    assert page.verified
    current = {"current": PASSWORD}
    await visitor.post("/account/name", {"name": "Ada King"})
    await visitor.post("/account/email", {"email": "ada@example.net", **current})
    await visitor.post("/account/password", {"password": "orchid lantern tundra 58", **current})
    await visitor.visit("/account/sessions")
    await visitor.post("/account/sessions/end", {"session": "somebody's"})
    await visitor.post("/account/sessions/end", {"all": "1"})
    assert (await visitor.client.get("/account/data")).status_code == 200
    page = await visitor.post("/account/delete", {"current": "orchid lantern tundra 58"})
    assert page.step == "account-deleted"


async def test_no_statement_reads_a_table_from_end_to_end(
    full: Rows,
    statements: Statements,
    app: Starlette,
    visitor: Visitor,
    phone: Phone,
    clock: Clock,
    database_url: str,
) -> None:
    await sign_up(visitor)
    await visitor.submit("/verification", code=wrong(await phone.code(NUMBER)))
    clock.advance(60)
    await visitor.submit("/verification/resend")
    await visitor.visit("/verification/phone")
    await visitor.submit("/verification/phone", phone=OTHER_NUMBER)
    assert (await verify(visitor, phone, OTHER_NUMBER)).verified
    await phone.text(OTHER_NUMBER, CONFIRMATION)
    await visitor.submit("/signout")
    await visitor.submit("/signup", **ADA)
    await change_and_leave(visitor, phone, clock)
    await purge(clock())
    await app.state.history.flush()
    seen = dict(statements.seen)  # the outbox and the history go on
    assert len(seen) > 25
    connection = await asyncpg.connect(database_url)
    try:
        # So that it is the lack of an index alone which has a table read whole, also a small one.
        await connection.execute("SET enable_seqscan = off")
        plans = {sql: await plan(connection, sql, values) for sql, values in seen.items()}
    finally:
        await connection.close()
    assert {sql: scans for sql, scans in plans.items() if scans} == {}


async def plan(connection: Any, sql: str, values: list[Any]) -> list[str]:
    """The tables that a statement would read whole."""
    [[text]] = await connection.fetch(f"EXPLAIN (FORMAT JSON) {sql}", *values)
    return list(whole_tables(json.loads(text)[0]["Plan"]))


def whole_tables(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan" and node["Relation Name"] not in SMALL:
        yield node["Relation Name"]
    for child in node.get("Plans", []):
        yield from whole_tables(child)
