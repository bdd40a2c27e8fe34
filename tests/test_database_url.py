"""`DATABASE_URL`: where the data goes is what libpq makes of the same URL, or a fault by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests import postgres as pg
from tests.postgres import free_port
from tests.servers import ROOT
from webapp.accounts.statements import run
from webapp.connections import libpq
from webapp.database import Database
from webapp.database.config import tortoise_config
from webapp.settings import urls

PEM = ROOT / "tests" / "stranger.pem"

TAKEN = [
    "postgres://localhost/app",
    "postgresql://localhost/app",
    "postgres://user@localhost/app",
    "postgres://user:secret@localhost:6432/app",
    "postgres://us%40er:se%2Fcr%3At%23@localhost/ap%20p",
    "postgres://user:@localhost/app",
    "postgres://:secret@localhost/app",
    "postgres:///app",
    "postgres://user@/app",
    "postgres://[::1]/app",
    "postgres://[2001:db8::1]:6432/app",
    # a socket
    "postgres://%2Fvar%2Frun%2Fpostgresql/app",
    "postgres://user@%2Fvar%2Frun%2Fpostgresql:6432/app",
    "postgres:///app?host=/var/run/postgresql",
    "postgres://user:secret@/app?host=/cloudsql/project:region:instance",
    "postgres://user:secret@localhost/app?host=/cloudsql/project:region:instance",
    # several hosts
    "postgres://one,two/app",
    "postgres://one:1111,two:2222/app",
    "postgres://one,two:2222/app",
    "postgres://[::1]:1111,two/app",
    "postgres:///app?host=one,two&port=1111,2222",
    "postgres:///app?host=one,two&port=6432",
    "postgres://one,two/app?target_session_attrs=read-write",
    "postgres://one,two/app?target_session_attrs=primary&load_balance_hosts=disable",
    # what stands behind the ? counts
    "postgres:///app?user=somebody&password=se%26cret",
    "postgres://user:one@localhost/app?user=other&password=two",
    "postgres://localhost/app?host=elsewhere",
    "postgres://localhost:5432/app?port=6432",
    "postgres://localhost/app?dbname=other",
    "postgres://localhost?dbname=app",
    "postgres://localhost/app?host=one&host=two",
    "postgres://localhost/app?passfile=/etc/pgpass",
    # sessions
    "postgres://localhost/app?options=-c%20search_path%3Daccounts",
    "postgres://localhost/app?options=endpoint%3Dep-cool-1",
    "postgres://localhost/app?options=-c+no+space",
    "postgres://localhost/app?application_name=ours&connect_timeout=3",
    "postgres://localhost/app?client_encoding=utf8&gssencmode=prefer&channel_binding=prefer",
    # TLS
    "postgres://localhost/app?ssl=true",
    "postgres://localhost/app?sslmode=disable&ssl=true",
    "postgres://localhost/app?sslmode=require",
    "postgres://localhost/app?sslmode=verify-full&sslrootcert=system",
    f"postgres://localhost/app?sslmode=verify-ca&sslrootcert={PEM}",
]


@pytest.mark.parametrize("url", TAKEN)
def test_a_url_means_what_libpq_makes_of_it(url: str) -> None:
    assert urls.database(url) == url
    assert libpq.parameters(url) == conninfo_to_dict(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgres://localhost/app?schema=accounts", "schema, which is not supported: set DATABA"),
        ("postgres://localhost/app?currentSchema=accounts", "currentSchema"),
        ("postgres://localhost/app?search_path=accounts", "search_path"),
        ("postgres://localhost/app?pgbouncer=true", "a pooler is recognised without it"),
        ("postgres://localhost/app?connection_limit=5", "connection_limit"),
        ("postgres://localhost/app?hostaddr=127.0.0.1", "hostaddr"),
        ("postgres://localhost/app?service=ours", "service"),
        ("postgres://localhost/app?ssl=1", "option ssl,"),
        ("postgres://localhost/app?ssl=false", "option ssl,"),
        ("postgres://localhost/app?sslcert=me.pem", "sslcert"),
        ("postgres://localhost/app?sslkey=me.key", "sslkey"),
        ("postgres://localhost/app?sslcrl=gone.pem", "sslcrl"),
        ("postgres://localhost/app?sslnegotiation=direct", "sslnegotiation"),
        ("postgres://localhost/app?ssl_min_protocol_version=TLSv1.3", "ssl_min_protocol_version"),
        ("postgres://localhost/app?require_auth=scram-sha-256", "require_auth"),
        ("postgres://localhost/app?channel_binding=require", "channel_binding=require"),
        ("postgres://localhost/app?gssencmode=require", "gssencmode=require"),
        ("postgres://localhost/app?client_encoding=latin1", "client_encoding=latin1"),
        ("postgres://localhost/app?load_balance_hosts=random", "load_balance_hosts=random"),
        ("postgres://localhost/app?keepalives=0", "keepalives"),
        ("postgres://localhost/app?replication=database", "replication"),
        ("postgres://localhost/app?sslmode=maybe", "sslmode=maybe"),
        ("postgres://localhost/app?sslmode=verify-ca&sslrootcert=/nowhere.pem", "/nowhere.pem"),
        ("postgres://localhost/app?target_session_attrs=master", "target_session_attrs=master"),
        ("postgres://localhost/app?connect_timeout=soon", "connect_timeout=soon"),
        ("postgres://localhost/app?port=port", "a port"),
        ("postgres://localhost:port/app", "a port"),
        ("postgres://one,two:port/app", "a port"),
        ("postgres://one,two/app?port=1,2,3", "not as many ports as hosts"),
        ("postgres://[::1/app", "cannot be read"),
        ("postgres://localhost", "no database"),
        ("postgres://localhost/", "no database"),
        ("postgres://localhost/app?dbname=", "no database"),
        ("postgres://localhost/app?sslmode", "%3F"),
        ("postgres://localhost/app#part", "%23"),
        ("postgres://user:hunter2?hunter2@localhost/app", "%3F"),
        ("postgres://user:hunter2#hunter2@localhost/app", ""),
        ("postgres://user:hunter2/hunter2@localhost/app", ""),
        ("sqlite://app.sqlite3?mode=memory", "options"),
        ("sqlite://app.sqlite3#part", "fragment"),
    ],
)
def test_what_we_cannot_do_as_libpq_is_refused_by_name(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        urls.database(url)
    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)


def credentials(url: str) -> dict[str, object]:
    found: dict[str, object] = tortoise_config(url)["connections"]["default"]["credentials"]
    return found


def test_what_is_not_said_is_left_to_the_environment_as_in_libpq() -> None:
    said = credentials("postgres:///app")
    assert [said[name] for name in ("host", "port", "user", "password", "ssl")] == [None] * 5


async def test_the_environment_may_ask_for_tls_as_in_libpq(
    postgres: pg.Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await answer(postgres.url(), "1") == 1
    monkeypatch.setenv("PGSSLMODE", "require")  # which this server does not have
    with pytest.raises(ConnectionError, match="rejected SSL"):
        await answer(postgres.url(), "1")


def test_several_hosts_are_tried_each_at_its_port() -> None:
    said = credentials("postgres://one,two:2222/app")
    assert (said["host"], said["port"]) == (["one", "two"], [5432, 2222])


# And so it goes there


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def answer(url: str, sql: str) -> object:
    async with opened(url):
        [row] = await run(f"SELECT {sql} AS value")
        return row["value"]


@pytest.mark.parametrize(
    ("change", "sql", "value"),
    [
        ("?options=-c%20search_path%3Daccounts", "current_setting('search_path')", "accounts"),
        ("?application_name=ours", "current_setting('application_name')", "ours"),
        ("", "current_setting('application_name')", "signup"),
    ],
)
async def test_the_session_is_as_the_url_says(
    postgres: pg.Postgres, change: str, sql: str, value: str
) -> None:
    assert await answer(postgres.url() + change, sql) == value


async def test_user_and_database_behind_the_question_mark_are_connected_to(
    postgres: pg.Postgres,
) -> None:
    with postgres.database() as url:
        name = url.rpartition("/")[2]
        there = f"postgres://nobody@127.0.0.1:{postgres.port}/nowhere?user=postgres&dbname={name}"
        assert (
            await answer(there, "current_user || ' ' || current_database()") == f"postgres {name}"
        )


async def test_the_second_of_several_hosts_answers_where_the_first_does_not(
    postgres: pg.Postgres,
) -> None:
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{postgres.port}"
    assert await answer(f"postgres://postgres@{hosts}/postgres", "1") == 1


async def test_a_directory_for_a_host_is_that_of_the_socket(postgres: pg.Postgres) -> None:
    there = f"postgres://postgres@:{postgres.port}/postgres?host={postgres.directory}"
    assert await answer(there, "inet_client_addr() IS NULL") is True
