"""A person who is signed in adds a passkey to their account, or removes one.

Both need a proof of the last ten minutes. The proof comes before the browser is asked: a password
that turned out wrong afterwards would leave a passkey on the device that opens nothing.
"""

from typing import Any

import structlog

from webapp.accounts.challenges import ceremonies, passkey_challenges
from webapp.accounts.challenges.ceremonies import CREDENTIAL_ID, NewKey, PasskeyRefused
from webapp.accounts.challenges.passkey_challenges import Purpose
from webapp.accounts.history.reasons import Reason
from webapp.accounts.journeys.prove_again import changing
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.journeys.tell import tell
from webapp.accounts.journeys.use_passkey import party_of, use_challenge
from webapp.accounts.people import passkeys
from webapp.accounts.people.passkeys import Passkey
from webapp.accounts.people.sessions import Owner
from webapp.accounts.policy.rules import PASSKEYS_PER_ACCOUNT, PasskeysSpent
from webapp.accounts.sending.notices import Notice

log = structlog.get_logger(__name__)
NO_PASSWORD = ""


class PasskeyTaken(Exception):
    """The passkey already belongs to an account."""


@tells_database_errors
async def ask_for_new(site: Site, owner: Owner) -> dict[str, Any]:
    """What to ask the browser, so that it makes a passkey for this account."""
    user = owner.user
    challenge = await passkey_challenges.issue(Purpose.ADD, user.id, site.clock())
    present = await passkeys.of_user(user.id)
    return await ceremonies.creation_options(party_of(site), challenge, user, present)


@tells_database_errors
async def add(site: Site, owner: Owner, credential: str, name: str) -> None:
    """Give the account the passkey that the browser made, and tell the person.

    Raises ``PasskeyExpired``, ``PasskeyRefused``, ``PasskeyTaken`` or ``PasskeysSpent``, and what
    ``changing`` does.
    """
    answer = await use_challenge(site, credential, Purpose.ADD, owner.user.id)
    try:
        key = await ceremonies.verify_new_key(party_of(site), answer)
    except PasskeyRefused as error:
        log.warning("passkey_not_added", user=owner.user.id, reason=str(error))
        site.history.record(Reason.PASSKEY_REFUSED, owner.user.phone)
        raise
    async with changing(site, owner, NO_PASSWORD, always=False) as change:
        await _save(site, change.user.id, key, name)
        await tell(site, change.user, Notice.PASSKEY_ADDED)


async def _save(site: Site, user_id: int, key: NewKey, name: str) -> None:
    """The account is locked here, so that two at once are counted one after the other."""
    if len(await passkeys.of_user(user_id)) >= PASSKEYS_PER_ACCOUNT:
        raise PasskeysSpent
    passkey = Passkey(**key._asdict(), user_id=user_id, name=name, created_at=site.clock())
    if not await passkeys.insert(passkey):
        raise PasskeyTaken


@tells_database_errors
async def remove(site: Site, owner: Owner, credential_id: str) -> bool:
    """Remove a passkey and tell the person: False where the account has no such passkey.

    Raises what ``changing`` does.
    """
    if not CREDENTIAL_ID.fullmatch(credential_id):  # PostgreSQL takes no text with a NUL in it
        return False
    async with changing(site, owner, NO_PASSWORD, always=False) as change:
        removed = await passkeys.remove(change.user.id, credential_id)
        if removed:
            await tell(site, change.user, Notice.PASSKEY_REMOVED)
    return removed
