"""A person uses a passkey: to sign in by it alone, or to prove again who they are.

A passkey counts as both factors: the device that has it, and the PIN or biometrics by which the
device knows its user. The browser is asked first, with a challenge; then its answer comes.
"""

from secrets import token_urlsafe
from typing import Any

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import ceremonies, passkey_challenges
from webapp.accounts.challenges.ceremonies import Answer, PasskeyRefused, RelyingParty
from webapp.accounts.challenges.passkey_challenges import Purpose
from webapp.accounts.history.reasons import Reason
from webapp.accounts.journeys.new_browser import note_browser
from webapp.accounts.journeys.sign_in import SignedIn
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.people import passkeys, sessions, users
from webapp.accounts.people.passkeys import Owned
from webapp.accounts.people.sessions import Browser, Owner

log = structlog.get_logger(__name__)


class PasskeyExpired(Exception):
    """The challenge has expired, or was answered already."""


def party_of(site: Site) -> RelyingParty:
    """Our site as authenticators know it. Raises ``PasskeyRefused`` where there can be none."""
    if site.relying_party is None:
        raise PasskeyRefused
    return site.relying_party


@tells_database_errors
async def ask_to_sign_in(site: Site) -> dict[str, Any]:
    """The options for signing in with any passkey, since nobody is known yet."""
    challenge = await passkey_challenges.issue(Purpose.SIGN_IN, None, site.clock())
    return ceremonies.request_options(party_of(site), challenge)


@tells_database_errors
async def sign_in(site: Site, credential: str, browser: Browser, known: str = "") -> SignedIn:
    """Open a session for the person whose passkey answered.

    ``known`` is the token by which the browser is known, if it is.

    Raises ``PasskeyExpired`` or ``PasskeyRefused``.
    """
    answer = await use_challenge(site, credential, Purpose.SIGN_IN)
    owned = await passkeys.find(answer.credential_id)
    if owned is None or answer.user_handle != owned.user.subject:
        log.info("passkey_unknown")
        site.history.record(Reason.PASSKEY_REFUSED)
        raise PasskeyRefused
    sign_count = await _verify(site, answer, owned)
    async with in_transaction():
        await _record_use(site, owned, sign_count)
        token = await sessions.open_session(owned.user.id, site.clock(), browser=browser)
        known = await note_browser(site, owned.user, browser.user_agent, known)
    site.outbox.wake()
    log.info("signed_in", user=owned.user.id, passkey=True)
    site.history.record(Reason.SIGNED_IN, owned.user.phone)
    return SignedIn(owned.user, token, known=known)


async def use_challenge(
    site: Site, credential: str, purpose: Purpose, user_id: int | None = None
) -> Answer:
    """Use up the challenge that the browser answers: the answer, not verified yet.

    Committed at once, so that no second answer to it is looked at. Raises ``PasskeyExpired`` or
    ``PasskeyRefused``.
    """
    answer = await ceremonies.read(credential)
    if not await passkey_challenges.use(answer.challenge, purpose, user_id, site.clock()):
        site.history.record(Reason.PASSKEY_REFUSED)
        raise PasskeyExpired
    return answer


async def _verify(site: Site, answer: Answer, owned: Owned) -> int:
    """Raises ``PasskeyRefused`` where the signature, its origin or its count is wrong."""
    try:
        return await ceremonies.verify_signature(party_of(site), answer, owned.passkey)
    except PasskeyRefused as error:
        log.warning("passkey_refused", user=owned.user.id, reason=str(error))
        site.history.record(Reason.PASSKEY_REFUSED, owned.user.phone)
        raise


async def _record_use(site: Site, owned: Owned, sign_count: int) -> None:
    """In the transaction that follows from it. Raises ``PasskeyRefused``.

    The account is locked first: it may be deleted beside this request, and the passkey with it.
    """
    account = await users.get_for_update(owned.user.id)
    if account is None or not await passkeys.record_use(owned.passkey, sign_count, site.clock()):
        log.warning("passkey_refused", user=owned.user.id, reason="removed, or used beside this")
        site.history.record(Reason.PASSKEY_REFUSED, owned.user.phone)
        raise PasskeyRefused


@tells_database_errors
async def ask_to_prove(site: Site, owner: Owner) -> dict[str, Any]:
    """The options for proving again who is signed in, with one of their own passkeys."""
    user_id = owner.user.id
    challenge = await passkey_challenges.issue(Purpose.PROVE, user_id, site.clock())
    present = await passkeys.of_user(user_id)
    return ceremonies.request_options(party_of(site), challenge, present)


@tells_database_errors
async def prove(site: Site, owner: Owner, credential: str) -> str:
    """The person who is signed in proves again who they are, with one of their passkeys.

    Returns the token of the session from now on (ASVS 7.2.4). Raises ``PasskeyExpired``, also
    where the session was ended beside this request, or ``PasskeyRefused``.
    """
    user, token = owner.user, token_urlsafe(sessions.TOKEN_BYTES)
    answer = await use_challenge(site, credential, Purpose.PROVE, user.id)
    owned = await passkeys.find(answer.credential_id)
    if owned is None or owned.user.id != user.id:
        log.warning("passkey_refused", user=user.id, reason="not a passkey of this account")
        site.history.record(Reason.PASSKEY_REFUSED, user.phone)
        raise PasskeyRefused
    sign_count = await _verify(site, answer, owned)
    async with in_transaction():
        await _record_use(site, owned, sign_count)
        if not await sessions.renew(owner.token, token, site.clock()):
            raise PasskeyExpired
    log.info("proved_again", user=user.id, passkey=True)
    return token
