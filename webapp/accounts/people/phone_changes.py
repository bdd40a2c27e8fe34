"""The table of changes of number that wait, because the former phone is lost and cannot agree.

Whether a change is made, stopped or replaced is decided by one conditional UPDATE of its state.
"""

from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.people.phones import Phone
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import PHONE_CHANGE_WAITS
from webapp.accounts.statements import add, run


class State(StrEnum):
    """The state of a change."""

    WAITING = "waiting"
    MADE = "made"
    STOPPED = "stopped"  # by its owner, by a later one, or by a change of the account


class PhoneChange(Model):
    """A number that proved itself, and replaces the user's at ``effective_at``."""

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "accounts.User", related_name="waiting_phone_changes"
    )
    user_id: int
    phone = fields.CharField(max_length=16)
    country = fields.CharField(max_length=2)
    state = fields.CharEnumField(State, "", max_length=8, default=State.WAITING)
    created_at = fields.DatetimeField()
    effective_at = fields.DatetimeField()

    class Meta:
        table = "phone_changes"
        indexes = (Index(fields=("user_id", "state")), Index(fields=("state", "effective_at")))


async def begin(user: User, phone: Phone, now: datetime) -> PhoneChange:
    """Have ``phone`` replace the number of ``user``, who is locked here, after the wait.

    It takes the place of a change that waits already.
    """
    await stop(user.id)
    change = PhoneChange(
        user_id=user.id,
        phone=phone.e164,
        country=phone.country,
        created_at=now,
        effective_at=now + PHONE_CHANGE_WAITS,
    )
    await add(change)
    return change


async def waiting(user: User) -> PhoneChange | None:
    """The change that waits for this user, if one does."""
    return await PhoneChange.filter(user_id=user.id, state=State.WAITING).first()


async def due(now: datetime, user: User | None = None) -> list[PhoneChange]:
    """The changes whose time has come, of ``user`` or of everybody."""
    changes = PhoneChange.filter(state=State.WAITING, effective_at__lte=now)
    return await (changes.filter(user_id=user.id) if user else changes)


async def make(change: PhoneChange, now: datetime) -> bool:
    """Mark a change made that is due. Returns True for the one call that did it."""
    made = await run(
        "UPDATE phone_changes SET state = $2 WHERE id = $1 AND state = $3 AND effective_at <= $4"
        " RETURNING id",
        change.id,
        State.MADE,
        State.WAITING,
        now,
    )
    return bool(made)


async def stop(user_id: int) -> bool:
    """Stop the change that waits: False where none did, or it was made a moment ago."""
    stopped = await run(
        "UPDATE phone_changes SET state = $2 WHERE user_id = $1 AND state = $3 RETURNING id",
        user_id,
        State.STOPPED,
        State.WAITING,
    )
    return bool(stopped)
