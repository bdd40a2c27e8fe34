"""The table of verifications: one effort each to verify one phone, and the steps it may take.

Many processes may work on one row at once. So no step reads, compares and saves: each is one
conditional UPDATE, and whoever's UPDATE finds the row as the step needs it has taken the step.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from tortoise import fields
from tortoise.expressions import F
from tortoise.indexes import Index
from tortoise.models import Model
from tortoise.queryset import QuerySet

from webapp.accounts.people.users import User
from webapp.accounts.policy import limits
from webapp.accounts.policy.rules import (
    CHECKS_PER_VERIFICATION,
    CODE_LIFETIME,
    COOL_DOWNS,
    SENDS_PER_VERIFICATION,
    ChecksSpent,
    CoolingDown,
    LimitExceeded,
    SendsSpent,
)
from webapp.accounts.statements import add, loaded, run
from webapp.providers import DeliveryState, Sent

NOW = timedelta()


class Outcome(StrEnum):
    """How a verification ended."""

    PENDING = "pending"
    APPROVED = "approved"  # the account was verified by it
    EMAIL_TAKEN = "email_taken"  # approved, but another account had verified the email before
    PHONE_FULL = "phone_full"  # right, but the phone has as many accounts as it may
    REPLACED = "replaced"  # by a later one: the number was changed, or the code expired


class Purpose(StrEnum):
    """What a right code is good for."""

    SIGN_UP = "sign_up"
    SIGN_IN = "sign_in"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - no password
    OLD_PHONE = "old_phone"  # that the number which is replaced is the person's
    NEW_PHONE = "new_phone"


class Status(StrEnum):
    """What the person of a pending verification can do."""

    WAITING = "waiting"  # type in the code
    UNSENT = "unsent"  # ask for a code: none went out
    EXPIRED = "expired"  # ask for a new code
    EXHAUSTED = "exhausted"  # wait until the window is over, then ask for a new code


class CheckClaim(StrEnum):
    """What came of a request for one check of a code."""

    CLAIMED = "claimed"
    SPENT = "spent"  # the code was checked ``CHECKS_PER_VERIFICATION`` times before
    OVER = "over"  # the code expired or was replaced or used


class Verification(Model):
    """One effort to verify one phone, tied to the provider and reference it began with.

    ``reference`` is what codes are checked against, and empty while no code can be on its way.
    """

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "accounts.User", related_name="verifications"
    )
    user_id: int
    purpose = fields.CharEnumField(
        Purpose, "", max_length=16, default=Purpose.SIGN_UP, db_default="sign_up"
    )
    phone = fields.CharField(max_length=16)
    # A keyed hash of the network that asked for it; the limits count its codes by it.
    network = fields.CharField(max_length=16, default="", db_default="")
    provider = fields.CharField(max_length=16)
    reference = fields.CharField(max_length=128, default="")
    sends = fields.SmallIntField(default=0)
    # Sends of which the vendor did not say whether they went out. Older processes do not name it.
    unknown_sends = fields.SmallIntField(default=0, db_default=0)
    checks = fields.SmallIntField(default=0)
    outcome = fields.CharEnumField(Outcome, "", max_length=16, default=Outcome.PENDING)
    created_at = fields.DatetimeField()
    sent_at = fields.DatetimeField(null=True)  # null while no send is known to have succeeded
    message = fields.CharField(max_length=64, default="", db_default="")  # the last one sent
    delivery = fields.SmallIntField(default=0, db_default=0)  # what became of it: DeliveryState
    receipt_due_at = fields.DatetimeField(null=True)  # when the vendor is asked, or told, next
    next_send_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "verifications"
        indexes = (
            Index(fields=("user_id", "id")),
            Index(fields=("purpose", "created_at")),  # the purge
            Index(fields=("message",)),
            Index(fields=("receipt_due_at",)),
        )

    @property
    def never_sent(self) -> bool:
        """Whether no code went out, nor may have gone out, that could be checked."""
        return not self.reference

    @property
    def all_sends(self) -> int:
        """How often the vendor was asked for this code, less the times that surely sent nothing."""
        total: int = self.sends + self.unknown_sends
        return total

    @property
    def checks_left(self) -> int:
        """How many codes may still be tried."""
        left: int = CHECKS_PER_VERIFICATION - self.checks
        return max(0, left)

    def status(self, now: datetime) -> Status:
        """What the person can do at ``now``."""
        if self.never_sent and self.next_send_at <= now:
            return Status.UNSENT
        if self.expires_at <= now:
            return Status.EXPIRED
        return Status.WAITING if self.checks_left else Status.EXHAUSTED

    def wait_for_send(self, now: datetime) -> timedelta:
        """How long until a code may be asked for. A spent verification has to expire first."""
        due = self.next_send_at
        if self.all_sends >= SENDS_PER_VERIFICATION or not self.checks_left:
            due = max(due, self.expires_at)
        return max(NOW, due - now)


async def latest(user: User, purpose: Purpose = Purpose.SIGN_UP) -> Verification | None:
    """The user's newest verification for ``purpose``, the only one that counts; None if none."""
    rows = await run(
        "SELECT * FROM verifications WHERE user_id = $1 AND purpose = $2 ORDER BY id DESC LIMIT 1",
        user.id,
        purpose,
    )
    return loaded(Verification, rows[0]) if rows else None


async def latest_pending(user: User, purpose: Purpose) -> Verification | None:
    """The same while it is neither used nor replaced."""
    newest = await latest(user, purpose)
    return newest if newest and newest.outcome is Outcome.PENDING else None


async def begun_since(user: User, purpose: Purpose, since: datetime) -> int:
    """How many verifications for ``purpose`` this user began."""
    return await Verification.filter(user_id=user.id, purpose=purpose, created_at__gt=since).count()


async def reread(verification: Verification) -> None:
    """Take over what other requests did to the row; nothing if it was purged."""
    if row := await _row(verification).first():
        verification.checks, verification.outcome = row.checks, row.outcome


def _row(verification: Verification) -> QuerySet[Verification]:
    return Verification.filter(id=verification.id)


def _pending(verification: Verification) -> QuerySet[Verification]:
    return _row(verification).filter(outcome=Outcome.PENDING)


# Sending a code


async def begin_unsent(
    user_id: int, phone: str, provider: str, now: datetime, purpose: Purpose
) -> Verification:
    """Begin to verify ``phone``; its first code is still to be sent, and may be at once."""
    verification = Verification(
        user_id=user_id,
        purpose=purpose,
        phone=phone,
        provider=provider,
        created_at=now,
        next_send_at=now,
        expires_at=now + CODE_LIFETIME,
    )
    await add(verification)
    return verification


async def begin(
    user_id: int,
    phone: str,
    provider: str,
    now: datetime,
    *,
    network: str = "",
    purpose: Purpose = Purpose.SIGN_UP,
) -> Verification:
    """Begin to verify ``phone``, the first send claimed."""
    verification = Verification(
        user_id=user_id,
        purpose=purpose,
        phone=phone,
        network=network,
        provider=provider,
        sends=1,
        created_at=now,
        next_send_at=now + COOL_DOWNS[0],
        expires_at=now + CODE_LIFETIME,
    )
    await add(verification)
    return verification


async def begin_again(old: Verification, provider: str, now: datetime) -> Verification:
    """Replace an expired verification, the first send claimed. Raises ``CoolingDown``."""
    due = _pending(old).filter(next_send_at__lte=now)
    if not await due.update(outcome=Outcome.REPLACED):
        raise CoolingDown(await _wait_for_latest(old, now))
    purpose = Purpose(old.purpose)
    return await begin(old.user_id, old.phone, provider, now, network=old.network, purpose=purpose)


async def claim_send(verification: Verification, now: datetime) -> None:
    """Claim one more send of the same code.

    Raises ``SendsSpent``, ``ChecksSpent`` or ``CoolingDown``.
    """
    sends = verification.all_sends
    if sends >= SENDS_PER_VERIFICATION:
        raise SendsSpent(verification.wait_for_send(now), unknown=verification.unknown_sends)
    if not verification.checks_left:
        raise ChecksSpent(verification.wait_for_send(now))
    due = _pending(verification).filter(
        sends=verification.sends,
        unknown_sends=verification.unknown_sends,
        next_send_at__lte=now,
        checks__lt=CHECKS_PER_VERIFICATION,
    )
    expires_at = now + CODE_LIFETIME if verification.never_sent else verification.expires_at
    changes = {
        "sends": verification.sends + 1,
        "next_send_at": now + COOL_DOWNS[sends],
        "expires_at": expires_at,
    }
    if not await due.update(**changes):
        raise CoolingDown(await _wait_for_latest(verification, now))
    verification.update_from_dict(changes)


async def _wait_for_latest(verification: Verification, now: datetime) -> timedelta:
    rows = Verification.filter(user_id=verification.user_id, purpose=verification.purpose)
    newest = await rows.order_by("-id").first()
    return (newest or verification).wait_for_send(now)


async def record_sent(
    verification: Verification, sent: Sent, now: datetime, receipt_due_at: datetime | None = None
) -> None:
    """The vendor took the code; checks are made against its reference from now on.

    The receipt may have come before its answer. Else the vendor is asked at ``receipt_due_at``.
    """
    verification.reference, verification.sent_at = sent.reference, now
    verification.message, verification.delivery = sent.message, DeliveryState.ON_ITS_WAY
    await run(
        "UPDATE verifications SET reference = $2, sent_at = $3, message = $4, receipt_due_at = $5,"
        " delivery = COALESCE((SELECT state FROM receipts WHERE receipts.message = $6), 0)"
        " WHERE id = $1",
        verification.id,
        sent.reference,
        now,
        sent.message,
        receipt_due_at,
        sent.message,  # again: PostgreSQL gives each place one type
    )


async def record_delivery(message: str, state: DeliveryState, now: datetime) -> bool:
    """Note what became of the last send of a code: whether ``message`` is one.

    Where the network did not deliver it, there is no reason to wait before the next. It never says
    that somebody is verified.
    """
    rows = await run(
        "UPDATE verifications SET delivery = $2, receipt_due_at = CASE WHEN outcome = $4 THEN NULL"
        " ELSE receipt_due_at END, next_send_at = CASE WHEN $2 = $5 AND next_send_at < expires_at"
        " THEN $3 ELSE next_send_at END WHERE message = $1 AND delivery < $2 RETURNING id",
        message,
        state,
        now,
        Outcome.PENDING,
        DeliveryState.FAILED,
    )
    return bool(rows)


async def claim_receipts_due(most: int, now: datetime, again_at: datetime) -> list[Verification]:
    """Take at most ``most`` verifications whose vendor is to be asked what became of their code, or
    told that it came back. They are due again at ``again_at``, unless ``settle_receipts`` ends it.
    """
    rows = await run(
        "UPDATE verifications SET receipt_due_at = $2 WHERE id IN (SELECT id FROM verifications"
        " WHERE receipt_due_at <= $1 ORDER BY receipt_due_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
        " RETURNING *",
        now,
        again_at,
        most,
    )
    return [loaded(Verification, row) for row in rows]


async def settle_receipts(verifications: Sequence[Verification]) -> None:
    """The vendor is asked or told nothing more about these."""
    if verifications:
        ids = [verification.id for verification in verifications]
        await Verification.filter(id__in=ids).update(receipt_due_at=None)


async def record_unknown_send(verification: Verification, reference: str, now: datetime) -> None:
    """The vendor did not answer, so the code may be on its way. It may be asked for again at once.

    ``reference`` is what the code can be checked against, if that is known, else empty.
    """
    known = {"reference": reference} if reference else {}
    verification.update_from_dict({"next_send_at": now, **known})
    verification.sends, verification.unknown_sends = (
        verification.sends - 1,
        verification.unknown_sends + 1,
    )
    await _row(verification).update(
        next_send_at=now, sends=F("sends") - 1, unknown_sends=F("unknown_sends") + 1, **known
    )


async def record_send_failure(verification: Verification, now: datetime) -> None:
    """Nothing was sent: the send does not count, and may be asked for again at once."""
    verification.next_send_at, verification.sends = now, verification.sends - 1
    await _row(verification).update(next_send_at=now, sends=F("sends") - 1)


async def stop_sends(verification: Verification) -> None:
    """The vendor sends this code no more: the last one sent counts until it expires."""
    verification.next_send_at = verification.expires_at
    await _pending(verification).update(next_send_at=F("expires_at"))


# Checking a code


async def claim_check(verification: Verification, now: datetime) -> CheckClaim:
    """Reserve one check, before it is known whether the code is right.

    Raises ``PhoneChecksSpent``.
    """
    claimed = await run(
        "UPDATE verifications SET checks = checks + 1"
        " WHERE id = $1 AND outcome = $2 AND expires_at > $3 AND checks < $4 RETURNING checks",
        verification.id,
        Outcome.PENDING,
        now,
        CHECKS_PER_VERIFICATION,
    )
    if not claimed:
        await reread(verification)
        return CheckClaim.OVER if verification.checks_left else CheckClaim.SPENT
    verification.checks = claimed[0]["checks"]
    try:
        await limits.reserve_check(verification.phone, now)
    except LimitExceeded:
        await _give_check_back(verification)
        raise
    return CheckClaim.CLAIMED


async def refund_check(verification: Verification, now: datetime) -> None:
    """The check claimed at ``now`` surely did not reach the vendor: give it back."""
    await _give_check_back(verification)
    await limits.refund_check(verification.phone, now)


async def _give_check_back(verification: Verification) -> None:
    verification.checks -= 1
    await _row(verification).update(checks=F("checks") - 1)


async def record_wrong_check(verification: Verification) -> int:
    """The code was wrong: how many checks are left."""
    if not verification.checks_left:
        await exhaust(verification)
    return verification.checks_left


async def exhaust(verification: Verification) -> None:
    """No checks are left: a new code only after this one's window, as at the vendor."""
    verification.checks = CHECKS_PER_VERIFICATION
    await _pending(verification).update(checks=CHECKS_PER_VERIFICATION)


# The end of a verification


async def approve(verification: Verification) -> bool:
    """The code was right: whether this call used it, which happens once."""
    used = await run(
        "UPDATE verifications SET outcome = $2, receipt_due_at ="
        " CASE WHEN message = '' THEN NULL ELSE sent_at END"  # for ``report_success``
        " WHERE id = $1 AND outcome = $3 RETURNING id",
        verification.id,
        Outcome.APPROVED,
        Outcome.PENDING,
    )
    if used:
        verification.outcome = Outcome.APPROVED
    return bool(used)


async def record_email_conflict(verification: Verification) -> None:
    """The code was right, but another account has the email."""
    verification.outcome = Outcome.EMAIL_TAKEN
    await _row(verification).update(outcome=Outcome.EMAIL_TAKEN)


async def record_full_phone(verification: Verification) -> None:
    """The code was right, but the phone may have no further account."""
    verification.outcome = Outcome.PHONE_FULL
    await _row(verification).update(outcome=Outcome.PHONE_FULL)


async def expire(verification: Verification, now: datetime) -> None:
    """The code is over at the vendor: a new one may be asked for at once."""
    verification.expires_at = verification.next_send_at = now
    await _pending(verification).update(expires_at=now, next_send_at=now)


async def replace_pending(user: User) -> Verification | None:
    """End the user's pending verification, whose number was changed: the one ended, if any."""
    rows = await run(
        "UPDATE verifications SET outcome = $3"
        " WHERE user_id = $1 AND purpose = $4 AND outcome = $2 RETURNING *",
        user.id,
        Outcome.PENDING,
        Outcome.REPLACED,
        Purpose.SIGN_UP,
    )
    return loaded(Verification, rows[0]) if rows else None


async def reinstate(former: Verification, failed: Verification) -> None:
    """Let the ``former`` verification count again in place of ``failed``, which is deleted."""
    former.outcome = Outcome.PENDING
    await _row(failed).delete()
    await _row(former).update(outcome=Outcome.PENDING)
