"""A person confirms an email address by the link that we send to it.

The first link is written with the account, by ``sign_up``; further ones are asked for. The address
may also be a new one for the account, see ``change_email``.
"""

from enum import StrEnum
from typing import NamedTuple

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import links
from webapp.accounts.challenges.links import Opened, Purpose
from webapp.accounts.events import AccountEvent
from webapp.accounts.journeys.change_email import change_email
from webapp.accounts.journeys.email_link import NewLink, check_limits, write_link
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.people import users
from webapp.accounts.people.users import User

log = structlog.get_logger(__name__)
CONFIRM, CHANGE = Purpose.CONFIRM_EMAIL, Purpose.CHANGE_EMAIL


class Confirmation(StrEnum):
    """The state of confirming an address, as its link shows it."""

    OPEN = "open"  # the link works
    CONFIRMED = "confirmed"
    OVER = "over"  # the link does not work, and the address is not confirmed
    TAKEN = "taken"  # another account has the address, which was to be a new one for this


class LinkStatus(NamedTuple):
    """The state of a link; ``address`` is empty for an unknown link."""

    confirmation: Confirmation
    address: str = ""


def prepare_link(site: Site, user: User) -> NewLink | None:
    """A link to the address of ``user``; None where no email is sent or it is confirmed."""
    if site.emails is None or user.email_confirmed_at:
        return None
    token = links.new_token()
    return NewLink(token, CONFIRM, user.email, site.emails.confirm_email(user.email, token))


@tells_database_errors
async def send_link(site: Site, user: User) -> None:
    """Email the person a new link; those sent before go on working.

    Does nothing where the address is confirmed. Raises ``EmailCoolingDown`` or ``EmailsSpent``.
    """
    link = prepare_link(site, user)
    if link is None:
        return
    async with in_transaction():
        current = await users.get_for_update(user.id)
        if current is None or current.email != link.address or current.email_confirmed_at:
            return
        await check_limits(current, link, site.clock())
        await write_link(site, current, link)
    site.outbox.wake()
    log.info("email_link_sent", user=user.id)


async def read_link(site: Site, token: str) -> LinkStatus:
    """The state of the link with ``token``. Changes nothing, since mail programs open links too."""
    found = await links.find(token, CONFIRM, CHANGE)
    if found is None:
        return LinkStatus(Confirmation.OVER)
    link, user = found
    if user.email_confirmed_at and user.email == link.address:
        return LinkStatus(Confirmation.CONFIRMED, link.address)
    works = found.works(site.clock())
    return LinkStatus(Confirmation.OPEN if works else Confirmation.OVER, link.address)


async def confirm(site: Site, token: str) -> LinkStatus:
    """Confirm the address of the link, if the link works. Returns its state afterwards."""
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
