"""A person who signs up enters the code, and the account is theirs."""

import hmac
from datetime import datetime

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import verifications
from webapp.accounts.challenges.verifications import Outcome, Verification
from webapp.accounts.events import AccountEvent
from webapp.accounts.history.reasons import Reason
from webapp.accounts.journeys import confirm_email
from webapp.accounts.journeys.check_code import (
    Check,
    CodeExpired,
    check_code,
    clear_counts,
    record_right,
)
from webapp.accounts.journeys.email_link import write_link
from webapp.accounts.journeys.prove_phone import PhoneFull, refuse_full
from webapp.accounts.journeys.site import SignupOver, Site, tells_database_errors
from webapp.accounts.journeys.tell import tell
from webapp.accounts.people import emails, sessions, users
from webapp.accounts.people.user_agents import describe
from webapp.accounts.people.users import User
from webapp.accounts.sending import texts
from webapp.accounts.sending.notices import Notice

log = structlog.get_logger(__name__)


class EmailTaken(Exception):
    """The phone is proven, but somebody verified an account with this email first."""


@tells_database_errors
async def enter_code(
    site: Site, user: User, verification: Verification, code: str, session: str
) -> str:
    """The right code verifies the account. A text says so, and an email asks for the address.

    Returns the token of the session that follows ``session``, to everybody who is at this sign-up
    and sends the right code. Raises ``WrongCode``, ``CodeExpired``, ``EmailTaken``, ``PhoneFull``,
    ``LimitExceeded``, ``ProviderError`` or ``SignupOver``.
    """
    token = sessions.derive_next_token(session, code, site.secret_key)
    try:
        checked = await check_code(site, verification, code)
    except CodeExpired as error:
        if await users.pending(user) is None:
            raise SignupOver from error
        raise
    if checked is Check.ANSWERED:
        await _confirm(site, user, verification, code, session)
    else:
        await _confirmed_before(site, user, verification, token)
    return token


async def _confirm(
    site: Site, user: User, verification: Verification, code: str, session: str
) -> None:
    """Verify the account in one transaction.

    Raises ``EmailTaken``, ``PhoneFull`` or ``SignupOver``.
    """
    now, link = site.clock(), confirm_email.prepare_link(site, user)
    token = sessions.derive_next_token(session, code, site.secret_key)
    try:
        async with in_transaction():
            claimed = await _claim(site, user, verification, code, now)
            if claimed:
                await sessions.replace_sessions(user.id, now, session, token)
                if link:
                    await user.refresh_from_db()
                    await write_link(site, user, link)
    except IntegrityError as error:
        if await _enter_own_account(site, user, verification, session, token):
            return
        log.info("email_taken", user=user.id, verification=verification.id)
        await _end(site, verification, code, Outcome.EMAIL_TAKEN, Reason.EMAIL_TAKEN)
        raise EmailTaken from error
    except PhoneFull:
        await _end(site, verification, code, Outcome.PHONE_FULL, Reason.PHONE_FULL)
        raise
    if not claimed:  # the number was changed while the vendor was asked
        raise SignupOver
    user.verified_at = now
    site.outbox.wake()
    await clear_counts(site, verification)
    log.info("verified", user=user.id, verification=verification.id)
    site.history.record(Reason.VERIFIED, verification.phone)


async def _claim(
    site: Site, user: User, verification: Verification, code: str, now: datetime
) -> bool:
    """Verify the account, write the text and the event: False where its number is another now.

    Raises ``IntegrityError`` where the email has an account, and ``PhoneFull``.
    """
    claimed = await users.claim(user, verification.phone, now)
    if claimed:
        await refuse_full(site, user, verification.phone)
    await record_right(site, verification, code)
    if claimed:
        await verifications.approve(verification)
        await site.outbox.write_text(verification.phone, texts.confirmation(site.code_name))
        await site.events.write(AccountEvent.VERIFIED, user, now)
    return claimed


async def _end(
    site: Site, verification: Verification, code: str, outcome: Outcome, reason: Reason
) -> None:
    """The code is used, but the email has an account, or the phone as many as it may."""
    async with in_transaction():
        await record_right(site, verification, code)
        await verifications.end(verification, outcome)
    await clear_counts(site, verification)
    site.history.record(reason, verification.phone)


async def _enter_own_account(
    site: Site, user: User, verification: Verification, session: str, token: str
) -> bool:
    """Whoever signs up again with the email, phone and password of their account is signed in."""
    account = await users.with_email(emails.fold(user.email))
    if not account or account.phone != verification.phone:
        return False
    if not hmac.compare_digest(account.password_hash, user.password_hash):
        return False
    async with in_transaction():
        current = await users.get_for_update(account.id)
        if current is None or current.password_hash != account.password_hash:
            return False  # deleted, or its password changed meanwhile, which ended every session
        if not await verifications.approve(verification):
            return False
        browser = await sessions.browser_of(session)
        await sessions.open_session(account.id, site.clock(), token, browser=browser)
        await tell(site, account, Notice.NEW_BROWSER, browser=describe(browser.user_agent))
        await users.delete_pending(user)
    site.outbox.wake()
    await clear_counts(site, verification)
    user.verified_at = account.verified_at
    log.info("signed_in_by_sign_up", user=account.id)
    site.history.record(Reason.SIGNED_IN, verification.phone)
    return True


async def _confirmed_before(site: Site, user: User, verification: Verification, token: str) -> None:
    """Another request verified the account by the same code: this browser gets in as well."""
    await verifications.reread(verification)
    if verification.outcome is Outcome.EMAIL_TAKEN:
        raise EmailTaken
    if verification.outcome is Outcome.PHONE_FULL:
        raise PhoneFull
    if verification.outcome is not Outcome.APPROVED:
        raise SignupOver
    user.verified_at = site.clock()
    await sessions.join_session(user.id, user.verified_at, token)


async def recover_session(site: Site, session: str, code: str) -> str | None:
    """The token of the session that ``session`` became by the right ``code``, within its life.

    For a browser that sends its right code again because the answer, with the new cookie, got
    lost: to a double click, a closed connection, the end of this process.
    """
    token = sessions.derive_next_token(session, code, site.secret_key)
    return token if await sessions.opened_lately(token, site.clock()) else None
