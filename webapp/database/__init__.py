"""The database: connecting, migrating, what counts as its being away."""

import sqlite3
from typing import Any

import asyncpg
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import DBConnectionError, OperationalError, TransactionManagementError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.transactions import in_transaction

from webapp.database.config import APPS, STATEMENT_TIMEOUT, tortoise_config
from webapp.database.locks import become_writer, serialise, time_of_database

__all__ = [
    "DATABASE_ERRORS",
    "STATEMENT_TIMEOUT",
    "Database",
    "become_writer",
    "serialise",
    "time_of_database",
]

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
