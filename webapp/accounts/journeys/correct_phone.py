"""A person who signs up corrects the mobile number: the code goes to another one.

Nothing is lost by it: where no code can be sent to the new number, the former one and its code
stay valid. ``change_phone`` is how an account that is verified gets another number.
"""

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import sends, verifications
from webapp.accounts.challenges.verifications import Purpose, Verification
from webapp.accounts.journeys import prove_phone
from webapp.accounts.journeys.refusals import refusals
from webapp.accounts.journeys.site import SignupOver, Site, tells_database_errors
from webapp.accounts.people import users
from webapp.accounts.people.phones import Phone
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import SIGNUP_LIFETIME, ChangesSpent, LimitExceeded
from webapp.providers import Channel, ProviderError

log = structlog.get_logger(__name__)


@tells_database_errors
async def correct_phone(
    site: Site, user: User, verification: Verification, phone: Phone, *, worked: bool = False
) -> Verification:
    """Verify another number instead: the verification that counts.

    Called again with the same number, it sends what was not sent. ``worked`` is as for
    ``prove_phone.send_code``. Raises ``LimitExceeded`` or ``ProviderError``; the former number and
    its code then stay valid, unless a code may be on its way to the new one. Raises ``SignupOver``.
    """
    if phone.e164 == user.phone:
        return await prove_phone.catch_up(site, user, verification, worked=worked)
    former = Phone(user.phone, user.country)
    with refusals(site, phone.e164):
        async with in_transaction():
            if not await users.change_phone(user, phone):
                return await _changed_before(site, user, phone)
            replaced = await verifications.replace_pending(user)
            verification = await sends.begin(
                user.id,
                phone.e164,
                site.verifier.name,
                site.clock(),
                purpose=Purpose.SIGN_UP,
                network=verification.network,
                claimed=True,
            )
    user.phone, user.country, user.vendor_account = phone.e164, phone.country, ""
    log.info("phone_changed", user=user.id, verification=verification.id)
    try:
        await prove_phone.send_code(site, user, verification, Channel.SMS, worked=worked)
    except (LimitExceeded, ProviderError) as error:
        if replaced and not getattr(error, "maybe_sent", False):
            refund = not isinstance(error, prove_phone.VERDICTS)
            await _change_back(user, former, replaced, verification, refund=refund)
        raise
    return verification


async def _changed_before(site: Site, user: User, phone: Phone) -> Verification:
    """The verification of a change that another request made; raises where none did."""
    pending, verification = await users.pending(user), await verifications.latest(user)
    if not (pending and verification):
        raise SignupOver
    if pending.phone != phone.e164:
        raise ChangesSpent(user.created_at + SIGNUP_LIFETIME - site.clock())
    user.phone, user.country = phone.e164, phone.country
    return verification


async def _change_back(
    user: User, former: Phone, replaced: Verification, failed: Verification, *, refund: bool
) -> None:
    """Nothing went to the new number: the former verification counts on, if no other began."""
    async with in_transaction():
        if not await users.change_phone_back(user, failed.phone, former, refund=refund):
            return
        await verifications.reinstate(replaced, failed)
    user.phone, user.country = former.e164, former.country
