"""A person confirms an email address by the link that we send to it.

The first link is written with the account, by ``sign_up``; further ones are asked for. The address
may also be a new one for the account, see ``change_email``.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import links
from webapp.accounts.challenges.links import LIFETIMES, Opened, Purpose
from webapp.accounts.events import AccountEvent
from webapp.accounts.journeys.change_email import change_email
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.people import users
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

log = structlog.get_logger(__name__)
CONFIRM, CHANGE = Purpose.CONFIRM_EMAIL, Purpose.CHANGE_EMAIL
NO_WAIT = timedelta()


class PreparedLink(NamedTuple):
    """A link and the email with it, made before the transaction that saves both."""

    token: str
    address: str
    email: Email


class Confirmation(StrEnum):
    """Where the confirmation of an address is, for whoever has a link to it."""

    OPEN = "open"  # the link works
    CONFIRMED = "confirmed"
    OVER = "over"  # the link does not work, and the address is not confirmed
    TAKEN = "taken"  # another account has the address, which was to be a new one for this


class LinkStatus(NamedTuple):
    """What a link says; ``address`` is empty where it is nobody's link."""

    confirmation: Confirmation
    address: str = ""


def prepare_link(site: Site, user: User) -> PreparedLink | None:
    """A link to the address of ``user``; None where no email is sent or it is confirmed."""
    if site.emails is None or user.email_confirmed_at:
        return None
    token = links.new_token()
    return PreparedLink(token, user.email, site.emails.confirm_email(user.email, token))


async def write_link(site: Site, user: User, prepared: PreparedLink) -> None:
    """Save the link and its email in the transaction that is open here; ``wake`` the outbox then.

    ``user`` is as that transaction sees it.
    """
    now = site.clock()
    await links.insert(prepared.token, user, CONFIRM, prepared.address, now)
    await site.outbox.write_email(prepared.address, prepared.email, now + LIFETIMES[CONFIRM])


@tells_database_errors
async def send_link(site: Site, user: User) -> None:
    """Email the person a new link; those sent before go on working.

    Does nothing where the address is confirmed. Raises ``EmailCoolingDown`` or ``EmailsSpent``.
    """
    prepared = prepare_link(site, user)
    if prepared is None:
        return
    async with in_transaction():
        await serialise(f"emails {prepared.address}")
        await check_limits(site, user, CONFIRM)
        current = await users.get_for_update(user.id)
        if current is None or current.email != prepared.address or current.email_confirmed_at:
            return
        await write_link(site, current, prepared)
    site.outbox.wake()
    log.info("email_link_sent", user=user.id)


async def check_limits(site: Site, user: User, purpose: Purpose) -> None:
    """Raise ``EmailCoolingDown`` or ``EmailsSpent`` where no link may be sent to ``user`` now.

    Call it in the transaction that sends the link, behind a lock for the address.
    """
    now = site.clock()
    if wait := await wait_for_link(user, now, purpose):
        raise EmailCoolingDown(wait)
    sent = await outbox.emails_since(user.email, now - DAY)
    if len(sent) >= EMAILS_PER_ADDRESS:
        raise EmailsSpent(sent[-EMAILS_PER_ADDRESS] + DAY - now)


async def wait_for_link(user: User, now: datetime, purpose: Purpose = CONFIRM) -> timedelta:
    """The time until the person may ask for another link; zero where they may now."""
    latest = await links.latest(user, purpose)
    return max(NO_WAIT, latest.created_at + EMAIL_COOL_DOWN - now) if latest else NO_WAIT


async def read_link(site: Site, token: str) -> LinkStatus:
    """What the link with ``token`` says. Changes nothing, as mail programs open links too."""
    found = await links.find(token, CONFIRM, CHANGE)
    if found is None:
        return LinkStatus(Confirmation.OVER)
    link, user = found
    if user.email_confirmed_at and user.email == link.address:
        return LinkStatus(Confirmation.CONFIRMED, link.address)
    works = found.works(site.clock())
    return LinkStatus(Confirmation.OPEN if works else Confirmation.OVER, link.address)


async def confirm(site: Site, token: str) -> LinkStatus:
    """Confirm the address that the link was sent to, if the link works: what it says then."""
    found = await links.find(token, CONFIRM, CHANGE)
    if found is None:
        return LinkStatus(Confirmation.OVER)
    try:
        async with in_transaction():
            if used := await links.use(token, found.link.purpose, site.clock()):
                await _confirm(site, used)
    except IntegrityError:
        log.info("new_email_taken", user=found.user.id)
        return LinkStatus(Confirmation.TAKEN, found.link.address)
    site.outbox.wake()
    return await read_link(site, token)


async def _confirm(site: Site, used: Opened) -> None:
    """Raises ``IntegrityError`` where another account has the address."""
    if used.link.purpose is CHANGE:
        await change_email(site, used)
        return
    now = site.clock()
    if await users.confirm_email(used.user.id, used.link.address, now):
        used.user.email_confirmed_at = now
        await site.events.write(AccountEvent.UPDATED, used.user, now)
        log.info("email_confirmed", user=used.user.id)
