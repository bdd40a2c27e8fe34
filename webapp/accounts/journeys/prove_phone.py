"""A person proves a phone: a code is sent, and sent again.

The functions stand in the order in which that happens. They do not know what the code is for.
``check_code`` goes on when it comes back.
"""

from datetime import datetime

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import sends, verifications
from webapp.accounts.challenges.verifications import Outcome, Purpose, Verification
from webapp.accounts.history.reasons import Reason, Refusal
from webapp.accounts.journeys.refusals import refusals
from webapp.accounts.journeys.site import Site, tells_database_errors
from webapp.accounts.people import users
from webapp.accounts.people.users import User
from webapp.accounts.policy import blocks, limits, usage
from webapp.accounts.policy.blocks import BlockedByOperator, Subject
from webapp.accounts.policy.rules import (
    DAY,
    NUMBERS_PER_ACCOUNT,
    CoolingDown,
    LimitExceeded,
    NumbersSpent,
)
from webapp.accounts.policy.usage import Reservation
from webapp.database import serialise
from webapp.providers import (
    Blocked,
    Channel,
    CountryNotServed,
    InvalidNumber,
    NotMobile,
    OptedOut,
    ProviderError,
    Sent,
    TooManySends,
)

log = structlog.get_logger(__name__)


class PhoneFull(Refusal):
    """The phone is proven, but has as many accounts as one phone may."""

    reason = Reason.PHONE_FULL


# The vendor's verdicts on a number. All other failures say nothing about it.
VERDICTS = (Blocked, CountryNotServed, InvalidNumber, NotMobile, OptedOut, TooManySends)


async def verification_for(site: Site, user: User, phone: str, purpose: Purpose) -> Verification:
    """The verification of ``phone`` for ``purpose`` that counts: the latest, or a new one.

    Of a new one the code is still to be sent. One whose checks are spent stays the latest until its
    window ends, so that nobody gets more checks by beginning again. Raises ``NumbersSpent``.
    """
    async with in_transaction():
        await serialise(f"{purpose} {user.id}")  # or two requests at once would send two codes
        latest = await verifications.latest(user, purpose)
        if latest and latest.phone == phone and is_open(site, latest):
            return latest
        if purpose is Purpose.NEW_PHONE:
            await _limit_numbers(site, user)
        provider, now = site.verifier.name, site.clock()
        return await sends.begin(user.id, phone, provider, now, purpose=purpose)


async def _limit_numbers(site: Site, user: User) -> None:
    since = site.clock() - DAY
    if await verifications.begun_since(user, Purpose.NEW_PHONE, since) >= NUMBERS_PER_ACCOUNT:
        raise NumbersSpent(DAY)


async def send_code(
    site: Site,
    user: User,
    verification: Verification,
    channel: Channel,
    *,
    unblocked: bool = False,
    worked: bool = False,
) -> None:
    """Ask the vendor for a code, with no transaction open, and record what came of it.

    The send was claimed before. ``unblocked`` says that no block holds, as the caller has looked;
    ``worked`` that the browser proved work for this code, which only a sign-up may have to.
    Raises ``LimitExceeded`` or ``ProviderError``.
    """
    site.history.record(Reason.ASKED, verification.phone, channel=channel)
    with refusals(site, verification.phone, channel):
        reserved = await _reserve(site, verification, unblocked=unblocked, worked=worked)
    try:
        with refusals(site, verification.phone, channel):
            sent = await site.verifier.send(
                verification.phone,
                email=user.email,
                channel=channel,
                reference=verification.reference or None,
                account=_vendor_account(user, verification.phone),
            )
    except ProviderError as error:
        await _record_failure(site, verification, reserved, error)
        raise
    now, price = site.clock(), await site.money.price(verification.phone)
    site.history.record(Reason.SENT, verification.phone, channel=channel, money=price)
    await sends.record_sent(verification, sent, now, _receipt_due_at(site, sent, now))
    if sent.account and sent.account != _vendor_account(user, verification.phone):
        await users.save_vendor_account(user, verification.phone, sent.account)
    log.info("code_sent", user=user.id, verification=verification.id, channel=channel.value)


def _receipt_due_at(site: Site, sent: Sent, now: datetime) -> datetime | None:
    """When the vendor is to be asked what became of the code, if it is to be asked."""
    after = site.verifier.receipts_after
    return now + after if sent.message and after else None


def _vendor_account(user: User, phone: str) -> str | None:
    """The vendor's account of the person, whose codes go to the number that the person has."""
    return user.vendor_account or None if phone == user.phone else None


async def _reserve(
    site: Site, verification: Verification, *, unblocked: bool, worked: bool
) -> Reservation:
    """Reserve what the send costs; where it may not be, the claimed send is given back."""
    phone, network, now = verification.phone, verification.network, site.clock()
    try:
        if not unblocked:
            await blocks.refuse(Subject.of_phone(phone), now)
        known = verification.purpose is not Purpose.SIGN_UP
        money = await site.money.limits(phone, known=known)
        if known:
            reserved = await limits.reserve_known_send(phone, site.spending, now, money)
        else:
            adapt = site.work.demand(worked=worked)
            reserved = await limits.reserve_send(phone, network, site.spending, now, adapt, money)
    except (LimitExceeded, BlockedByOperator):
        await sends.record_send_failure(verification, now)
        raise
    await site.money.warn(reserved)
    return reserved


async def _record_failure(
    site: Site, verification: Verification, reserved: Reservation, error: ProviderError
) -> None:
    kind = type(error).__name__
    log.warning("code_not_sent", verification=verification.id, kind=kind, error=error.code)
    now = site.clock()
    if error.maybe_sent:
        await sends.record_unknown_send(verification, error.reference or "", now)
        await limits.mark_unknown(reserved)
        return
    await sends.record_send_failure(verification, now)
    if isinstance(error, VERDICTS):
        await limits.mark_rejected(reserved)
    else:
        await usage.refund(reserved)
    if isinstance(error, TooManySends) and not verification.never_sent:
        await sends.stop_sends(verification)


@tells_database_errors
async def resend_code(
    site: Site, user: User, verification: Verification, channel: Channel, *, worked: bool = False
) -> Verification:
    """Send the code again, or a new one where the old one is over: the verification that counts.

    ``user`` and ``verification`` were read together: the vendor's account of another number would
    have that number's phone sent the code. ``worked`` is as for ``send_code``. Raises
    ``LimitExceeded``, ``PhoneFull`` or ``ProviderError``.
    """
    now = site.clock()
    with refusals(site, verification.phone, channel):
        if verification.outcome is Outcome.PHONE_FULL:
            raise PhoneFull
        verification = await _claim_send(site, verification, now)
    await send_code(site, user, verification, channel, worked=worked)
    return verification


async def _claim_send(site: Site, verification: Verification, now: datetime) -> Verification:
    """Claim one more send of this code, or the first of another. Raises ``LimitExceeded``."""
    async with in_transaction():
        if is_over(site, verification, now):
            return await sends.begin_again(verification, site.verifier.name, now)
        await sends.claim_send(verification, now)
        return verification


async def catch_up(
    site: Site, user: User, verification: Verification, *, worked: bool = False
) -> Verification:
    """Send the code that was asked for before, if it never went out."""
    if verification.sent_at:
        return verification
    try:
        return await resend_code(site, user, verification, Channel.SMS, worked=worked)
    except CoolingDown:
        log.info("asked_twice", user=user.id)
        return verification


def is_over(site: Site, verification: Verification, now: datetime) -> bool:
    """Too old, or begun with another provider than the site has now."""
    return verification.expires_at <= now or verification.provider != site.verifier.name


def is_open(site: Site, verification: Verification) -> bool:
    """Whether it counts still: its code works, is to be sent, or had all its checks."""
    pending = verification.outcome is Outcome.PENDING
    return pending and not is_over(site, verification, site.clock())


def is_usable(site: Site, verification: Verification) -> bool:
    """Whether the code can still prove the phone, or is still to be sent."""
    return is_open(site, verification) and verification.checks_left > 0


async def refuse_full(site: Site, user: User, phone: str) -> None:
    """Raise ``PhoneFull`` if ``phone`` has as many accounts as one may besides that of ``user``.

    Call it in the transaction that gives the account its number.
    """
    if site.accounts_per_phone is None:
        return
    await users.lock_phone(phone)  # or two at once would not count each other
    if await users.is_phone_full(phone, site.accounts_per_phone, user.id):
        log.info("phone_full", user=user.id)
        raise PhoneFull
