"""Checks that the database answers, takes writes and has this version's schema."""

import re
from collections.abc import AsyncIterator

from webapp.connections import libpq
from webapp.database import Database
from webapp.schema import UNUSABLE, mismatches
from webapp.settings import Settings


async def examine(settings: Settings) -> AsyncIterator[str]:
    """What is wrong with the database, a line for each fault."""
    database = Database(settings.database_url, schema=settings.database_schema)
    await database.open()
    try:
        for line in await mismatches(database):
            yield f"DATABASE_URL: {line}"
        if await database.read_only():
            yield "DATABASE_URL: takes no writes: a standby, or default_transaction_read_only is on"
    except UNUSABLE as error:
        yield f"DATABASE_URL: {_said(settings, _root(error))}"
    finally:
        await database.close()


def _said(settings: Settings, words: str) -> str:
    """What to do about an error; else the error in the database's own words."""
    if refused := re.search(r"unsupported startup parameter:? (?:in options: )?(\w+)", words):
        return (
            f"the pooler there refuses the startup parameter {refused[1]}: leave it out of the URL"
        )
    return f"the database does not answer ({_without_password(settings, words)})"


def _root(error: BaseException) -> str:
    """The first cause of ``error``: what the database or the network said."""
    while below := error.__cause__ or error.__context__:
        error = below
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _without_password(settings: Settings, words: str) -> str:
    if not settings.database_url.startswith(libpq.SCHEMES):
        return words
    password = libpq.parameters(settings.database_url).get("password")
    return words.replace(password, "…") if password else words
