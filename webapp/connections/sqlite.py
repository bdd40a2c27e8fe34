"""The one connection to an SQLite file."""

import asyncio
import sqlite3
from contextlib import suppress
from typing import Any

from tortoise.backends.base.client import (
    ConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)
from tortoise.connection import get_connections


class Sqlite(SqliteClient):
    """The connection, which tasks take turns with."""

    async def create_connection(self, with_db: bool) -> None:
        """Connect; half a connection, without its pragmas, is none.

        Tried first without aiosqlite, whose thread outlives the event loop, and says so at length,
        where the file cannot be opened.
        """
        sqlite3.connect(self.filename).close()
        try:
            await super().create_connection(with_db)
        except BaseException:
            await self.close()
            raise

    def acquire_connection(self) -> ConnectionWrapper[Any]:
        """The connection, for one statement."""
        return SqliteTurn(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        return SqliteTransaction(SqliteInTransaction(self), self._lock)


class SqliteInTransaction(SqliteTransactionWrapper):
    """The connection, as it is inside a transaction."""

    async def execute_script(self, query: str) -> None:
        """Statement by statement, since SQLite's own way would commit before the first."""
        statement = ""
        for part in query.split(";"):
            statement += f"{part};"
            if sqlite3.complete_statement(statement):
                await self.execute_query(statement)
                statement = ""


class SqliteTurn(ConnectionWrapper[Any]):
    """A task's turn with the connection."""

    async def __aenter__(self) -> Any:
        await self._lock.acquire()
        try:
            await self.ensure_connection()
        except BaseException:
            self._lock.release()
            raise
        return self.connection


class SqliteTransaction(SqliteTransactionContext):
    """A transaction, which is a longer turn."""

    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self._begin()
        except BaseException:
            self._trxlock.release()
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        client: TransactionalDBClient = self.connection
        return client

    async def _begin(self) -> None:
        await self.ensure_connection()
        try:
            await self.connection.begin()
        except BaseException:
            with suppress(Exception):  # it may have begun although we were not told
                await asyncio.shield(self.connection.rollback())
            raise


client_class = Sqlite
