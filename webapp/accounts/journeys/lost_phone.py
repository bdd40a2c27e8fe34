"""A person has lost the phone, and gives the account another number.

With the saved recovery code it has the new number at once. Without, a link goes to the account's
email address, the new number proves itself, and a day passes, in which the old phone and the email
address are told and can stop it by another link. Either way the password was entered before.
"""

import hmac
from typing import NamedTuple

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import links, verifications
from webapp.accounts.challenges.links import Purpose as Link
from webapp.accounts.challenges.verifications import Purpose, Verification
from webapp.accounts.forms.recovery import LostPhoneForm
from webapp.accounts.history.reasons import Reason, Refusal
from webapp.accounts.journeys import email_link
from webapp.accounts.journeys.change_phone import give_number, refuse_full
from webapp.accounts.journeys.check_code import check_code, clear_counts, record_right
from webapp.accounts.journeys.email_link import LinkOver, NewLink, check_limits, write_link
from webapp.accounts.journeys.end_access import end_access
from webapp.accounts.journeys.prove_again import ChangedElsewhere, changing
from webapp.accounts.journeys.prove_phone import PhoneFull
from webapp.accounts.journeys.refusals import refusals
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.journeys.tell import tell
from webapp.accounts.people import phone_changes, phones, recovery_codes, sessions, users
from webapp.accounts.people.phone_changes import PhoneChange
from webapp.accounts.people.phones import Phone
from webapp.accounts.people.sessions import Owner
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import CODE_LIFETIME
from webapp.accounts.sending import texts
from webapp.accounts.sending.emails import EmailWriter
from webapp.accounts.sending.notices import Notice

log = structlog.get_logger(__name__)


class WrongRecoveryCode(Refusal):
    """It is not the recovery code of the account."""

    reason = Reason.CODE_RECOVERY


class Replaced(NamedTuple):
    """What a recovery code gives: a session, and the code that takes its place.

    ``recovery_code`` is empty for a form that was sent twice, since it is shown once.
    """

    token: str
    recovery_code: str = ""


class Opened(NamedTuple):
    """What the link of a lost phone opens: the account, and the number that proves itself."""

    user: User
    verification: Verification | None


# The recovery code


@tells_database_errors
async def make_recovery_code(site: Site, owner: Owner) -> str:
    """A recovery code for the account, in place of any former one. It is shown once and not kept.

    Of two requests at once one gets a code, since the answer that a browser shows last need not be
    that of the code which was saved last. Raises ``ChangedElsewhere``. The person proved lately who
    they are.
    """
    code = recovery_codes.new_code()
    async with changing(site, owner, "", always=False) as change:
        if change.user.recovery_code_hash != owner.user.recovery_code_hash:
            raise ChangedElsewhere
        await users.change(change.user, {"recovery_code_hash": recovery_codes.hash_of(code)})
        await tell(site, change.user, Notice.RECOVERY_CODE_MADE)
    return code


# With it


async def new_number(user: User) -> Verification | None:
    """The number that is to be the account's, and waits for its code."""
    return await verifications.latest_pending(user, Purpose.NEW_PHONE)


@tells_database_errors
async def replace_at_once(
    site: Site, user: User, verification: Verification, form: LostPhoneForm, session: str
) -> Replaced:
    """Give the account the number of ``verification``, by its code and the recovery code.

    The lost phone may be signed in, so every other session ends, and a new one begins instead of
    ``session``. Raises ``WrongRecoveryCode``, ``WrongCode``, ``CodeExpired``, ``LimitExceeded``,
    ``ProviderError`` or ``ChangedElsewhere``.
    """
    with refusals(site, user.phone):
        entered = recovery_codes.hash_of(form.recovery)
        if not hmac.compare_digest(entered, user.recovery_code_hash or ""):
            log.info("recovery_code_wrong", user=user.id)
            raise WrongRecoveryCode
    await check_code(site, verification, form.digits)
    replaced = Replaced(
        sessions.derive_next_token(session, form.digits, site.secret_key),
        recovery_codes.new_code(),
    )
    if await _replace(site, user, verification, form, session, replaced):
        await clear_counts(site, verification)
        site.outbox.wake()
        log.info("recovery_code_used", user=user.id)
        return replaced
    if await sessions.opened_since(replaced.token, site.clock() - CODE_LIFETIME):
        return Replaced(replaced.token)
    raise ChangedElsewhere


async def _replace(
    site: Site,
    user: User,
    verification: Verification,
    form: LostPhoneForm,
    session: str,
    replaced: Replaced,
) -> bool:
    """Use both codes up and change the number: False where either was used before.

    The code that was texted comes first: without it the recovery code must stay as it is.
    """
    entered, next_hash = map(recovery_codes.hash_of, (form.recovery, replaced.recovery_code))
    async with in_transaction():
        current = await users.get_for_update(user.id)
        await record_right(site, verification, form.digits)
        if current is None or not await verifications.approve(verification):
            return False
        if not await users.use_recovery_code(current, entered, next_hash):
            return False
        browser = await sessions.browser_of(session)
        await end_access(site, current)
        await give_number(site, current, phones.parse(verification.phone, ""))
        await sessions.open_session(user.id, site.clock(), replaced.token, browser=browser)
    return True


# Without it


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
    return Opened(user, await new_number(user))


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
        await record_right(site, verification, code)
        if not await verifications.approve(verification):
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


# A day later, or not


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
        await phone_changes.stop(change.user_id)
        return False
    site.outbox.wake()
    log.info("phone_change_made", user=change.user_id)
    return True


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
