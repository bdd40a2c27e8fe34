"""Removes every trace of a person."""

from collections.abc import Iterable
from typing import Any

from tortoise.transactions import in_transaction

from webapp.accounts.challenges.links import Link
from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.events import AccountEvent
from webapp.accounts.history.events import PhoneEvent, phone_key
from webapp.accounts.journeys.site import Site
from webapp.accounts.people import emails
from webapp.accounts.people.users import User
from webapp.accounts.policy import link_requests, password_checks
from webapp.accounts.policy.link_requests import LinkRequest
from webapp.accounts.policy.password_checks import PasswordCheck
from webapp.accounts.policy.usage import Scope, Usage
from webapp.accounts.sending import outbox
from webapp.accounts.statements import run
from webapp.operate.lookup import lock
from webapp.operate.records import belongings


async def erase(site: Site, user: User) -> dict[str, int]:
    """Remove the account and all that names its person: how many rows of each kind.

    Applications hear of it as if the person had deleted the account. What goes by a number alone
    (texts to it, what limits count for it) is removed for each number that the account has had a
    code for, unless another account has the same one.
    """
    async with in_transaction():
        locked = await lock(user)
        removed = {name: await rows.count() for name, rows in belongings(locked)}
        for name, rows in await _loose_rows(site, locked):
            removed[name] = await rows.delete()
        if locked.verified_at:
            await site.events.write(AccountEvent.DELETED, locked, site.clock())
        await locked.delete()
    return {"accounts": 1, **removed}


async def _loose_rows(site: Site, user: User) -> list[tuple[str, Any]]:
    """Rows that name the person and do not refer to the account."""
    passwords, links = email_counts(site, user)
    linked = await Link.filter(user_id=user.id).values_list("address", flat=True)
    addresses = {user.email, *await _only_theirs(user, "email", linked)}
    proven = await Verification.filter(user_id=user.id).values_list("phone", flat=True)
    phones = await _only_theirs(user, "phone", [user.phone, *proven])
    for phone in phones:
        await run("DELETE FROM attempts WHERE phone = $1", phone)  # the release before wrote it
    return [
        ("password checks", passwords),
        ("link requests", links),
        ("emails", outbox.emails_to(*addresses)),
        ("texts", outbox.texts_to(*phones)),
        ("events for applications", outbox.webhooks_about(user.subject)),
        ("counts of the phone", uses(phones)),
        ("events of the phone", PhoneEvent.filter(
            phone_key__in=[phone_key(phone, site.secret_key) for phone in phones]
        )),
    ]  # fmt: skip


async def _only_theirs(user: User, column: str, values: Any) -> set[str]:
    """Those of ``values`` that no other account has in this column."""
    others = User.filter(**{f"{column}__in": list(values)}).exclude(id=user.id)
    return set(values) - set(await others.values_list(column, flat=True))


def email_counts(site: Site, user: User) -> tuple[Any, Any]:
    """What is counted for the email: wrong passwords, and links that were asked for."""
    folded, secret = emails.fold(user.email), site.secret_key
    return (
        PasswordCheck.filter(key=password_checks.key_of(folded, secret)),
        LinkRequest.filter(key=link_requests.key_of(folded, secret)),
    )


def uses(numbers: Iterable[str]) -> Any:
    """What limits count for phones: codes sent to them, and wrong codes entered."""
    scopes = (Scope.PHONE, Scope.CHECKS)
    return Usage.filter(key__in=[f"{scope} {phone}" for phone in numbers for scope in scopes])
