"""A signed-in person proves again who they are, before the account is changed (ASVS 7.5.1)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.history.reasons import Reason, Refusal
from webapp.accounts.journeys.check_password import check_password
from webapp.accounts.journeys.refusals import refusals
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.people import sessions, users
from webapp.accounts.people.sessions import Owner
from webapp.accounts.people.users import User
from webapp.accounts.policy import password_checks
from webapp.accounts.policy.rules import ANSWER_KEPT

log = structlog.get_logger(__name__)


class WrongCurrentPassword(Refusal):
    """What was entered is not the password of the account."""

    reason = Reason.PASSWORD_WRONG


class ChangedElsewhere(Exception):
    """Another browser changed the account at this moment, so nothing was changed here."""


class AnsweredBefore(Exception):
    """The same request was answered before and its answer got lost: the session has ``token``."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token


@dataclass
class Change:
    """A change of an account, in its transaction."""

    user: User  # as it is now, and locked
    token: str  # of the session after the change


@asynccontextmanager
async def changing(
    site: Site, owner: Owner, current: str, *, always: bool = True
) -> AsyncIterator[Change]:
    """The transaction in which the account of ``owner`` is changed; the outbox is woken after it.

    ``current`` is the password, as entered for this change. Without ``always`` it is not needed
    where the person proved who they are in the last ten minutes. Where it was needed the session
    goes on under another token (ASVS 7.2.4), which the browser must be given.

    Raises ``WrongCurrentPassword``, ``LimitExceeded`` while checks pause, ``ChangedElsewhere`` or
    ``AnsweredBefore``.
    """
    asked = always or not owner.proved_recently(site.clock())
    if asked:
        with refusals(site, owner.user.phone):
            await _check(site, owner, current)
    token = next_token(site, owner.token, current) if asked else owner.token
    async with in_transaction():
        user = await users.get_for_update(owner.user.id)
        if user is None or not await _goes_on(site, owner, token):
            raise await _lost(site, token)
        yield Change(user, token)
    site.outbox.wake()


@tells_database_errors
async def prove(site: Site, owner: Owner, current: str) -> str:
    """Note that the person entered their password: the token of the session from now on.

    Raises what ``changing`` does.
    """
    async with changing(site, owner, current) as change:
        log.info("proved_again", user=change.user.id, passkey=False)
    return change.token


def next_token(site: Site, token: str, current: str) -> str:
    """The token of the session with ``token`` after ``current`` was entered rightly."""
    return sessions.derive_next_token(token, current, site.secret_key)


async def _check(site: Site, owner: Owner, current: str) -> None:
    """Check the password. Wrong ones in a row pause as they do for signing in, in a row of their
    own for each session: strangers who try to sign in do not hold up the owner.
    """
    key = password_checks.key_of(owner.token, site.secret_key)
    if not await check_password(site, key, current, owner.user.password_hash):
        log.info("current_password_wrong", user=owner.user.id)
        raise WrongCurrentPassword


async def _goes_on(site: Site, owner: Owner, token: str) -> bool:
    """Have the session go on under ``token``: False where it has ended meanwhile.

    Whatever changes a password or deletes an account ends all other sessions while it holds the
    account, which is locked here too. So nothing is changed with a former password.
    """
    if token == owner.token:
        return await sessions.is_there(token)
    return await sessions.renew(owner.token, token, site.clock())


async def _lost(site: Site, token: str) -> Exception:
    """Why the account is not as it was: the same request beside this one, or another browser."""
    if await was_answered(site, token):
        return AnsweredBefore(token)
    return ChangedElsewhere()


async def was_answered(site: Site, token: str) -> bool:
    """Whether a session was given ``token`` lately."""
    return await sessions.proved_since(token, site.clock() - ANSWER_KEPT)
