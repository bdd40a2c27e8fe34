"""The table of verifications: one effort each to verify one phone, and the steps it may take.

Many processes may work on one row at once. So no step reads, compares and saves: each is one
conditional UPDATE, and the request whose UPDATE matches the row has taken the step.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model
from tortoise.queryset import QuerySet

from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import (
    CHECKS_PER_VERIFICATION,
    SENDS_PER_VERIFICATION,
)
from webapp.accounts.statements import loaded, run

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
        """The sends that went out or may have gone out."""
        total: int = self.sends + self.unknown_sends
        return total

    @property
    def checks_left(self) -> int:
        """How many more codes may be checked."""
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
    """Refresh checks and outcome from the row, unless it was purged."""
    if row := await row_of(verification).first():
        verification.checks, verification.outcome = row.checks, row.outcome


def row_of(verification: Verification) -> QuerySet[Verification]:
    return Verification.filter(id=verification.id)


def pending_row(verification: Verification) -> QuerySet[Verification]:
    return row_of(verification).filter(outcome=Outcome.PENDING)


# The end of a verification


async def approve(verification: Verification) -> bool:
    """Mark the verification approved. Returns True for the one call that did it."""
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


async def end(verification: Verification, outcome: Outcome) -> None:
    """Save the ``outcome`` of a right code that did not verify the account."""
    verification.outcome = outcome
    await row_of(verification).update(outcome=outcome)


async def expire(verification: Verification, now: datetime) -> None:
    """The code no longer works at the vendor: a new one may be asked for at once."""
    verification.expires_at = verification.next_send_at = now
    await pending_row(verification).update(expires_at=now, next_send_at=now)


async def replace_pending(user: User) -> Verification | None:
    """Mark the pending verification of a sign-up replaced. Returns it, or None if there is none."""
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
    await row_of(failed).delete()
    await row_of(former).update(outcome=Outcome.PENDING)
