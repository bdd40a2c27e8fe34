"""`people`: an operator's hands on accounts. Each command returns the lines to print."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.journeys.change_phone import give_number
from webapp.accounts.journeys.end_access import end_access
from webapp.accounts.journeys.prove_phone import PhoneFull
from webapp.accounts.journeys.site import Site
from webapp.accounts.people import phones
from webapp.accounts.people.users import User
from webapp.operate import CommandError, erasure, records
from webapp.operate.lookup import find, lock

log = structlog.get_logger(__name__)
PAGE = 500  # accounts that are read at a time


class Operator(NamedTuple):
    """Who gives the command, and on which site."""

    name: str
    site: Site

    def note(self, event: str, **values: Any) -> None:
        """Write what was done, and who did it, into the log."""
        log.info(event, operator=self.name, **values)


async def everybody(
    operator: Operator, describe: Callable[[User], Awaitable[dict[str, Any]]], event: str
) -> AsyncIterator[str]:
    """A JSON line for each account, the oldest first."""
    last = told = 0
    while page := await User.filter(id__gt=last).order_by("id").limit(PAGE):
        for user in page:
            yield json.dumps(await describe(user), default=_written, ensure_ascii=False)
        last, told = page[-1].id, told + len(page)
    operator.note(event, accounts=told)


async def list_people(operator: Operator) -> AsyncIterator[str]:
    """Who there is."""

    async def describe(user: User) -> dict[str, Any]:
        return records.brief(user)

    async for line in everybody(operator, describe, "people_listed"):
        yield line


async def export_people(operator: Operator) -> AsyncIterator[str]:
    """Everything that is stored of everybody, but for secrets."""
    async for line in everybody(operator, records.whole, "people_exported"):
        yield line


async def show(operator: Operator, who: str) -> AsyncIterator[str]:
    """One person's story."""
    user = await find(who)
    for line in await records.story(user):
        yield line
    operator.note("people_shown", user=user.id)


async def erase(operator: Operator, who: str, *, yes: bool) -> AsyncIterator[str]:
    """Remove every trace of a person, and tell what was removed."""
    user = await find(who)
    if not yes:
        raise CommandError(
            f"This removes every trace of {user.name}, {user.email}, {user.phone}, for good. "
            "Nothing is removed yet: say so again with --yes"
        )
    removed = await erasure.erase(operator.site, user)
    operator.note("people_erased", user=user.id, removed=removed)
    for what, number in removed.items():
        yield f"removed {number} {what.replace('_', ' ')}"


async def sign_out(operator: Operator, who: str) -> AsyncIterator[str]:
    """End every session of a person, and forget the browsers that need no code."""
    user = await find(who)
    async with in_transaction():
        await end_access(operator.site, await lock(user))
    operator.note("people_signed_out", user=user.id)
    yield "signed out everywhere; a browser needs a code again, and links sent before end"


async def unlock(operator: Operator, who: str) -> AsyncIterator[str]:
    """Lift the pauses that wrong passwords, wrong codes, many texts and emails earned a person."""
    user = await find(who)
    for counted in (*erasure.email_counts(operator.site, user), erasure.uses([user.phone])):
        await counted.delete()
    operator.note("people_unlocked", user=user.id)
    yield "unlocked: passwords, codes, texts and emailed links of today count from none"


async def change_phone(operator: Operator, who: str, number: str) -> AsyncIterator[str]:
    """Give a verified account another number, whose owner the operator has made sure of.

    The old number and applications are notified, as when the person changes it. All sessions end.
    """
    site, user = operator.site, await find(who)
    phone = read_phone(number, site.countries)
    async with in_transaction():
        locked = await lock(user)
        if locked.verified_at is None:
            raise CommandError(
                "not verified: the person changes the number on the page for the code"
            )
        try:
            await give_number(site, locked, phone)
        except PhoneFull as full:
            raise CommandError(f"{phone.e164} has as many accounts as ACCOUNTS_PER_PHONE") from full
        await end_access(site, locked)
    operator.note("people_phone_changed", user=user.id)
    yield f"{user.phone} is {phone.e164} now; signed out everywhere"


def read_phone(typed: str, countries: frozenset[str]) -> phones.Phone:
    """The number. Raises ``CommandError`` with what is wrong with it."""
    try:
        return phones.parse(typed, "", countries)
    except phones.UnusableNumber as unusable:
        raise CommandError(f"{typed}: {unusable}") from unusable


def _written(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


ACTIONS: dict[str, Callable[..., AsyncIterator[str]]] = {
    "list": list_people,
    "export": export_people,
    "show": show,
    "erase": erase,
    "sign-out": sign_out,
    "unlock": unlock,
    "change-phone": change_phone,
}
"""By the name of the command; each takes the ``Operator`` and what the command line gives."""
