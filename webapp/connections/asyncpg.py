"""A pool of connections to PostgreSQL, directly or through a pooler in transaction mode.

A pooler such as PgBouncer hands each transaction to any of its sessions. It refuses startup
parameters that it does not know, what a statement sets may be lost with the transaction, and a
prepared statement may be in another session. So each new connection finds out where it leads:

- To a session of our own: its settings are set once, and asyncpg keeps prepared statements.
- To a pooler: every statement runs in a transaction, which begins with the settings (``SET
  LOCAL``), and no prepared statement outlives it. A statement alone then takes four round trips
  instead of one, a statement within a transaction two.
"""

from typing import Any

import asyncpg
from asyncpg.transaction import Transaction
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    ConnectionWrapper,
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.exceptions import TransactionManagementError

TRANSACTION_TIMEOUT_SINCE = 17  # version of PostgreSQL; an older one refuses what it does not know
PREPARED_STATEMENTS = 100  # kept for each session of our own; asyncpg's default


class Connection(asyncpg.Connection):
    """One connection. Behind a pooler, ``opening`` is what its transactions begin with."""

    pooled = False
    opening = ""

    async def execute(self, query: str, *values: Any, **options: Any) -> str:
        """Run a query; asyncpg's own BEGIN comes here too, and takes the settings along."""
        if query == "BEGIN;":
            query += self.opening
        return str(await super().execute(query, *values, **options))

    async def settle(self, settings: dict[str, str]) -> bool:
        """Apply ``settings`` if the session is our own: whether it is.

        A pooler gives its clients another process id than the session has that serves them.
        """
        if self.get_server_version().major < TRANSACTION_TIMEOUT_SINCE:
            settings = {name: settings[name] for name in settings if name != "transaction_timeout"}
        columns = ", ".join(f"set_config('{name}', '{settings[name]}', false)" for name in settings)
        told = self.get_server_pid()
        status = await self.execute(f"SELECT {columns or 1} WHERE pg_backend_pid() = {told}")
        self.pooled = status == "SELECT 0"
        if self.pooled:
            self.opening = "".join(f"SET LOCAL {name} = '{settings[name]}';" for name in settings)
        return not self.pooled


class Postgres(AsyncpgDBClient):
    """The pool. ``session_settings`` hold in every transaction."""

    connection_class = Connection  # type: ignore[assignment]
    direct = True  # what the last new connection turned out to be

    def __init__(
        self, *, host: Any, port: Any, session_settings: dict[str, str], **credentials: Any
    ) -> None:
        super().__init__(**credentials)
        self.host, self.port = host, port  # asyncpg takes several, Tortoise one
        self.session_settings = session_settings

    async def create_pool(self, **options: Any) -> asyncpg.Pool:
        """A pool whose connections are made by ``connect``."""
        return await asyncpg.create_pool(None, connect=self.connect, **options)

    async def connect(self, *args: Any, **options: Any) -> Connection:
        """A new connection, with prepared statements only where the session is our own.

        asyncpg wants to know that beforehand, so it connects anew where the guess was wrong.
        """
        while True:
            kept = PREPARED_STATEMENTS if self.direct else 0
            connection: Connection = await asyncpg.connect(
                *args, statement_cache_size=kept, **options
            )
            try:
                direct = await connection.settle(self.session_settings)
            except BaseException:
                connection.terminate()
                raise
            if direct == self.direct:
                return connection
            self.direct = direct
            await connection.close()

    def acquire_connection(self) -> ConnectionWrapper[Any] | PoolConnectionWrapper[Any]:
        """A connection, for one statement."""
        return Turn(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return PooledTransaction(TransactionWrapper(self), self._pool_init_lock)


class Turn(PoolConnectionWrapper[Any]):
    """A connection for one statement, in a transaction of its own behind a pooler."""

    __slots__ = ("transaction",)
    connection: Any
    transaction: Transaction | None

    async def __aenter__(self) -> Any:
        connection = await super().__aenter__()
        self.transaction = connection.transaction() if connection.pooled else None
        if self.transaction:
            try:
                await self.transaction.start()
            except BaseException:
                await super().__aexit__(None, None, None)
                raise
        return connection

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            if self.transaction and exc_type is None:
                await self.transaction.commit()
            elif self.transaction and not self.connection.is_closed():
                await self.transaction.rollback()
        finally:
            await super().__aexit__(exc_type, exc_val, exc_tb)


class PooledTransaction(TransactionContextPooled):
    """A transaction on a connection of the pool."""

    async def __aenter__(self) -> TransactionalDBClient:
        try:
            return await super().__aenter__()
        except BaseException as error:
            if hasattr(self, "token"):  # set as soon as a connection is taken
                await self.__aexit__(TransactionManagementError, error, None)
            raise


client_class = Postgres
