"""Removes every trace of a person."""

from typing import Any

from tortoise.transactions import in_transaction

from webapp.accounts.events import AccountEvent
from webapp.accounts.history.events import PhoneEvent, phone_key
from webapp.accounts.journeys.site import Site
from webapp.accounts.people import emails, users
from webapp.accounts.people.users import User
from webapp.accounts.policy import link_requests, password_checks
from webapp.accounts.policy.link_requests import LinkRequest
from webapp.accounts.policy.password_checks import PasswordCheck
from webapp.accounts.policy.usage import Scope, Usage
from webapp.accounts.sending.outbox import MessageChannel, OutboxMessage
from webapp.accounts.statements import run
from webapp.operate import CommandError
from webapp.operate.records import belongings


async def erase(site: Site, user: User) -> dict[str, int]:
    """Remove the account and all that names its person: how many rows of each kind.

    Applications hear of it as if the person had deleted the account. What goes by the number alone
    (texts to it, what limits count for it) stays where another account has the same number.
    """
    async with in_transaction():
        locked = await users.get_for_update(user.id)
        if locked is None:
            raise CommandError("the account is gone meanwhile")
        removed = {name: await rows.count() for name, rows in belongings(locked)}
        for name, rows in await _loose_rows(site, locked):
            removed[name] = await rows.delete()
        if locked.verified_at:
            await site.events.write(AccountEvent.DELETED, locked, site.clock())
        await locked.delete()
    return {"accounts": 1, **removed}


async def _loose_rows(site: Site, user: User) -> list[tuple[str, Any]]:
    """Rows that name the person and do not refer to the account."""
    secret, folded = site.secret_key, emails.fold(user.email)
    found = [
        ("password checks", PasswordCheck.filter(key=password_checks.key_of(folded, secret))),
        ("link requests", LinkRequest.filter(key=link_requests.key_of(folded, secret))),
        ("emails", OutboxMessage.filter(channel=MessageChannel.EMAIL, to=user.email)),
        ("events", OutboxMessage.filter(
            channel=MessageChannel.WEBHOOK, body__contains=user.subject
        )),
    ]  # fmt: skip
    if await User.filter(phone=user.phone).exclude(id=user.id).exists():
        return found
    await run("DELETE FROM attempts WHERE phone = $1", user.phone)  # the release before wrote it
    return [
        *found,
        ("texts", OutboxMessage.filter(channel=MessageChannel.TEXT, to=user.phone)),
        ("counts of the phone", uses(user.phone)),
        ("events of the phone", PhoneEvent.filter(phone_key=phone_key(user.phone, secret))),
    ]


def uses(phone: str) -> Any:
    """What limits count for a phone: codes sent to it, and wrong codes entered."""
    return Usage.filter(key__in=[f"{scope} {phone}" for scope in (Scope.PHONE, Scope.CHECKS)])
