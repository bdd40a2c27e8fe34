"""A person has forgotten the password: a link by email, a code to the phone, another password.

The functions stand in the order of the steps. A reset needs both the link and the phone, as signing
in needs two factors (ASVS 6.4.3).
"""

from typing import NamedTuple

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import links, verifications
from webapp.accounts.challenges.links import LIFETIMES
from webapp.accounts.challenges.links import Purpose as Link
from webapp.accounts.challenges.verifications import Purpose, Verification
from webapp.accounts.forms.recovery import ForgotForm, ResetForm
from webapp.accounts.journeys import email_link, prove_phone
from webapp.accounts.journeys.check_code import CodeExpired, check_code, clear_counts, use_code
from webapp.accounts.journeys.email_link import LinkOver
from webapp.accounts.journeys.end_access import end_access
from webapp.accounts.journeys.new_password import refuse_breached
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.journeys.tell import tell
from webapp.accounts.people import emails, sessions, users
from webapp.accounts.people.sessions import Browser
from webapp.accounts.people.users import User
from webapp.accounts.policy import link_requests, password_checks
from webapp.accounts.sending.emails import EmailWriter
from webapp.accounts.sending.notices import Notice
from webapp.providers import Channel

log = structlog.get_logger(__name__)


class Reset(NamedTuple):
    """What a link that works opens: the account, and the code that was sent last, if one was."""

    user: User
    verification: Verification | None

    @property
    def has_code(self) -> bool:
        """Whether a code went out that can be entered."""
        return self.verification is not None and not self.verification.never_sent


@tells_database_errors
async def send_link(site: Site, writer: EmailWriter, form: ForgotForm) -> None:
    """Email a link to the verified account that has this email.

    It goes to the address as the account has it, not as it was typed. Where no account has it, the
    same is done with somebody made up, by the same statements (ASVS 6.3.8). Raises
    ``EmailCoolingDown`` or ``EmailsSpent``, whether or not there is an account.
    """
    folded, token, now = emails.fold(form.clean_email), links.new_token(), site.clock()
    email = writer.reset_password(token)
    found = await users.with_email(folded)
    user = found or User(id=0, email="", phone="", password_hash=site.hasher.nobody)
    async with in_transaction():
        await link_requests.claim(folded, site.secret_key, now)
        await links.insert_if_there(token, user, Link.RESET_PASSWORD, user.email, now)
        expires_at = now + LIFETIMES[Link.RESET_PASSWORD]
        await site.outbox.write_email(user.email, email, expires_at, for_user=user.id)
    site.outbox.wake()
    log.info("password_forgotten", user=found.id if found else None)


async def open_link(site: Site, token: str) -> Reset:
    """What the link with ``token`` opens. Changes nothing. Raises ``LinkOver``."""
    user = await email_link.open_link(site, token, Link.RESET_PASSWORD)
    pending = await verifications.latest_pending(user, Purpose.RESET_PASSWORD)
    return Reset(user, pending if pending and pending.phone == user.phone else None)


@tells_database_errors
async def send_code(site: Site, token: str, channel: Channel) -> Reset:
    """Send a code, or send it again, to the phone of the account that the link is about.

    Raises ``LinkOver``, ``LimitExceeded`` or ``ProviderError``.
    """
    user, _ = await open_link(site, token)
    purpose = Purpose.RESET_PASSWORD
    verification = await prove_phone.verification_for(site, user, user.phone, purpose)
    verification = await prove_phone.resend_code(site, user, verification, channel)
    return Reset(user, verification)


@tells_database_errors
async def reset_password(
    site: Site, token: str, opened: Reset, form: ResetForm, browser: Browser
) -> str:
    """Give the account the password in ``form`` if its code is right: the token of a session.

    ``opened`` is what the link with ``token`` opened.

    The person has given what signing in asks for, and gets a new session (ASVS 7.2.4). All other
    sessions and remembered browsers end (ASVS 7.4.3), and so does a pause after wrong passwords.
    Raises ``LinkOver``, ``BreachedPassword``, ``WrongCode``, ``CodeExpired``, ``LimitExceeded`` or
    ``ProviderError``.
    """
    verification = opened.verification
    if verification is None:  # no code was sent; or the same form used it since the link was read
        if session_before := await recover_session(site, token, form):
            return session_before
        raise CodeExpired
    await refuse_breached(site, form.password)
    password_hash = await site.hasher.hash(form.password)
    await check_code(site, verification, form.digits)
    session = _session_after(site, token, form)
    change = _Change(token, verification, form.digits, password_hash, session, browser)
    if await _complete(site, change):
        await clear_counts(site, verification)
        site.outbox.wake()
        return session
    if session_before := await recover_session(site, token, form):
        return session_before  # the same form, sent twice at once
    raise LinkOver


def _session_after(site: Site, token: str, form: ResetForm) -> str:
    """The token of the session that this form leads to.

    Not random, so that a browser which lost our answer, or sent the form twice, gets the same one.
    Another password with the same link and code leads to another token.
    """
    return sessions.derive_next_token(f"{token}\0{form.password}", form.digits, site.secret_key)


async def recover_session(site: Site, token: str, form: ResetForm) -> str | None:
    """The token of the session that this form led to before, with this link, within a code's life.

    For a browser that sends its form again because the answer, with the new cookie, got lost.
    """
    session = _session_after(site, token, form)
    opened = await sessions.opened_lately(session, site.clock())
    return session if opened else None


class _Change(NamedTuple):
    """All that the change of a forgotten password takes."""

    token: str
    verification: Verification
    code: str
    password_hash: str
    session: str
    browser: Browser


async def _complete(site: Site, change: _Change) -> bool:
    """Use code and link up, and change the password: False where either was used before."""
    now = site.clock()
    async with in_transaction():
        if not await use_code(site, change.verification, change.code):
            return False
        used = await links.use(change.token, Link.RESET_PASSWORD, now)
        if used is None:
            return False
        user = used.user
        await users.change(user, {"password_hash": change.password_hash})
        key = password_checks.key_of(emails.fold(user.email), site.secret_key)
        await password_checks.forget(key)
        await end_access(site, user)
        await sessions.open_session(user.id, now, change.session, browser=change.browser)
        await tell(site, user, Notice.PASSWORD_CHANGED, both_ways=True)
    return True
