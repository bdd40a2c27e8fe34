"""The database: connecting, migrating, what counts as its being away, a lock that serialises."""

import sqlite3
import ssl
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.exceptions import DBConnectionError, OperationalError, TransactionManagementError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.transactions import in_transaction

from webapp.connections import libpq

APP = "accounts"
MODELS = [  # the modules that have a table each
    "webapp.accounts.people.users",
    "webapp.accounts.people.sessions",
    "webapp.accounts.people.remembered_browsers",
    "webapp.accounts.people.passkeys",
    "webapp.accounts.challenges.passkey_challenges",
    "webapp.accounts.people.phone_changes",
    "webapp.accounts.challenges.verifications",
    "webapp.accounts.challenges.links",
    "webapp.accounts.challenges.entries",
    "webapp.accounts.challenges.work",
    "webapp.accounts.history.events",
    "webapp.accounts.history.totals",
    "webapp.accounts.policy.blocks",
    "webapp.accounts.policy.usage",
    "webapp.accounts.policy.prices",
    "webapp.accounts.policy.password_checks",
    "webapp.accounts.policy.link_requests",
    "webapp.accounts.sending.outbox",
    "webapp.accounts.sending.stored_receipts",
    "webapp.clients.oidc.keys",
    "webapp.clients.oidc.grants",
]
APPS: dict[str, Any] = {
    APP: {
        "models": MODELS,
        "default_connection": "default",
        "migrations": "migrations",
    }
}
CONNECT_TIMEOUT = 5.0  # seconds
STATEMENT_TIMEOUT = 10.0  # seconds; well before a platform's router gives up on the page
# PostgreSQL's settings of each session, or behind a pooler of each transaction.
SESSION_SETTINGS = {
    "jit": "off",  # to compile these short queries costs more than to run them
    # A process that is stopped inside a transaction keeps its locks for so many milliseconds; and
    # nobody waits for a lock longer than that, so that a page can still answer in time.
    "idle_in_transaction_session_timeout": "10000",
    "lock_timeout": "5000",
    # Stopped between the two parts in which asyncpg sends a statement for the first time, it is to
    # PostgreSQL not idle. This ends it, from PostgreSQL 17 on.
    "transaction_timeout": "15000",
    # A machine that is gone gives its connections back after a minute instead of two hours.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}

# What a page answers with 503 rather than 500: the database is away, full, or overloaded.
DATABASE_ERRORS: tuple[type[Exception], ...] = (
    DBConnectionError,
    OperationalError,
    TransactionManagementError,
    sqlite3.OperationalError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # a deadlock, resolved at our expense
    asyncpg.ObjectNotInPrerequisiteStateError,  # a lock was not free in time, too
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process was stopped for a while
    asyncpg.TransactionTimeoutError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # refused, reset, unknown host; a TimeoutError is one too
)


def tortoise_config(
    database_url: str,
    *,
    pool_size: int = 5,
    schema: str = "",
    statement_timeout: float | None = STATEMENT_TIMEOUT,
) -> dict[str, Any]:
    """Tortoise's configuration for ``sqlite://path`` or a PostgreSQL URL as libpq takes it.

    With a ``schema``, every name that our statements have is looked for there and nowhere else.
    ``statement_timeout`` is in seconds; None waits for a statement however long.
    """
    parts = urlsplit(database_url)
    options: dict[str, Any] = {
        "pool_size": pool_size,
        "schema": schema,
        "statement_timeout": statement_timeout,
    }
    connection = (
        _sqlite(parts.netloc + parts.path)
        if parts.scheme == "sqlite"
        else _postgres(database_url, **options)
    )
    return {
        "connections": {"default": connection},
        "apps": APPS,
        "use_tz": True,
        "timezone": "UTC",
    }


def _sqlite(path: str) -> dict[str, Any]:
    pragmas = {"journal_mode": "WAL", "foreign_keys": "ON", "busy_timeout": 10_000}
    return {"engine": "webapp.connections.sqlite", "credentials": {"file_path": path, **pragmas}}


def _postgres(
    url: str, *, pool_size: int, schema: str, statement_timeout: float | None
) -> dict[str, Any]:
    said = libpq.parameters(url)
    settings = SESSION_SETTINGS | ({"search_path": schema} if schema else {})
    if statement_timeout is None:
        del settings["transaction_timeout"]
    startup = {name: said[name] for name in ("application_name", "options") if name in said}
    credentials = {
        "host": libpq.hosts(said) or None,
        "port": libpq.ports(said) or None,
        "user": said.get("user"),
        "password": said.get("password"),
        "passfile": said.get("passfile"),
        "database": said["dbname"],
        "target_session_attrs": said.get("target_session_attrs"),
        # Unsaid, it is PGSSLMODE of the environment, as in libpq, or else prefer.
        "ssl": tls(said["sslmode"], said.get("sslrootcert")) if "sslmode" in said else None,
        "minsize": 1,
        "maxsize": pool_size,
        "timeout": float(said.get("connect_timeout", CONNECT_TIMEOUT)),
        "command_timeout": statement_timeout,
        "reset": _no_reset,
        # Poolers refuse most startup parameters; what the URL says of them is the operator's.
        "server_settings": {"application_name": "signup"} | startup,
        "session_settings": settings,
    }
    return {"engine": "webapp.connections.asyncpg", "credentials": credentials}


async def _no_reset(_connection: object) -> None:
    """Spare the round trip by which asyncpg resets a connection after each use.

    It has rolled back an open transaction by then, which releases our locks. Settings may stay.
    """


def tls(sslmode: str, root_certificate: str | None = None) -> ssl.SSLContext | str:
    """What asyncpg takes for libpq's ``sslmode``.

    ``require`` encrypts and trusts any certificate, as platforms' self-signed ones need, unless
    ``sslrootcert`` is there, which makes it ``verify-ca``; this and ``verify-full`` check it
    against that file or the system's authorities.
    https://www.postgresql.org/docs/current/libpq-ssl.html
    """
    if sslmode == "require" and root_certificate:
        sslmode = "verify-ca"
    if sslmode not in ("verify-ca", "verify-full"):
        return sslmode
    bundle = None if root_certificate in (None, "system") else root_certificate
    context = ssl.create_default_context(cafile=bundle)
    context.check_hostname = sslmode == "verify-full"
    return context


CONFIG = tortoise_config("sqlite://:memory:")
"""For Tortoise's own command, which writes migrations and needs no database for it."""


class Database:
    """The process's connections. Tortoise's models find them by themselves while it is open."""

    def __init__(self, database_url: str, *, schema: str = "", **options: Any) -> None:
        """``schema`` and ``options`` are those of ``tortoise_config``."""
        self.schema = schema
        self.config = tortoise_config(database_url, schema=schema, **options)
        self.context = TortoiseContext()

    async def open(self) -> None:
        """Make the models usable. Connects at the first query, so a database that is away at the
        start is no reason not to start.
        """
        with self.context:
            await self.context.init(config=self.config, _enable_global_fallback=True)

    async def close(self) -> None:
        await self.context.close_connections()

    @property
    def connection(self) -> BaseDBAsyncClient:
        return self.context.db()

    async def migrate(self) -> list[str]:
        """Apply what is missing, in our schema, made first: the names of the migrations applied.

        Everything happens in one transaction behind a lock, so that two releases at once, or one
        that is killed, leave a whole schema.
        """
        async with in_transaction() as transaction:
            await _wait_for_any_lock(transaction)
            await serialise("migrate")
            if self.schema:
                await _make_schema(transaction, self.schema)
            return await _migrate(transaction)

    async def missing_migrations(self) -> list[str]:
        """The names of migrations that are not applied yet."""
        executor = MigrationExecutor(self.connection, APPS)
        await executor.connection.execute_query("SELECT 1")  # the executor hides a dead connection
        return [step.migration.name for step in await executor.plan()]

    async def unknown_migrations(self) -> list[str]:
        """The names of migrations that are applied, and are not among this version's."""
        executor = MigrationExecutor(self.connection, APPS)
        await executor.loader.build_graph()
        applied = await executor.recorder.applied_migrations()
        return [key.name for key in applied if key not in executor.loader.graph.nodes]

    async def ready(self) -> bool:
        """Whether the database takes writes and has every migration."""
        try:
            return not (await self.read_only() or await self.missing_migrations())
        except DATABASE_ERRORS:
            return False

    async def read_only(self) -> bool:
        """Whether PostgreSQL takes no writes: a standby, or told so.

        SQLite raises one of ``DATABASE_ERRORS`` where the file takes none.
        """
        if self.connection.capabilities.dialect == "postgres":
            sql = "SELECT current_setting('transaction_read_only') AS answer"
            [row] = await self.connection.execute_query_dict(sql)
            return bool(row["answer"] == "on")
        async with in_transaction() as transaction:
            await transaction.execute_query("PRAGMA user_version = 0")  # a write of no change
            await transaction.rollback()
        return False


async def _make_schema(connection: BaseDBAsyncClient, name: str) -> None:
    """Create the schema if it is missing; for an existing one we need no privilege to create."""
    [there] = await connection.execute_query_dict("SELECT to_regnamespace($1) AS oid", [name])
    if there["oid"] is None:
        await connection.execute_script(f'CREATE SCHEMA "{name}"')


async def _wait_for_any_lock(transaction: BaseDBAsyncClient) -> None:
    """Wait for locks without limit: another release, or pages of the former one, may hold them."""
    if transaction.capabilities.dialect == "postgres":
        await transaction.execute_query("SET LOCAL lock_timeout = 0")


async def _migrate(connection: BaseDBAsyncClient) -> list[str]:
    applied: list[str] = []

    def note(event: str, _app: str, name: str) -> None:
        if event == "apply_done":
            applied.append(name)

    executor = MigrationExecutor(connection, APPS)
    # First, because a look into a table that is not there would abort PostgreSQL's transaction.
    await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))  # noqa: SLF001
    await executor.migrate(direction="forward", progress=note)
    return applied


# PostgreSQL's locks are the whole database's, so one in a schema of our own has another number.
LOCK = (
    "SELECT pg_advisory_xact_lock(hashtextextended($1,"
    " coalesce(hashtext(nullif(current_schema(), 'public')), 0)))"
)


async def serialise(key: str) -> None:
    """Hold a lock for ``key`` until the caller's transaction ends; others wait here for it.

    Needed where rows are counted before one is added: under READ COMMITTED two transactions would
    count the same rows and both go on. SQLite has one writer at a time, so there a write that
    changes nothing is enough.
    """
    connection = get_connection("default")
    if connection.capabilities.dialect == "postgres":
        await connection.execute_query(LOCK, [key])
    else:
        await become_writer()


async def become_writer() -> None:
    """On SQLite, take the write lock for the caller's transaction; elsewhere, do nothing.

    A transaction that has only read can no longer write once another one has written. So call this
    before a row is locked.
    """
    connection = get_connection("default")
    if connection.capabilities.dialect == "sqlite":
        await connection.execute_query("PRAGMA user_version = 0")


async def time_of_database() -> datetime:
    """The time by the database's clock; SQLite's is this machine's."""
    connection = get_connection("default")
    if connection.capabilities.dialect != "postgres":
        return datetime.now(UTC)
    [row] = await connection.execute_query_dict("SELECT clock_timestamp() AS now")
    now: datetime = row["now"]
    return now
