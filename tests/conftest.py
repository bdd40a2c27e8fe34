"""One fixture for each thing outside: databases, clock, visitors, the phone, Redis, a browser."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

import httpx
import hypothesis
import pytest
from argon2.profiles import CHEAPEST
from jinja2.bccache import Bucket, BytecodeCache
from starlette.applications import Starlette
from tortoise.backends.base.executor import EXECUTOR_CACHE

from tests import pgbouncer
from tests import postgres as pg
from tests.people import sign_up, verify
from tests.phone import Phone
from tests.servers import PRODUCTION, Deployment, migrate, redis_server, served
from tests.visitor import Visitor
from webapp.app import CACHED_PAGES, Ports, create_app
from webapp.sandbox import Sandbox
from webapp.settings import Settings
from webapp.web.static import StaticFile
from webapp.web.templates import PageCache

# How long an example takes is the machine's business; a test that hangs meets pytest's own limit.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def absent(what: str) -> NoReturn:
    """Skip for want of ``what``; CI installs everything, so there it is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI skips nothing")
    pytest.skip(f"{what} is not on this machine")


# Databases: each test has its own, a copy of one that the real command migrated, or one that was
# such a copy and is emptied.


@pytest.fixture(scope="session")
def postgres() -> Iterator[pg.Postgres]:
    """A PostgreSQL server for the whole run."""
    binaries = pg.find_binaries()
    if binaries is None:
        absent("PostgreSQL")
    with pg.running(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def pooler_port(postgres: pg.Postgres) -> Iterator[int]:
    """Where a PgBouncer in transaction mode listens, before that server."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        absent("pgbouncer")
    with pgbouncer.running(program, postgres) as port:
        yield port


@pytest.fixture(scope="session")
def migrated_postgres(postgres: pg.Postgres) -> str:
    """The name of the database that the tests' own are copied from."""
    migrate(postgres.create("migrated"))
    return "migrated"


@pytest.fixture(scope="session")
def emptied_postgres(postgres: pg.Postgres, migrated_postgres: str) -> Iterator[pg.Emptied]:
    """A copy of it for all tests that have one at a time and leave the schema as it is."""
    url = postgres.create("emptied", template=migrated_postgres)
    with postgres.connect("emptied") as connection:
        yield pg.Emptied(url, connection)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the tests' own databases are copied from."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite3"
    migrate(f"sqlite://{path}")
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """The kind of database; a test that asks for one runs once on each kind.

    ``@pytest.mark.parametrize("database", ["sqlite"], indirect=True)`` keeps a test to one.
    """
    # Tortoise keeps the INSERTs it wrote by the connection's name, whatever its dialect. No
    # process but this one talks to both kinds.
    EXECUTOR_CACHE.clear()
    return str(request.param)


@pytest.fixture
def empty_database_url(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """A database without a table."""
    if database == "sqlite":
        yield f"sqlite://{tmp_path}/empty.sqlite3"
        return
    server: pg.Postgres = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture
def database_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database without a row."""
    if database == "postgres":
        shared: pg.Emptied = request.getfixturevalue("emptied_postgres")
        shared.empty()
        yield shared.url
        return
    with migrated(database, request, tmp_path) as url:
        yield url


@pytest.fixture
def own_database_url(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """A migrated database for a test that changes more of it than rows."""
    with migrated(database, request, tmp_path) as url:
        yield url


@contextmanager
def migrated(database: str, request: pytest.FixtureRequest, directory: Path) -> Iterator[str]:
    """Such a database of this kind and nobody else's, for the length of a ``with`` block."""
    if database == "sqlite":
        path = directory / "test.sqlite3"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite://{path}"
        return
    server: pg.Postgres = request.getfixturevalue("postgres")
    with server.database(template=request.getfixturevalue("migrated_postgres")) as url:
        yield url


# The application in this process.


class Clock:
    """The time as a test wants it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """The application's clock: it stands still until ``advance`` moves it."""
    return Clock()


@pytest.fixture
def environ(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment's settings: those of ``@pytest.mark.environ(NAME="value")``, nearest last."""
    marks = reversed(list(request.node.iter_markers("environ")))
    return {name: value for mark in marks for name, value in mark.kwargs.items()}


@pytest.fixture
def provider() -> str:
    """Who verifies; ``@pytest.mark.parametrize("provider", …)`` runs a test with others."""
    return "sandbox"


@pytest.fixture
def settings(database_url: str, provider: str, environ: dict[str, str]) -> Settings:
    """Development's settings on the test's database."""
    basics = {
        "SECRET_KEY": PRODUCTION["SECRET_KEY"],
        "DATABASE_URL": database_url,
        "VERIFY_PROVIDER": provider,
        "CHALLENGE": "off",  # of the limits' tests; `test_work` has its own
    }
    return Settings.load(basics | environ, development=True)


async def no_pause(_: float) -> None:
    """What comes of a pause before a vendor is asked again: no test waits for it."""


class Compiled(BytecodeCache):
    """Templates compiled once, however many applications there are, and there is one a test."""

    def __init__(self) -> None:
        self.code: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.code[bucket.key, bucket.checksum] = bucket.code


COMPILED = Compiled()
FILES: dict[str, dict[str, StaticFile]] = {}
EMPTY_FORMS: dict[str, PageCache] = {}


def prepared(application: Starlette) -> Starlette:
    """``application`` with what one before it made that is the same for all.

    Templates are compiled, static files compressed, and the empty forms rendered, whatever the
    database; in production each process keeps these, too.
    """
    state = application.state
    state.templates.environment.bytecode_cache = COMPILED
    state.assets.files = FILES.setdefault(state.assets.fingerprint, state.assets.files)
    alike = repr(replace(state.settings, database_url=""))
    state.empty_forms = EMPTY_FORMS.setdefault(alike, PageCache(CACHED_PAGES))
    return application


def light(clock: Callable[[], datetime], **other: Any) -> Ports:
    """The ports of an application whose hashes cost next to nothing, and whose pauses nothing.

    `test_asvs` holds what a hash costs, and in a deployment all is as it is.
    """
    return Ports(clock, no_pause, hashing=CHEAPEST, **other)


@pytest.fixture
async def app(settings: Settings, clock: Clock) -> AsyncIterator[Starlette]:
    """The application, started, with the sandbox for a phone network."""
    application = prepared(create_app(settings, light(clock)))
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(app: Starlette, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Bare HTTP to the application, without a browser's headers; no redirect is followed."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=settings.base_url) as bare:
        yield bare


@pytest.fixture
def htmx() -> bool:
    """Whether the visitor's browser has JavaScript; ``parametrize("htmx", …)`` decides."""
    return False


@pytest.fixture
async def visitor(client: httpx.AsyncClient, htmx: bool) -> Visitor:
    """Somebody with a browser, at the door."""
    return Visitor(client, htmx=htmx)


@pytest.fixture
async def phone(client: httpx.AsyncClient) -> Phone:
    """Every phone there is, through the sandbox."""
    return Phone(client)


@pytest.fixture
async def ada(visitor: Visitor, phone: Phone) -> Visitor:
    """Ada, whose account is verified."""
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified
    return visitor


@pytest.fixture
def sandbox(app: Starlette) -> Sandbox:
    """The application's pretend network: its faults, and what was asked of it."""
    network: Sandbox = app.state.sandbox
    return network


# Processes.


@pytest.fixture
def vendor() -> Sandbox:
    """A stand-in for Twilio and Authy, for processes of ours; faults are set on it directly."""
    return Sandbox()


@pytest.fixture
def vendor_url(vendor: Sandbox) -> Iterator[str]:
    """Where the stand-in answers over loopback HTTP."""
    with served(vendor.vendor_app) as url:
        yield url


@pytest.fixture
async def far_phone(vendor_url: str) -> AsyncIterator[Phone]:
    """Every phone there is, through the stand-in over loopback."""
    async with httpx.AsyncClient(base_url=vendor_url, verify=False) as client:
        yield Phone(client)


@pytest.fixture
def deployment(tmp_path: Path, vendor_url: str) -> Iterator[Deployment]:
    """Starts the Procfile's processes against the stand-in vendor; all are ended afterwards."""
    with Deployment(tmp_path, vendor_url) as processes:
        yield processes


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis server for the whole run."""
    program = shutil.which("redis-server")
    if program is None:
        absent("redis-server")
    with redis_server(program) as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that Playwright can start.

    The shell is the same engine without windows, menus and tabs around it, and does the tests'
    work with a fifth of the processor's time: it comes first.
    """
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    absent("Chromium")
