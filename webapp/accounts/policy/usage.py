"""The table of what was used, and how a use is reserved within limits.

A limit counts the uses of one key (a phone, a dialling prefix, the site) in a sliding window. The
window is divided into ``BUCKETS``, and a key has one row for each bucket in which it was used. So a
look reads at most ``BUCKETS`` rows a limit, however much was used.

``reserve`` runs two statements. The first reads what the windows hold. The second adds the use to
each limit's bucket and returns what the bucket holds then. Row by row, the database does the
additions of many processes one after the other, so each process sees all that came before it;
whoever finds a limit exceeded takes the uses back. Outside of a transaction no row stays locked
when the second statement is over, so a process that is stopped blocks nobody.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import structlog
from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.policy.rules import RETRY_AFTER, LimitExceeded
from webapp.accounts.statements import moment, run
from webapp.database import STATEMENT_TIMEOUT

log = structlog.get_logger(__name__)
BUCKETS = 60  # of a window: an hour is counted by the minute, a day by 24 minutes
MARGIN = timedelta(seconds=STATEMENT_TIMEOUT)  # between reading the clock and the end of ``_add``


class Scope(StrEnum):
    """What a limit counts."""

    PHONE = "phone"  # codes sent to a phone
    ADDRESS = "address"  # codes asked for from a network and not entered
    PREFIX = "prefix"  # codes sent to a dialling prefix and not entered
    VERIFIED = "verified"  # codes entered for phones of a dialling prefix
    SITE = "site"  # all texts and calls
    SPEND_HOUR = "spend hour"  # money for texts and calls, in an hour
    SPEND_DAY = "spend day"  # the same in a day
    WARNED = "warned"  # that most of the money is spent
    CHECKS = "checks"  # wrong codes entered for a phone


class Usage(Model):
    """The uses of one key in one bucket of its window.

    It has no foreign keys on purpose: the purge of an abandoned sign-up must give nothing back.
    """

    id = fields.BigIntField(primary_key=True)
    key = fields.CharField(max_length=32)
    started_at = fields.DatetimeField()  # where the bucket begins
    newest_at = fields.DatetimeField()  # the newest use in it
    used = fields.BigIntField()

    class Meta:
        table = "usage"
        unique_together = (("key", "started_at"),)
        indexes = (Index(fields=("started_at",)),)  # the purge


class Limit(NamedTuple):
    """At most ``most`` uses in any ``window``; one that would be more raises ``exceeded``."""

    scope: Scope
    whose: str  # the phone, prefix or network; empty for the site
    most: int | None  # None: any number
    window: timedelta
    exceeded: type[LimitExceeded]
    takes: int = 1  # uses of one reservation; 0: it is only looked at

    @property
    def key(self) -> str:
        """The key in the table."""
        return f"{self.scope} {self.whose}"

    def bucket(self, at: datetime) -> datetime:
        """The beginning of the bucket that ``at`` is in."""
        width = self.window.total_seconds() / BUCKETS
        return datetime.fromtimestamp(at.timestamp() // width * width, UTC)

    def buckets(self, at: datetime) -> list[datetime]:
        """The bucket of ``at`` and, near its ends, its neighbour, in the order of time.

        Another process may count there at the same moment. Both touch both rows, so one of them
        sees the other's use.
        """
        return sorted({self.bucket(at - MARGIN), self.bucket(at), self.bucket(at + MARGIN)})

    def check(self, used: int, oldest: datetime | None, now: datetime) -> None:
        """Raise ``exceeded`` where nothing is left; it waits until the oldest uses leave."""
        if self.most is not None and used + self.takes > self.most:
            raise self.exceeded((oldest or now) + self.window - now)


class Used(NamedTuple):
    """What the window of a limit holds."""

    total: int
    near: int  # of it, in ``Limit.buckets``
    oldest: datetime | None  # the newest use in the oldest bucket

    def after(self, near: int) -> "Used":
        """The same where ``near`` was counted later."""
        return self._replace(total=self.total + near - self.near, near=near)


class Reservation(NamedTuple):
    """What was reserved of each limit at ``at``, and what its window holds since."""

    limits: tuple[Limit, ...]
    at: datetime
    totals: tuple[int, ...] = ()


Adapt = Callable[[Sequence[Limit], Sequence[Used]], Sequence[Limit]]


def as_they_are(limits: Sequence[Limit], _: Sequence[Used]) -> Sequence[Limit]:
    """Limits that do not depend on what was used of others."""
    return limits


async def reserve(
    limits: Sequence[Limit], now: datetime, adapt: Adapt = as_they_are
) -> Reservation:
    """Reserve what each limit takes, or nothing: then the first that is exceeded raises.

    ``limits`` are checked in their order, as ``adapt`` makes them of what all their windows hold.
    """
    windows = await _read(limits, now)
    _check(adapt(limits, windows), windows, now)
    reservation = Reservation(tuple(limit for limit in limits if limit.takes), now)
    held = await add({limit: limit.takes for limit in reservation.limits}, now)
    try:
        windows = [_counted(*pair, held) for pair in zip(limits, windows, strict=True)]
        _check(adapt(limits, windows), windows, now)
    except LimitExceeded:
        await refund(reservation)
        raise
    totals = [pair[1].total + pair[0].takes for pair in zip(limits, windows, strict=True)]
    kept = [total for limit, total in zip(limits, totals, strict=True) if limit.takes]
    return reservation._replace(totals=tuple(kept))


def _check(limits: Sequence[Limit], windows: Sequence[Used], now: datetime) -> None:
    for limit, window in zip(limits, windows, strict=True):
        limit.check(window.total, window.oldest, now)


def _counted(limit: Limit, window: Used, held: dict[str, int]) -> Used:
    """What the window held before our own uses, now that others may have added theirs."""
    if not limit.takes:
        return window
    if limit.key not in held:
        raise _unexplained(limit)
    return window.after(held[limit.key] - limit.takes)


def _unexplained(limit: Limit) -> LimitExceeded:
    """The database did not count a use and did not say why. What is unclear is refused."""
    log.error("limit_unexplained", scope=limit.scope.value)
    return limit.exceeded(RETRY_AFTER)


async def refund(reservation: Reservation, scopes: Iterable[Scope] = Scope) -> None:
    """Give back what was reserved of the limits in ``scopes``."""
    limits = [limit for limit in reservation.limits if limit.scope in scopes]
    await add({limit: -limit.takes for limit in limits}, reservation.at)


async def _read(limits: Sequence[Limit], now: datetime) -> list[Used]:
    """What each limit's window holds."""
    if not limits:
        return []
    selects, values = [], list[object]()
    for place, limit in enumerate(limits):
        key, first, since, near, last = (f"${5 * place + each}" for each in range(1, 6))
        selects.append(
            f"SELECT {place} AS place, COALESCE(SUM(used), 0) AS total,"  # noqa: S608
            f" COALESCE(SUM(CASE WHEN started_at BETWEEN {near} AND {last} THEN used END), 0)"
            f" AS near, MIN(CASE WHEN used > 0 THEN newest_at END) AS oldest FROM usage"
            f" WHERE key = {key} AND started_at >= {first} AND newest_at > {since}"
        )
        left, buckets = now - limit.window, limit.buckets(now)
        values += [limit.key, limit.bucket(left), left, buckets[0], buckets[-1]]
    rows = await run(" UNION ALL ".join(selects), *values)
    ordered = sorted(rows, key=lambda row: int(row["place"]))
    return [Used(int(row["total"]), int(row["near"]), moment(row["oldest"])) for row in ordered]


async def add(uses: dict[Limit, int], at: datetime) -> dict[str, int]:
    """Add to the buckets of ``at``: what ``Limit.buckets`` hold then, by the limit's key.

    All statements lock rows in the order of key and time, so none waits for another in a circle.
    """
    rows = sorted(
        (limit.key, bucket, amount if bucket == limit.bucket(at) else 0)
        for limit, amount in uses.items()
        for bucket in limit.buckets(at)
    )
    if not rows:
        return {}
    places = ", ".join(f"(${n + 2}, ${n + 3}, $1, ${n + 4})" for n in range(0, 3 * len(rows), 3))
    counted = await run(
        f"INSERT INTO usage (key, started_at, newest_at, used) VALUES {places}"  # noqa: S608
        " ON CONFLICT (key, started_at) DO UPDATE SET used = usage.used + excluded.used,"
        " newest_at = CASE WHEN excluded.used > 0 AND excluded.newest_at > usage.newest_at"
        " THEN excluded.newest_at ELSE usage.newest_at END RETURNING key, used",
        at,
        *(value for row in rows for value in row),
    )
    held = dict[str, int]()
    for row in counted:
        held[row["key"]] = held.get(row["key"], 0) + row["used"]
    return held


async def purge_attempts(before: datetime) -> None:
    """Delete what the release before this one counted by, which wrote to a table of its own.

    Its processes may still do so during a deploy. The next release drops table and function.
    """
    await run("DELETE FROM attempts WHERE at < $1", before)
