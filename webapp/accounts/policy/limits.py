"""Which limits a text, a call or the check of a code has to keep, and what its outcome gives back.

A use is reserved before what it pays for happens, in statements outside of any transaction.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog

from webapp.accounts.people.phones import dialling_prefix
from webapp.accounts.policy import usage
from webapp.accounts.policy.rules import (
    BRAKE_WINDOW,
    BUDGET_WINDOW,
    DAY,
    WRONG_CHECKS_PER_PHONE,
    AddressShareSpent,
    BudgetSpent,
    PhoneChecksSpent,
    PhoneSendsSpent,
    PrefixBraked,
    SpendingLimits,
)
from webapp.accounts.policy.shares import BUDGETS, share_out
from webapp.accounts.policy.usage import Adapt, Limit, Reservation, Scope, refund

log = structlog.get_logger(__name__)


async def reserve_send(
    phone: str,
    network: str,
    spending: SpendingLimits,
    now: datetime,
    adapt: Adapt = share_out,
    money: Sequence[Limit] = (),
) -> Reservation:
    """Reserve one code to ``phone``, for a sign-up from ``network``; ``adapt`` is as in ``usage``.

    ``money`` are the limits of what it costs. Raises the ``LimitExceeded`` of the one it would
    break.
    """
    limits = [*_limits_of_signup(phone, network, spending, costs=bool(money)), *money]
    try:
        return await usage.reserve(limits, now, adapt)
    except PrefixBraked as error:
        prefix, most = dialling_prefix(phone), spending.prefix_brake
        log.warning("prefix_braked", prefix=prefix, unverified=most, seconds=error.seconds)
        raise
    except BudgetSpent as error:
        log.warning("budget_spent", budget=spending.sends_per_hour, seconds=error.seconds)
        raise
    except AddressShareSpent as error:
        log.warning("address_share_spent", prefix=dialling_prefix(phone), seconds=error.seconds)
        raise


async def reserve_known_send(
    phone: str, spending: SpendingLimits, now: datetime, money: Sequence[Limit] = ()
) -> Reservation:
    """Reserve one code to ``phone``, for somebody who entered the password of their account.

    Strangers who brake the prefix or use up their part of the budget shut nobody out of their
    account. Raises ``PhoneSendsSpent`` or ``BudgetSpent``.
    """
    limits = _limits_of_phone(phone, spending) + _limits_of_site(spending.sends_per_hour)
    return await usage.reserve([*limits, *money], now)


async def reserve_confirmation(
    spending: SpendingLimits, now: datetime, money: Sequence[Limit] = ()
) -> Reservation:
    """Reserve one confirmation text. Raises ``LimitExceeded`` while it has to wait.

    It may use the whole budget. Codes leave a part of it, so that an attack on the sign-up does not
    silence confirmations.
    """
    return await usage.reserve([*_limits_of_site(spending.sends_per_hour), *money], now)


async def reserve_check(phone: str, now: datetime) -> None:
    """Reserve one check of a code for ``phone``. Raises ``PhoneChecksSpent``."""
    await usage.reserve([_limit_of_checks(phone)], now)


async def refund_check(phone: str, at: datetime) -> None:
    """Give back the check reserved at ``at``: it surely did not reach the vendor."""
    await refund(Reservation((_limit_of_checks(phone),), at))


async def forget_checks(phone: str, checks: int, since: datetime) -> None:
    """Give back ``checks`` of a code that was first sent at ``since``: the last one was right."""
    await usage.add({_limit_of_checks(phone): -checks}, since)


async def mark_rejected(reservation: Reservation) -> None:
    """The vendor did not want the number that a send was reserved for: nothing is paid.

    It counts against the number and its prefix all the same. Given back, it could be asked for
    without end.
    """
    await refund(reservation, BUDGETS)


async def mark_unknown(reservation: Reservation) -> None:
    """The vendor did not say whether it sent the code: that counts for its phone alone.

    Otherwise a vendor's outage would use up what other people need.
    """
    await refund(reservation, {Scope.ADDRESS, Scope.PREFIX, *BUDGETS})


async def mark_verified(
    phone: str,
    network: str,
    spending: SpendingLimits,
    sends: int,
    since: datetime,
    *,
    checks: int = 0,
    costs: bool = False,
) -> None:
    """A sign-up's code, sent ``sends`` times from ``since`` on, was entered: it was no pumping.

    ``checks`` were reserved for it, the right one included; ``costs``: whether money was, too.
    """
    changes = {Scope.ADDRESS: -sends, Scope.PREFIX: -sends, Scope.VERIFIED: 1}
    limits = _limits_of_signup(phone, network, spending, costs=costs)
    uses = {limit: changes[limit.scope] for limit in limits if limit.scope in changes}
    await usage.add({**uses, _limit_of_checks(phone): -checks}, since)


def _limits_of_signup(
    phone: str, network: str, spending: SpendingLimits, *, costs: bool
) -> list[Limit]:
    """In the order in which people are told of them; ``costs``: money is shared out by them."""
    most = spending.sends_per_hour_for_signups
    limits = _limits_of_phone(phone, spending)
    if spending.prefix_brake is None and most is None and not costs:
        return limits
    prefix = dialling_prefix(phone)
    limits += [
        Limit(Scope.PREFIX, prefix, spending.prefix_brake, BRAKE_WINDOW, PrefixBraked),
        Limit(Scope.VERIFIED, prefix, None, DAY, PrefixBraked, takes=0),
    ]
    if network:
        limits.append(Limit(Scope.ADDRESS, network, None, BUDGET_WINDOW, AddressShareSpent))
    return limits + _limits_of_site(most)


def _limits_of_phone(phone: str, spending: SpendingLimits) -> list[Limit]:
    most = spending.sends_per_phone
    return [] if most is None else [Limit(Scope.PHONE, phone, most, DAY, PhoneSendsSpent)]


def _limits_of_site(most: int | None) -> list[Limit]:
    return [] if most is None else [Limit(Scope.SITE, "", most, BUDGET_WINDOW, BudgetSpent)]


def _limit_of_checks(phone: str) -> Limit:
    return Limit(Scope.CHECKS, phone, WRONG_CHECKS_PER_PHONE, DAY, PhoneChecksSpent)
