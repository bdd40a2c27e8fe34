"""What was spent: sends and guesses, counted over sliding windows and reserved before they happen.

``reserve_send`` and ``reserve_check`` run inside the caller's transaction and take locks that it
holds until it commits: only then do many processes at once count right.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from webapp.accounts.people.phones import dialling_prefix
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import (
    BRAKE_WINDOW,
    BUDGET_WINDOW,
    DAY,
    RETRY_AFTER,
    WRONG_CHECKS_PER_PHONE,
    BudgetSpent,
    LimitExceeded,
    PhoneChecksSpent,
    PhoneSendsSpent,
    PrefixBraked,
    SpendingLimits,
)
from webapp.accounts.statements import add, run
from webapp.database import serialise

log = structlog.get_logger(__name__)
NO_VERIFICATION = 0  # a confirmation text belongs to none


class Kind(StrEnum):
    """What an attempt was spent on."""

    SEND = "send"
    REJECTED = "refused"  # a send that the vendor turned down because of the number
    CHECK = "check"


class Attempt(Model):
    """The log that the limits count: one row a send, one row a check, kept for a day.

    It has no foreign keys on purpose. The purge of an abandoned sign-up must not give its sends
    and checks back.
    """

    id = fields.BigIntField(primary_key=True)
    kind = fields.CharEnumField(Kind, "", max_length=8)
    phone = fields.CharField(max_length=16)
    prefix = fields.CharField(max_length=8)
    verification_id = fields.BigIntField()
    proven = fields.BooleanField(default=False)  # the phone was verified after all
    at = fields.DatetimeField()

    class Meta:
        table = "attempts"
        indexes = (
            Index(fields=("phone", "kind", "at")),
            Index(fields=("prefix", "at")),
            Index(fields=("at",)),
            Index(fields=("verification_id",)),
        )


# The limits of a send in one statement, each left out where it is null.
ALLOWED = """
    (CAST($1 AS integer) IS NULL OR $1 >
        (SELECT count(*) FROM attempts WHERE phone = $4 AND kind IN ($6, $7) AND at > $8
         AND verification_id <> $9))
    AND (CAST($2 AS integer) IS NULL OR $2 >
        (SELECT count(*) FROM attempts WHERE prefix = $5 AND at > $10 AND NOT proven))
    AND (CAST($3 AS integer) IS NULL OR $3 >
        (SELECT count(*) FROM attempts WHERE at > $11 AND kind = $6))
"""


async def reserve_send(
    phone: str, verification_id: int, spending: SpendingLimits, now: datetime
) -> None:
    """Record one send to ``phone``. Raises the ``LimitExceeded`` of the limit it would break."""
    prefix = dialling_prefix(phone)
    send = Attempt(
        kind=Kind.SEND, phone=phone, prefix=prefix, verification_id=verification_id, at=now
    )
    if spending == SpendingLimits(None, None, None):
        await add(send)
        return
    await serialise("sends")
    reserved = await add(
        send,
        ALLOWED,
        spending.sends_per_phone,
        spending.prefix_brake,
        spending.sends_per_hour_for_anybody,
        phone,
        prefix,
        Kind.SEND,
        Kind.REJECTED,
        now - DAY,
        NO_VERIFICATION,
        now - BRAKE_WINDOW,
        now - BUDGET_WINDOW,
    )
    if not reserved:  # one after the other, to tell which limit it is, or to find that we know them
        await _phone_allows(phone, spending.sends_per_phone, now)
        await _prefix_allows(prefix, spending.prefix_brake, now)
        if not await _budget_has_place_for_known(phone, spending, now):
            raise _unexplained("send", BudgetSpent)
        await add(send)


async def reserve_confirmation(phone: str, spending: SpendingLimits, now: datetime) -> Attempt:
    """Write a confirmation text down as sent; raises ``BudgetSpent`` when it has to wait."""
    send = Attempt(
        kind=Kind.SEND,
        phone=phone,
        prefix=dialling_prefix(phone),
        verification_id=NO_VERIFICATION,
        proven=True,
        at=now,
    )
    if spending.sends_per_hour is None:
        await add(send)
        return send
    async with in_transaction():
        await serialise("sends")
        since = now - BUDGET_WINDOW
        within = "$1 > (SELECT count(*) FROM attempts WHERE at > $2 AND kind = $3)"
        if not await add(send, within, spending.sends_per_hour, since, Kind.SEND):
            await _within(_sends(since), spending.sends_per_hour, BUDGET_WINDOW, now, BudgetSpent)
            raise _unexplained("confirmation", BudgetSpent)
    return send


async def reserve_check(phone: str, verification_id: int, now: datetime) -> None:
    """Write one guess for ``phone`` down, before it is known to be wrong."""
    await serialise(f"checks {phone}")
    check = Attempt(
        kind=Kind.CHECK, phone=phone, prefix="", verification_id=verification_id, at=now
    )
    fewer = (
        "$1 > (SELECT count(*) FROM attempts"
        " WHERE phone = $2 AND kind = $3 AND at > $4 AND NOT proven)"
    )
    if not await add(check, fewer, WRONG_CHECKS_PER_PHONE, phone, Kind.CHECK, now - DAY):
        checks = Attempt.filter(phone=phone, kind=Kind.CHECK, at__gt=now - DAY, proven=False)
        await _within(checks, WRONG_CHECKS_PER_PHONE, DAY, now, PhoneChecksSpent)
        raise _unexplained("check", PhoneChecksSpent)


async def refund(kind: Kind, verification_id: int) -> None:
    """Strike the last attempt of a verification: the vendor surely did nothing."""
    last = await Attempt.filter(kind=kind, verification_id=verification_id).order_by("-id").first()
    if last:
        await last.delete()


async def mark_rejected(verification_id: int) -> None:
    """Note of the last send of a verification that the vendor did not want the number.

    Nothing went out and nothing is paid. It counts against the number and its prefix all the same:
    given back, it could be asked for again without end.
    """
    last = (
        await Attempt.filter(kind=Kind.SEND, verification_id=verification_id)
        .order_by("-id")
        .first()
    )
    if last:
        await Attempt.filter(id=last.id).update(kind=Kind.REJECTED)


async def mark_verified(verification_id: int) -> None:
    """The code was right: what it took was neither pumping nor guessing."""
    await run("UPDATE attempts SET proven = $2 WHERE verification_id = $1", verification_id, True)


async def _phone_allows(phone: str, most: int | None, now: datetime) -> None:
    if most is not None:
        asked = (Kind.SEND, Kind.REJECTED)
        sends = Attempt.filter(phone=phone, kind__in=asked, at__gt=now - DAY)
        sends = sends.exclude(verification_id=NO_VERIFICATION)
        await _within(sends, most, DAY, now, PhoneSendsSpent)


async def _prefix_allows(prefix: str, most: int | None, now: datetime) -> None:
    if most is None:
        return
    unverified = Attempt.filter(prefix=prefix, at__gt=now - BRAKE_WINDOW, proven=False)
    try:
        await _within(unverified, most, BRAKE_WINDOW, now, PrefixBraked)
    except PrefixBraked as refused:
        log.warning("prefix_braked", prefix=prefix, unverified=most, seconds=refused.seconds)
        raise


async def _budget_has_place_for_known(phone: str, spending: SpendingLimits, now: datetime) -> bool:
    """Whether the last part of the budget, for people we know, has a place for ``phone``.

    An attack must not lock them out. False where the budget is no reason to refuse anybody. Raises
    ``BudgetSpent``.
    """
    most, for_anybody = spending.sends_per_hour, spending.sends_per_hour_for_anybody
    if most is None or for_anybody is None:
        return False
    sends = _sends(now - BUDGET_WINDOW)
    spent = await sends.count()
    if spent < for_anybody:
        return False
    if spent < most and await User.exists(phone=phone, verified_at__not_isnull=True):
        return True
    log.warning("budget_spent", sends=spent, budget=most)
    await _within(sends, 0, BUDGET_WINDOW, now, BudgetSpent)
    return False


def _unexplained(what: str, refusal: type[LimitExceeded]) -> LimitExceeded:
    """A statement refused and no limit says why: the two disagree, and what is unclear is refused.

    The caller holds the lock, so nothing changed between them.
    """
    log.error("limit_unexplained", what=what)
    return refusal(RETRY_AFTER)


def _sends(since: datetime) -> QuerySet[Attempt]:
    return Attempt.filter(at__gt=since, kind=Kind.SEND)


async def _within(
    attempts: QuerySet[Attempt],
    most: int,
    window: timedelta,
    now: datetime,
    refusal: type[LimitExceeded],
) -> None:
    """Raise ``refusal`` when there are ``most`` already; it waits for the oldest to leave."""
    if await attempts.count() >= most:
        oldest = await attempts.order_by("at").first()
        raise refusal((oldest.at if oldest else now) + window - now)
