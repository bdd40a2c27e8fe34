"""The recovery code that a person keeps for the day on which the phone is lost.

It is made on the account's own page. Whoever has entered the password gets another number by it at
once; without it, ``lost_phone`` takes a day.
"""

import hmac
from typing import NamedTuple

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.forms.recovery import LostPhoneForm
from webapp.accounts.history.reasons import Reason, Refusal
from webapp.accounts.journeys.change_phone import give_number
from webapp.accounts.journeys.check_code import check_code, clear_counts, use_code
from webapp.accounts.journeys.end_access import end_access
from webapp.accounts.journeys.prove_again import ChangedElsewhere, changing
from webapp.accounts.journeys.refusals import refusals
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.journeys.tell import tell
from webapp.accounts.people import phones, recovery_codes, sessions, users
from webapp.accounts.people.sessions import Owner
from webapp.accounts.people.users import User
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
    if await sessions.opened_lately(replaced.token, site.clock()):
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
        if current is None or not await use_code(site, verification, form.digits):
            return False
        if not await users.use_recovery_code(current, entered, next_hash):
            return False
        browser = await sessions.browser_of(session)
        await end_access(site, current)
        await give_number(site, current, phones.parse(verification.phone, ""))
        await sessions.open_session(user.id, site.clock(), replaced.token, browser=browser)
    return True
