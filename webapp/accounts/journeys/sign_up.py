"""A person signs up. Start here: this is the order in which things happen.

After ``sign_up`` the person may ask for the code again, which ``prove_phone`` has, or have it sent
to another number by ``correct_phone``. ``complete_sign_up`` is what the right code does.
"""

import json
from typing import NamedTuple

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import sends, verifications
from webapp.accounts.challenges.verifications import Outcome, Purpose, Verification
from webapp.accounts.forms.signup import SignupForm
from webapp.accounts.journeys import prove_phone
from webapp.accounts.journeys.new_password import refuse_breached
from webapp.accounts.journeys.refusals import refusals
from webapp.accounts.journeys.site import SignupOver, Site, tells_database_errors
from webapp.accounts.keyed_hash import keyed_hash
from webapp.accounts.people import emails, sessions, users
from webapp.accounts.people.sessions import UNKNOWN_BROWSER, Browser, Visitor
from webapp.accounts.people.users import User
from webapp.accounts.policy.blocks import Subject
from webapp.accounts.policy.rules import LimitExceeded
from webapp.providers import Channel

log = structlog.get_logger(__name__)


class SignedUp(NamedTuple):
    """An unverified account whose code is on its way."""

    user: User
    verification: Verification
    token: str | None  # of the new session; None where the browser's own goes on


@tells_database_errors
async def sign_up(
    site: Site,
    form: SignupForm,
    visitor: Visitor | None = None,
    browser: Browser = UNKNOWN_BROWSER,
    network: str = "",
    *,
    worked: bool = False,
) -> SignedUp:
    """Make an unverified account and have a code sent to its phone.

    Which forms are the same sign-up is decided here alone. The email and phone of ``visitor``, whom
    this browser has as a pending sign-up, make the form a correction of it. All answers and the
    password of another pending sign-up join that one: the form was sent twice. Either way a code
    that is on its way already is not sent again, and one that is used up begins a new sign-up.

    ``network`` is where the form came from, for an operator's blocks; ``worked`` says that the
    browser proved work. Raises ``LimitExceeded`` or
    ``ProviderError``, after which the same form can be sent again,
    ``BreachedPassword`` and ``SignupOver``.
    """
    with refusals(site, form.profile()["phone"]):
        site.work.demand(worked=worked)  # before a hash is spent on the form
        account = await _account_with_email(site, form, network)
        await refuse_breached(site, form.password)
        password_hash = await _hash(site, form, account)
    if visitor and _is_same_person(form, visitor.user):
        if visitor.verification.outcome is Outcome.EMAIL_TAKEN:
            raise SignupOver
        if prove_phone.is_usable(site, visitor.verification):
            return await _correct(site, form, password_hash, visitor, worked=worked)
    return await _begin_or_join(site, form, password_hash, browser, worked=worked)


async def _account_with_email(site: Site, form: SignupForm, network: str) -> User | None:
    """The verified account that has the email. Raises ``BlockedByOperator``."""
    assert form.number  # noqa: S101 - a valid form has one
    subject = Subject(form.number.e164, form.number.country, form.clean_email, network)
    folded = emails.fold(form.clean_email)
    return await users.with_email_unless_blocked(folded, subject, site.clock())


async def _hash(site: Site, form: SignupForm, account: User | None) -> str:
    """The password's hash, with the salt of the account that has this email, if one has.

    So ``complete_sign_up`` can tell whether the password is that account's, when the phone is
    proven; and until then a taken email takes the same work as any other.
    """
    return await site.hasher.hash_like(form.password, account.password_hash if account else "")


def _is_same_person(form: SignupForm, user: User) -> bool:
    answers = form.profile()
    same_email = emails.fold(answers["email"]) == emails.fold(user.email)
    return same_email and answers["phone"] == user.phone


async def _correct(
    site: Site, form: SignupForm, password_hash: str, visitor: Visitor, *, worked: bool
) -> SignedUp:
    user, verification, _ = visitor
    answers = {**form.profile(), "password_hash": password_hash, "signup_digest": None}
    if not await users.correct(user, answers):
        raise SignupOver
    user.update_from_dict(answers)
    log.info("signup_corrected", user=user.id)
    return SignedUp(user, await prove_phone.catch_up(site, user, verification, worked=worked), None)


async def _begin_or_join(
    site: Site, form: SignupForm, password_hash: str, browser: Browser, *, worked: bool
) -> SignedUp:
    """The unique digest decides which of many requests at once begins.

    A sign-up with the same answers which is not to be joined, because its password is another or
    its code is used up, has that digest, so the next one is tried.
    """
    turn = 0
    while True:
        digest = _digest(site, form, turn)
        try:
            begun = await _begin(site, form, password_hash, digest, browser)
        except IntegrityError:
            if joined := await _join(site, form, digest, browser, worked=worked):
                return joined
            turn += 1
        else:
            return await _send_first_code(site, begun, worked=worked)


async def _send_first_code(site: Site, begun: SignedUp, *, worked: bool) -> SignedUp:
    """Nothing is kept of a sign-up whose code a limit forbids, so that refusing fills no disk."""
    user, verification, token = begun
    try:
        await prove_phone.send_code(
            site, user, verification, Channel.SMS, unblocked=True, worked=worked
        )
    except LimitExceeded:
        await sessions.undo_signup(user, token or "")
        raise
    return begun


def _digest(site: Site, form: SignupForm, turn: int) -> str:
    """One hash for all answers but the password, of the ``turn``-th sign-up that has them."""
    answers = form.profile()
    answers["email"] = emails.fold(answers["email"])
    message = json.dumps(["sign-up", turn, answers], sort_keys=True, default=str)
    return keyed_hash(site.secret_key, message)


async def _begin(
    site: Site, form: SignupForm, password_hash: str, digest: str, browser: Browser
) -> SignedUp:
    """Raises ``IntegrityError`` where another sign-up has ``digest``."""
    now = site.clock()
    user = User(**form.profile(), password_hash=password_hash, signup_digest=digest, created_at=now)
    with refusals(site, user.phone):
        async with in_transaction():
            await users.insert(user)
            token = await sessions.open_session(user.id, now, browser=browser)
            network = _hashed(site, browser.network)
            verification = await sends.begin(
                user.id,
                user.phone,
                site.verifier.name,
                now,
                purpose=Purpose.SIGN_UP,
                network=network,
                claimed=True,
            )
    log.info("signed_up", user=user.id, verification=verification.id)
    return SignedUp(user, verification, token)


def _hashed(site: Site, network: str) -> str:
    """``network`` as the limits know it; nothing where it is unknown."""
    return network and keyed_hash(site.secret_key, "network", network)[:16]


async def _join(
    site: Site, form: SignupForm, digest: str, browser: Browser, *, worked: bool
) -> SignedUp | None:
    """Join the pending sign-up with ``digest``, if the password and a usable code are there."""
    user = await users.with_digest(digest)
    verification = user and await verifications.latest(user)
    if not (user and verification and prove_phone.is_usable(site, verification)):
        return None
    if not await site.hasher.verify(form.password, user.password_hash):
        return None
    async with in_transaction():
        if not await users.correct(
            user, {"signup_digest": digest}
        ):  # locked until it has the session
            return None
        token = await sessions.open_session(user.id, site.clock(), browser=browser)
    return SignedUp(
        user, await prove_phone.catch_up(site, user, verification, worked=worked), token
    )
