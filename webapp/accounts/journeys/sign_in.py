"""A person comes back: email and password, then a code, unless the browser is remembered."""

from typing import NamedTuple

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import sends, verifications
from webapp.accounts.challenges.verifications import Purpose, Verification
from webapp.accounts.forms.signin import SigninForm
from webapp.accounts.history.reasons import Reason, Refusal
from webapp.accounts.journeys import lost_phone, prove_phone
from webapp.accounts.journeys.check_code import (
    Check,
    CodeExpired,
    check_code,
    clear_counts,
    use_code,
)
from webapp.accounts.journeys.check_password import check_password
from webapp.accounts.journeys.new_browser import note_browser
from webapp.accounts.journeys.refusals import refusals
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.people import emails, remembered_browsers, sessions, users
from webapp.accounts.people.sessions import Browser, Stage, Visitor
from webapp.accounts.people.users import User
from webapp.accounts.policy import password_checks
from webapp.accounts.policy.rules import LimitExceeded
from webapp.providers import ProviderError

log = structlog.get_logger(__name__)


class WrongPassword(Refusal):
    """No verified account has this email and this password."""

    reason = Reason.PASSWORD_WRONG


class SignedIn(NamedTuple):
    """The result of a right password: a session, and the code that it waits for, if any."""

    user: User
    token: str
    verification: Verification | None = None
    error: LimitExceeded | ProviderError | None = None  # why the code was not sent
    known: str = ""  # the token of a browser that is known from now on


class CodeEntered(NamedTuple):
    """The result of a right code: the session's next token, and one for a browser that is new."""

    token: str
    browser: str = ""


@tells_database_errors
async def sign_in(site: Site, form: SigninForm, browser: Browser, remembered: str = "") -> SignedIn:
    """Check the password, and open a session, at the code's step if this browser needs one.

    ``remembered`` is the token of the browser, if it was remembered. An email that nobody has, an
    account that is not verified and a wrong password take the same statements and one hash, and
    raise the same ``WrongPassword`` (ASVS 6.3.8). Raises ``LimitExceeded`` while checks pause.
    """
    email, now = emails.fold(form.clean_email), site.clock()
    user = await users.with_email(email)
    is_known = await remembered_browsers.is_remembered(remembered, user.id if user else 0, now)
    # Strangers who enter wrong passwords must not lock the owner out of a remembered browser.
    key = password_checks.key_of(remembered if is_known else email, site.secret_key)
    with refusals(site, user.phone if user else ""):
        password_hash = user.password_hash if user else site.hasher.nobody
        right = await check_password(site, key, form.password, password_hash)
        if not (user and right):
            log.info("password_wrong", user=user.id if user else None)
            raise WrongPassword
    if await lost_phone.make_due(site, user):  # which forgets all browsers
        user, is_known = await users.get(user.id) or user, False
    await _renew_hash(site, user, form.password)
    if not is_known:
        return await _ask_for_code(site, user, browser)
    async with in_transaction():
        await _lock(user)
        token = await sessions.open_session(user.id, now, browser=browser)
    log.info("signed_in", user=user.id, remembered=True)
    site.history.record(Reason.SIGNED_IN, user.phone)
    return SignedIn(user, token)


async def _renew_hash(site: Site, user: User, password: str) -> None:
    """Hash the password anew where the parameters were raised since (ASVS 11.4.2)."""
    if site.hasher.is_outdated(user.password_hash):
        renewed = await site.hasher.hash(password)
        await users.save_password_hash(user, renewed)
        user.password_hash = renewed


async def _lock(user: User) -> None:
    """Hold the account as it was when the password was compared, until the transaction ends.

    Raises ``WrongPassword`` where it was changed or deleted meanwhile: that ended every session,
    and must not be outrun by a new one.
    """
    account = await users.get_for_update(user.id)
    if account is None or account.password_hash != user.password_hash:
        raise WrongPassword


async def _ask_for_code(site: Site, user: User, browser: Browser) -> SignedIn:
    """Open the session, then send the code: there are ways on where it cannot be sent."""
    now = site.clock()
    async with in_transaction():
        await _lock(user)  # also since two requests at once would send two codes
        verification = await verifications.latest(user, Purpose.SIGN_IN)
        same_phone = verification and verification.phone == user.phone
        if not (verification and same_phone and prove_phone.is_open(site, verification)):
            # One whose checks are spent is open until its window ends, so nobody gets more by this.
            provider = site.verifier.name
            verification = await sends.begin(
                user.id, user.phone, provider, now, purpose=Purpose.SIGN_IN
            )
        token = await sessions.open_session(user.id, now, stage=Stage.SIGN_IN, browser=browser)
    try:
        verification = await prove_phone.catch_up(site, user, verification)
    except (LimitExceeded, ProviderError) as error:
        return SignedIn(user, token, verification, error)
    return SignedIn(user, token, verification)


@tells_database_errors
async def enter_code(
    site: Site, visitor: Visitor, code: str, session: str, known: str, *, remember: bool
) -> CodeEntered:
    """The right code signs this browser in, and has it remembered if ``remember``.

    ``session`` is the token of the session that waits for the code, ``known`` that of a known
    browser, or empty. The person is notified of an unknown one.

    Raises ``WrongCode``, ``CodeExpired``, ``LimitExceeded`` or ``ProviderError``.
    """
    user, verification, _ = visitor
    token = sessions.derive_next_token(session, code, site.secret_key)
    if await check_code(site, verification, code) is not Check.ANSWERED:
        if not await sessions.opened_lately(token, site.clock()):
            raise CodeExpired  # another browser has used it
        return CodeEntered(token)
    async with in_transaction():
        await users.get_for_update(user.id)  # first, as by everything that ends its sessions
        completed, browser = await _complete(site, verification, code, session, token), ""
        if completed:
            user_agent = (await sessions.browser_of(token)).user_agent
            browser = await note_browser(site, user, user_agent, known, remember=remember)
    if not completed:
        raise CodeExpired
    site.outbox.wake()
    await clear_counts(site, verification)
    log.info("signed_in", user=user.id, remembered=False)
    site.history.record(Reason.SIGNED_IN, user.phone)
    return CodeEntered(token, browser)


async def _complete(
    site: Site, verification: Verification, code: str, session: str, token: str
) -> bool:
    """Use the code, which happens once, and open the session that waited for it: whether it did."""
    if not await use_code(site, verification, code):
        return False
    return await sessions.complete_sign_in(session, token, site.clock())
