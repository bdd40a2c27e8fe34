"""Whether the database's schema is this version's, in words."""

import sqlite3

import structlog

from webapp.database import DATABASE_ERRORS, Database

log = structlog.get_logger(__name__)

UNUSABLE: tuple[type[Exception], ...] = (
    *DATABASE_ERRORS,
    sqlite3.DatabaseError,  # a file that is no database
)


async def mismatches(database: Database) -> list[str]:
    """A line for what the schema lacks, and one for what it has beyond this version."""
    lines = []
    if missing := await database.missing_migrations():
        lines.append(f"lacks {', '.join(missing)}: run python -m webapp migrate")
    if unknown := await database.unknown_migrations():
        lines.append(f"has {', '.join(unknown)}, by a newer version than this one")
    return lines


async def log_mismatches(database: Database) -> None:
    """Tell at the start of a process. It runs all the same: a release may be on its way."""
    try:
        for line in await mismatches(database):
            log.error("the_database_does_not_fit", problem=line)
    except UNUSABLE as error:
        log.warning("the_database_is_unusable", error=type(error).__name__, problem=str(error))
