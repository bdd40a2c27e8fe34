"""Locks for the transaction that is open here, and the time by the database's clock."""

from datetime import UTC, datetime

from tortoise.connection import get_connection

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
