"""A person has lost the phone, has no recovery code, and gives the account another number.

After the password a link goes to the account's email address. The new number is verified, and a day
passes, in which the old phone and the email address are notified and can stop it by another link.
"""

from typing import NamedTuple

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import links
from webapp.accounts.challenges.links import Purpose as Link
from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.journeys import change_phone, email_link
from webapp.accounts.journeys.change_phone import give_number
from webapp.accounts.journeys.check_code import check_code, clear_counts, use_code
from webapp.accounts.journeys.email_link import LinkOver, NewLink, check_limits, write_link
from webapp.accounts.journeys.end_access import end_access
from webapp.accounts.journeys.prove_phone import PhoneFull, refuse_full
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.journeys.tell import tell
from webapp.accounts.people import phone_changes, phones, users
from webapp.accounts.people.phone_changes import PhoneChange
from webapp.accounts.people.phones import Phone
from webapp.accounts.people.users import User
from webapp.accounts.sending import texts
from webapp.accounts.sending.emails import EmailWriter
from webapp.accounts.sending.notices import Notice

log = structlog.get_logger(__name__)


class Opened(NamedTuple):
    """What the link of a lost phone opens: the account, and the number that proves itself."""

    user: User
    verification: Verification | None


@tells_database_errors
async def send_link(site: Site, writer: EmailWriter, user: User) -> None:
    """Email a link for entering another number to a person who has entered the password.

    Raises ``EmailCoolingDown`` or ``EmailsSpent``.
    """
    token = links.new_token()
    email = writer.lost_phone(token)
    async with in_transaction():
        current = await users.get_for_update(user.id)
        if current is None:
            return
        link = NewLink(token, Link.LOST_PHONE, current.email, email)
        await check_limits(current, link, site.clock())
        await write_link(site, current, link)
    site.outbox.wake()
    log.info("lost_phone_link_sent", user=user.id)


async def open_link(site: Site, token: str) -> Opened:
    """What the link with ``token`` opens. Changes nothing. Raises ``LinkOver``."""
    user = await email_link.open_link(site, token, Link.LOST_PHONE)
    return Opened(user, await change_phone.new_number(user))


@tells_database_errors
async def begin_to_wait(
    site: Site, token: str, verification: Verification, code: str
) -> PhoneChange:
    """The new number is proven: it becomes the account's after the wait, unless it is stopped.

    The old phone and the email address are told, each with the link to stop it. Raises
    ``LinkOver``, ``WrongCode``, ``CodeExpired``, ``LimitExceeded`` or ``ProviderError``.
    """
    await check_code(site, verification, code)
    now, stop = site.clock(), links.new_token()
    async with in_transaction():
        if not await use_code(site, verification, code):
            raise LinkOver
        used = await links.use(token, Link.LOST_PHONE, now)
        if used is None:
            raise LinkOver
        phone = phones.parse(verification.phone, "")
        await refuse_full(site, used.user, phone.e164)
        change = await phone_changes.begin(used.user, phone, now)
        await links.insert(stop, used.user, Link.STOP_PHONE_CHANGE, used.link.address, now)
        await _tell_of_wait(site, used.user, stop)
    await clear_counts(site, verification)
    site.outbox.wake()
    log.info("phone_change_waits", user=change.user_id)
    return change


async def _tell_of_wait(site: Site, user: User, stop: str) -> None:
    assert site.emails  # noqa: S101 - by which the link came
    email = site.emails.phone_change_waits(stop)
    await site.outbox.write_email(user.email, email)
    text = texts.phone_change_waits(site.code_name, site.emails.link_to_stop(stop))
    await site.outbox.write_text(user.phone, text)


async def make_due(site: Site, user: User | None = None) -> bool:
    """Make the changes whose wait is over, of ``user`` or of everybody: whether there was one."""
    made = [await _make(site, change) for change in await phone_changes.due(site.clock(), user)]
    return any(made)


async def _make(site: Site, change: PhoneChange) -> bool:
    """Make one change, unless it was made or stopped meanwhile. The lost phone is signed out."""
    try:
        async with in_transaction():
            user = await users.get_for_update(change.user_id)
            if user is None or not await phone_changes.make(change, site.clock()):
                return False
            await end_access(site, user)
            await give_number(site, user, Phone(change.phone, change.country))
    except PhoneFull:  # by accounts that took the number during the wait
        await _refuse(site, change)
        return False
    site.outbox.wake()
    log.info("phone_change_made", user=change.user_id)
    return True


async def _refuse(site: Site, change: PhoneChange) -> None:
    """Stop a change whose number has no room any more. The person is told."""
    async with in_transaction():
        user = await users.get_for_update(change.user_id)
        if user and await phone_changes.stop(user.id):
            await tell(site, user, Notice.PHONE_CHANGE_REFUSED)
    site.outbox.wake()


async def can_stop(site: Site, token: str) -> User:
    """The account whose change the link with ``token`` can stop. Raises ``LinkOver``."""
    user = await email_link.open_link(site, token, Link.STOP_PHONE_CHANGE)
    if await phone_changes.waiting(user) is None:
        raise LinkOver
    return user


@tells_database_errors
async def stop(site: Site, token: str) -> None:
    """Stop the change. Raises ``LinkOver`` where it was made, or stopped, or is none."""
    async with in_transaction():
        used = await links.use(token, Link.STOP_PHONE_CHANGE, site.clock())
        if used is None or not await phone_changes.stop(used.user.id):
            raise LinkOver
    log.info("phone_change_stopped", user=used.user.id)
