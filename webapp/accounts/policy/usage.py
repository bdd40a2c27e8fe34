"""The table of what was used up, and the limits that it is held against.

A limit counts the uses of one key (a phone, a dialling prefix, the site) in a sliding window. The
window is divided into ``BUCKETS``, and a key has one row for each bucket in which it was used: what
a look costs does not grow with the number of uses.

A use is reserved before what it pays for happens, by two statements outside of any transaction. One
reads what the limits' windows hold. The other adds one use to each limit and returns what its
bucket holds then: whoever finds a limit exceeded by that takes its uses back. So however many
processes reserve at once, they get exactly what there is, and no lock outlives a statement,
wherever a process is stopped.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import structlog
from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.people.phones import dialling_prefix
from webapp.accounts.policy.rules import (
    BRAKE_WINDOW,
    BUDGET_WINDOW,
    DAY,
    WRONG_CHECKS_PER_PHONE,
    BudgetSpent,
    LimitExceeded,
    PhoneChecksSpent,
    PhoneSendsSpent,
    PrefixBraked,
    SpendingLimits,
)
from webapp.accounts.statements import moment, run

log = structlog.get_logger(__name__)
BUCKETS = 60  # of a window: an hour is counted by the minute, a day by 24 minutes


class Scope(StrEnum):
    """What a limit counts."""

    PHONE = "phone"  # codes sent to a phone
    PREFIX = "prefix"  # codes sent to a dialling prefix and not entered
    SITE = "site"  # all texts and calls
    CHECKS = "checks"  # wrong codes entered for a phone


class Usage(Model):
    """The uses of one key in one bucket of its window.

    It has no foreign keys on purpose: the purge of an abandoned sign-up must give nothing back.
    """

    id = fields.BigIntField(primary_key=True)
    key = fields.CharField(max_length=32)
    started_at = fields.DatetimeField()  # where the bucket begins
    newest_at = fields.DatetimeField()  # the newest use in it
    used = fields.IntField()

    class Meta:
        table = "usage"
        unique_together = (("key", "started_at"),)
        indexes = (Index(fields=("started_at",)),)  # the purge


class Limit(NamedTuple):
    """At most ``most`` uses in any ``window``; the next one raises ``exceeded``."""

    scope: Scope
    whose: str  # the phone or prefix
    most: int
    window: timedelta
    exceeded: type[LimitExceeded]

    @property
    def key(self) -> str:
        """The key in the table."""
        return f"{self.scope} {self.whose}"

    def bucket(self, at: datetime) -> datetime:
        """The beginning of the bucket that ``at`` is in."""
        width = self.window.total_seconds() / BUCKETS
        return datetime.fromtimestamp(at.timestamp() // width * width, UTC)

    def check(self, used: int, oldest: datetime | None, now: datetime) -> None:
        """Raise ``exceeded`` where nothing is left; it waits until the oldest uses leave."""
        if used >= self.most:
            raise self.exceeded((oldest or now) + self.window - now)


class Used(NamedTuple):
    """What the window of a limit holds."""

    total: int
    current: int  # of it, in the bucket of now
    oldest: datetime | None  # the newest use in the oldest bucket


class Reservation(NamedTuple):
    """One use of each limit, reserved at ``at``."""

    limits: tuple[Limit, ...]
    at: datetime


async def reserve_send(phone: str, spending: SpendingLimits, now: datetime) -> Reservation:
    """Reserve one code to ``phone``. Raises the ``LimitExceeded`` of the limit it would break."""
    try:
        return await _reserve(_limits_of_send(phone, spending), now)
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
    return await _reserve(_limits_of_site(spending.sends_per_hour), now)


async def reserve_check(phone: str, now: datetime) -> None:
    """Reserve one check of a code for ``phone``. Raises ``PhoneChecksSpent``."""
    await _reserve((_limit_of_checks(phone),), now)


async def refund(reservation: Reservation) -> None:
    """Give a reservation back: the vendor surely did nothing."""
    await _refund(reservation, *Scope)


async def refund_check(phone: str, at: datetime) -> None:
    """Give back the check reserved at ``at``: it surely did not reach the vendor."""
    await refund(Reservation((_limit_of_checks(phone),), at))


async def mark_rejected(reservation: Reservation) -> None:
    """The vendor did not want the number that a send was reserved for: nothing is paid.

    It counts against the number and its prefix all the same. Given back, it could be asked for
    without end.
    """
    await _refund(reservation, Scope.SITE)


async def mark_unknown(reservation: Reservation) -> None:
    """The vendor did not say whether it sent the code: that counts for its phone alone.

    Otherwise a vendor's outage would use up what other people need.
    """
    await _refund(reservation, Scope.PREFIX, Scope.SITE)


async def mark_verified(phone: str, sends: int, checks: int, since: datetime) -> None:
    """A code that was first sent at ``since`` was right: it was neither pumping nor guessing."""
    prefix = Limit(Scope.PREFIX, dialling_prefix(phone), 0, BRAKE_WINDOW, PrefixBraked)
    await _add({prefix: -sends, _limit_of_checks(phone): -checks}, since)


def _limits_of_send(phone: str, spending: SpendingLimits) -> tuple[Limit, ...]:
    """In one order always, in which they are told and locked."""
    prefix = dialling_prefix(phone)
    limits = _limits_of_site(spending.sends_per_hour_for_codes)
    if spending.prefix_brake is not None:
        brake = Limit(Scope.PREFIX, prefix, spending.prefix_brake, BRAKE_WINDOW, PrefixBraked)
        limits = (brake, *limits)
    if spending.sends_per_phone is not None:
        day = Limit(Scope.PHONE, phone, spending.sends_per_phone, DAY, PhoneSendsSpent)
        limits = (day, *limits)
    return limits


def _limits_of_site(most: int | None) -> tuple[Limit, ...]:
    return () if most is None else (Limit(Scope.SITE, "", most, BUDGET_WINDOW, BudgetSpent),)


def _limit_of_checks(phone: str) -> Limit:
    return Limit(Scope.CHECKS, phone, WRONG_CHECKS_PER_PHONE, DAY, PhoneChecksSpent)


async def _reserve(limits: tuple[Limit, ...], now: datetime) -> Reservation:
    """One use of each of ``limits``, or of none: then the first without any left raises."""
    reservation = Reservation(limits, now)
    windows = await _read(limits, now)
    for limit, window in zip(limits, windows, strict=True):
        limit.check(window.total, window.oldest, now)
    buckets = await _add(dict.fromkeys(limits, 1), now)
    try:
        for limit, window in zip(limits, windows, strict=True):
            others = buckets[limit.key] - 1 - window.current  # came between the two statements
            limit.check(window.total + others, window.oldest, now)
    except LimitExceeded:
        await refund(reservation)
        raise
    return reservation


async def _refund(reservation: Reservation, *scopes: Scope) -> None:
    limits = [limit for limit in reservation.limits if limit.scope in scopes]
    await _add(dict.fromkeys(limits, -1), reservation.at)


async def _read(limits: Sequence[Limit], now: datetime) -> list[Used]:
    """What each limit's window holds."""
    if not limits:
        return []
    selects, values = [], list[object]()
    for place, limit in enumerate(limits):
        key, bucket, since, first = (f"${4 * place + each}" for each in range(1, 5))
        selects.append(
            f"SELECT {place} AS place, COALESCE(SUM(used), 0) AS total,"  # noqa: S608
            f" COALESCE(SUM(CASE WHEN started_at = {bucket} THEN used END), 0) AS current,"
            f" MIN(CASE WHEN used > 0 THEN newest_at END) AS oldest FROM usage"
            f" WHERE key = {key} AND started_at >= {first} AND newest_at > {since}"
        )
        left = now - limit.window
        values += [limit.key, limit.bucket(now), left, limit.bucket(left)]
    rows = await run(" UNION ALL ".join(selects), *values)
    ordered = sorted(rows, key=lambda row: int(row["place"]))
    return [Used(row["total"], row["current"], moment(row["oldest"])) for row in ordered]


async def _add(uses: dict[Limit, int], at: datetime) -> dict[str, int]:
    """Add to the buckets of ``at``: what each limit's bucket holds then, by its key."""
    if not uses:
        return {}
    places = ", ".join(
        f"(${n + 1}, ${n + 2}, ${n + 3}, ${n + 4})" for n in range(0, 4 * len(uses), 4)
    )
    values = [
        value
        for limit, amount in uses.items()
        for value in (limit.key, limit.bucket(at), at, amount)
    ]
    rows = await run(
        f"INSERT INTO usage (key, started_at, newest_at, used) VALUES {places}"  # noqa: S608
        " ON CONFLICT (key, started_at) DO UPDATE SET used = usage.used + excluded.used,"
        " newest_at = CASE WHEN excluded.used > 0 THEN excluded.newest_at"
        " ELSE usage.newest_at END RETURNING key, used",
        *values,
    )
    return {row["key"]: row["used"] for row in rows}


async def purge_attempts(before: datetime) -> None:
    """Delete what the release before this one counted by, which wrote to a table of its own.

    Its processes may still do so during a deploy. The next release drops table and function.
    """
    await run("DELETE FROM attempts WHERE at < $1", before)
