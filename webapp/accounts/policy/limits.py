"""Which limits a text, a call or the check of a code has to keep, and what its outcome gives back.

A use is reserved before what it pays for happens, in statements outside of any transaction.
"""

from datetime import datetime

import structlog

from webapp.accounts.people.phones import dialling_prefix
from webapp.accounts.policy import usage
from webapp.accounts.policy.rules import (
    BRAKE_WINDOW,
    BUDGET_WINDOW,
    DAY,
    WRONG_CHECKS_PER_PHONE,
    BudgetSpent,
    PhoneChecksSpent,
    PhoneSendsSpent,
    PrefixBraked,
    SpendingLimits,
)
from webapp.accounts.policy.usage import Limit, Reservation, Scope, refund

log = structlog.get_logger(__name__)


async def reserve_send(phone: str, spending: SpendingLimits, now: datetime) -> Reservation:
    """Reserve one code to ``phone``. Raises the ``LimitExceeded`` of the limit it would break."""
    try:
        return await usage.reserve(_limits_of_send(phone, spending), now)
    except PrefixBraked as error:
        prefix, most = dialling_prefix(phone), spending.prefix_brake
        log.warning("prefix_braked", prefix=prefix, unverified=most, seconds=error.seconds)
        raise
    except BudgetSpent as error:
        log.warning("budget_spent", budget=spending.sends_per_hour, seconds=error.seconds)
        raise


async def reserve_confirmation(spending: SpendingLimits, now: datetime) -> Reservation:
    """Reserve one confirmation text. Raises ``BudgetSpent`` while it has to wait.

    It may use the whole budget, of which codes leave a part: an attack on the sign-up must not
    silence it.
    """
    return await usage.reserve(_limits_of_site(spending.sends_per_hour), now)


async def reserve_check(phone: str, now: datetime) -> None:
    """Reserve one check of a code for ``phone``. Raises ``PhoneChecksSpent``."""
    await usage.reserve([_limit_of_checks(phone)], now)


async def refund_check(phone: str, at: datetime) -> None:
    """Give back the check reserved at ``at``: it surely did not reach the vendor."""
    await refund(Reservation((_limit_of_checks(phone),), at))


async def mark_rejected(reservation: Reservation) -> None:
    """The vendor did not want the number that a send was reserved for: nothing is paid.

    It counts against the number and its prefix all the same. Given back, it could be asked for
    without end.
    """
    await refund(reservation, {Scope.SITE})


async def mark_unknown(reservation: Reservation) -> None:
    """The vendor did not say whether it sent the code: that counts for its phone alone.

    Otherwise a vendor's outage would use up what other people need.
    """
    await refund(reservation, {Scope.PREFIX, Scope.SITE})


async def mark_verified(
    phone: str, spending: SpendingLimits, *, sends: int, checks: int, since: datetime
) -> None:
    """A code that was first sent at ``since`` was right: it was neither pumping nor guessing."""
    limits = _limits_of_send(phone, spending)
    unverified = {limit: -sends for limit in limits if limit.scope is Scope.PREFIX}
    await usage.add({**unverified, _limit_of_checks(phone): -checks}, since)


def _limits_of_send(phone: str, spending: SpendingLimits) -> list[Limit]:
    """In the order in which people are told of them."""
    limits = []
    if spending.sends_per_phone is not None:
        most = spending.sends_per_phone
        limits.append(Limit(Scope.PHONE, phone, most, DAY, PhoneSendsSpent))
    if spending.prefix_brake is not None:
        prefix, most = dialling_prefix(phone), spending.prefix_brake
        limits.append(Limit(Scope.PREFIX, prefix, most, BRAKE_WINDOW, PrefixBraked))
    return limits + _limits_of_site(spending.sends_per_hour_for_codes)


def _limits_of_site(most: int | None) -> list[Limit]:
    return [] if most is None else [Limit(Scope.SITE, "", most, BUDGET_WINDOW, BudgetSpent)]


def _limit_of_checks(phone: str) -> Limit:
    return Limit(Scope.CHECKS, phone, WRONG_CHECKS_PER_PHONE, DAY, PhoneChecksSpent)
