"""A person adds a passkey to their account."""

from typing import Any

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import ceremonies, passkey_challenges
from webapp.accounts.challenges.ceremonies import NewKey, PasskeyRefused
from webapp.accounts.challenges.passkey_challenges import Purpose
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.journeys.use_passkey import party_of, use_challenge
from webapp.accounts.people import passkeys, users
from webapp.accounts.people.passkeys import Passkey
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import PASSKEYS_PER_ACCOUNT, PasskeysSpent

log = structlog.get_logger(__name__)


class PasskeyTaken(Exception):
    """The passkey belongs to an account already."""


@tells_database_errors
async def ask_for_new(site: Site, user: User) -> dict[str, Any]:
    """What to ask the browser, so that it makes a passkey for this account."""
    challenge = await passkey_challenges.issue(Purpose.ADD, user.id, site.clock())
    present = await passkeys.of_user(user.id)
    return await ceremonies.creation_options(party_of(site), challenge, user, present)


@tells_database_errors
async def add(site: Site, user: User, credential: str, name: str) -> Passkey:
    """Give the account the passkey that the browser made, and tell the person.

    Raises ``PasskeyExpired``, ``PasskeyRefused``, ``PasskeyTaken`` or ``PasskeysSpent``.
    """
    answer = await use_challenge(site, credential, Purpose.ADD, user.id)
    try:
        key = await ceremonies.verify_new_key(party_of(site), answer)
    except PasskeyRefused as error:
        log.warning("passkey_not_added", user=user.id, reason=str(error))
        raise
    passkey = _passkey(site, user, key, name)
    async with in_transaction():
        await _save(user, passkey)
    log.info("passkey_added", user=user.id)
    return passkey


def _passkey(site: Site, user: User, key: NewKey, name: str) -> Passkey:
    return Passkey(**key._asdict(), user_id=user.id, name=name, created_at=site.clock())


async def _save(user: User, passkey: Passkey) -> None:
    """Save it while the account is locked, so that two at once are counted one after the other."""
    if await users.get_for_update(user.id) is None:
        raise PasskeyRefused
    if len(await passkeys.of_user(user.id)) >= PASSKEYS_PER_ACCOUNT:
        raise PasskeysSpent
    if not await passkeys.insert(passkey):
        raise PasskeyTaken
