"""One effort to prove one phone: what may happen to it, each step one conditional update.

Never read, compare, save: many processes may be at the same row. A step is taken by whoever's
update finds the row as the step needs it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.expressions import F
from tortoise.queryset import QuerySet

from webapp.accounts.models import Kind, Outcome, User, Verification
from webapp.accounts.policy import usage
from webapp.accounts.policy.rules import (
    CHECKS_PER_VERIFICATION,
    CODE_LIFETIME,
    COOL_DOWNS,
    SENDS_PER_VERIFICATION,
    ChecksSpent,
    CoolingDown,
    SendsSpent,
    SpendingLimits,
)
from webapp.accounts.statements import add, loaded, run

NOW = timedelta()


@dataclass(frozen=True, slots=True)
class Status:
    """Where a verification is, for the page that shows it."""

    state: str  # waiting for the code, unsent, expired, exhausted
    checks_left: int
    resend_in: int  # whole seconds
    sends: int


def status_of(verification: Verification, now: datetime) -> Status:
    """How ``verification`` stands at ``now``."""
    wait = max(NOW, _next_send(verification) - now)
    return Status(
        state=_state(verification, now),
        checks_left=max(0, CHECKS_PER_VERIFICATION - verification.checks),
        resend_in=-int(-wait.total_seconds() // 1),
        sends=verification.sends,
    )


def _next_send(verification: Verification) -> datetime:
    """When a code may be asked for: a spent verification first has to expire."""
    spent = (
        verification.sends >= SENDS_PER_VERIFICATION
        or verification.checks >= CHECKS_PER_VERIFICATION
    )
    if spent:
        return max(verification.next_send_at, verification.expires_at)
    return verification.next_send_at


def _state(verification: Verification, now: datetime) -> str:
    if not verification.reference and verification.next_send_at <= now:
        return "unsent"
    if verification.expires_at <= now:
        return "expired"
    return "exhausted" if verification.checks >= CHECKS_PER_VERIFICATION else "waiting"


async def latest(user: User) -> Verification:
    """The verification that counts: a user has one from the first moment on."""
    [newest] = await run(
        "SELECT * FROM verifications WHERE user_id = $1 ORDER BY id DESC LIMIT 1", user.id
    )
    return loaded(Verification, newest)


def still_pending(verification: Verification) -> QuerySet[Verification]:
    return Verification.filter(id=verification.id, outcome=Outcome.PENDING)


async def begin(
    db: BaseDBAsyncClient, user: User, provider: str, spending: SpendingLimits, now: datetime
) -> Verification:
    """A new verification of the user's phone, its first send reserved. Raises ``LimitExceeded``."""
    verification = Verification(
        user_id=user.id,
        phone=user.phone,
        provider=provider,
        sends=1,
        created_at=now,
        next_send_at=now + COOL_DOWNS[0],
        expires_at=now + CODE_LIFETIME,
    )
    await add(verification)
    await usage.reserve_send(db, user.phone, verification.id, spending, now)
    return verification


async def begin_again(
    db: BaseDBAsyncClient,
    user: User,
    old: Verification,
    provider: str,
    spending: SpendingLimits,
    now: datetime,
) -> Verification:
    """A new code in place of an expired one. Raises ``LimitExceeded``."""
    due = still_pending(old).filter(next_send_at__lte=now)
    if not await due.update(outcome=Outcome.REPLACED):
        raise CoolingDown(await _until_send(old, now))
    return await begin(db, user, provider, spending, now)


async def claim_send(
    db: BaseDBAsyncClient, verification: Verification, spending: SpendingLimits, now: datetime
) -> None:
    """Reserve one more send of the same code. Raises ``LimitExceeded``."""
    sends = verification.sends
    if sends >= SENDS_PER_VERIFICATION:
        raise SendsSpent(_next_send(verification) - now)
    if verification.checks >= CHECKS_PER_VERIFICATION:
        raise ChecksSpent(_next_send(verification) - now)
    due = still_pending(verification).filter(
        sends=sends, next_send_at__lte=now, checks__lt=CHECKS_PER_VERIFICATION
    )
    # The code's life begins with the first send that went out.
    expires_at = verification.expires_at if sends else now + CODE_LIFETIME
    claimed = await due.update(
        sends=sends + 1, next_send_at=now + COOL_DOWNS[sends], expires_at=expires_at
    )
    if not claimed:
        raise CoolingDown(await _until_send(verification, now))
    await usage.reserve_send(db, verification.phone, verification.id, spending, now)


async def _until_send(verification: Verification, now: datetime) -> timedelta:
    newest = await Verification.filter(user_id=verification.user_id).order_by("-id").first()
    return max(NOW, _next_send(newest or verification) - now)


async def sent(verification: Verification, reference: str, now: datetime) -> None:
    """The code is on its way; checks are made against ``reference`` from now on."""
    verification.reference = reference
    await run(
        "UPDATE verifications SET reference = $2, sent_at = $3 WHERE id = $1",
        verification.id,
        reference,
        now,
    )


async def maybe_sent(verification: Verification, reference: str) -> None:
    """Nobody knows whether the code is on its way; if it is, ``reference`` is what it answers."""
    await Verification.filter(id=verification.id).update(reference=reference)


async def not_sent(
    verification: Verification, now: datetime, *, maybe: bool, turned_down: bool
) -> None:
    """A send failed: it may be asked for again at once, and counts only if it may be on its way.

    ``turned_down``: because of the number, which the limits of the number remember.
    """
    row = Verification.filter(id=verification.id)
    if maybe:
        await row.update(next_send_at=now)
        return
    await row.update(next_send_at=now, sends=F("sends") - 1)
    if turned_down:
        await usage.mark_rejected(verification.id)
    else:
        await usage.refund(Kind.SEND, verification.id)


async def no_more_sends(verification: Verification) -> None:
    """The vendor sends no more for this code: the one that went out still counts."""
    await still_pending(verification).update(next_send_at=F("expires_at"))


async def claim_check(db: BaseDBAsyncClient, verification: Verification, now: datetime) -> bool:
    """Reserve one guess, before it is known to be right: whether there was one to be had.

    Raises ``PhoneChecksSpent``.
    """
    claimed = await run(
        "UPDATE verifications SET checks = checks + 1"
        " WHERE id = $1 AND outcome = $2 AND expires_at > $3 AND checks < $4 RETURNING id",
        verification.id,
        Outcome.PENDING,
        now,
        CHECKS_PER_VERIFICATION,
    )
    if not claimed:
        return False
    await usage.reserve_check(db, verification.phone, verification.id, now)
    return True


async def refund_check(verification: Verification) -> None:
    """The guess surely did not reach the vendor: give it back."""
    await Verification.filter(id=verification.id).update(checks=F("checks") - 1)
    await usage.refund(Kind.CHECK, verification.id)


async def wrong(verification: Verification, now: datetime) -> int:
    """A guess was wrong: how many are left. Raises ``ChecksSpent`` when that was the last."""
    await verification.refresh_from_db()
    if verification.checks >= CHECKS_PER_VERIFICATION:
        await exhaust(verification)
        raise ChecksSpent(verification.expires_at - now)
    left: int = CHECKS_PER_VERIFICATION - verification.checks
    return left


async def exhaust(verification: Verification) -> None:
    """No guesses left: a new code only when this one's window is over, as at the vendor."""
    await still_pending(verification).update(checks=CHECKS_PER_VERIFICATION)


async def email_taken(verification: Verification) -> None:
    """The phone is proven, but the email is another account's."""
    verification.outcome = Outcome.EMAIL_TAKEN
    await Verification.filter(id=verification.id).update(outcome=Outcome.EMAIL_TAKEN)


async def expire(verification: Verification, now: datetime) -> None:
    """The code is over at the vendor: a new one may be asked for at once."""
    await still_pending(verification).update(expires_at=now, next_send_at=now)
