"""A link by email, for every purpose: how often one may be sent, what is saved, what it opens."""

from datetime import datetime, timedelta
from typing import NamedTuple

from webapp.accounts.challenges import links
from webapp.accounts.challenges.links import LIFETIMES, Purpose
from webapp.accounts.journeys.site import Site
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import (
    DAY,
    EMAIL_COOL_DOWN,
    EMAILS_PER_ADDRESS,
    EmailCoolingDown,
    EmailsSpent,
)
from webapp.accounts.sending import outbox
from webapp.database import serialise
from webapp.providers import Email

NO_WAIT = timedelta()


class LinkOver(Exception):
    """The link was used or is too old, or the account has changed since it was sent."""


class NewLink(NamedTuple):
    """A link and the email with it, made before the transaction that saves both."""

    token: str
    purpose: Purpose
    address: str
    email: Email


async def wait_for_link(user: User, purpose: Purpose, now: datetime) -> timedelta:
    """The time until the person may ask for another link; zero where they may now."""
    latest = await links.latest(user, purpose)
    return max(NO_WAIT, latest.created_at + EMAIL_COOL_DOWN - now) if latest else NO_WAIT


async def check_limits(user: User, link: NewLink, now: datetime) -> None:
    """Raise ``EmailCoolingDown`` or ``EmailsSpent`` where ``link`` may not be sent now.

    Neither may one person have emails sent to many strangers, nor many people to one. Call it in
    the transaction that sends the link and has locked ``user``.
    """
    await serialise(f"emails {link.address}")
    if wait := await wait_for_link(user, link.purpose, now):
        raise EmailCoolingDown(wait)
    since = now - DAY
    asked = await links.made_since(user, link.purpose, since)
    for sent in (asked, await outbox.emails_since(link.address, since)):
        if len(sent) >= EMAILS_PER_ADDRESS:
            raise EmailsSpent(sent[-EMAILS_PER_ADDRESS] + DAY - now)


async def write_link(site: Site, user: User, link: NewLink) -> None:
    """Save the link and its email in the transaction that is open here; ``wake`` the outbox then.

    ``user`` is as that transaction sees it.
    """
    now = site.clock()
    await links.insert(link.token, user, link.purpose, link.address, now)
    await site.outbox.write_email(link.address, link.email, now + LIFETIMES[link.purpose])


async def open_link(site: Site, token: str, purpose: Purpose) -> User:
    """The account that the link with ``token`` is about. Changes nothing. Raises ``LinkOver``."""
    found = await links.find(token, purpose)
    if found is None or not found.works(site.clock()):
        raise LinkOver
    return found.user
