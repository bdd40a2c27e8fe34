"""The table of challenges: the random bytes that a passkey signs, each good for one answer."""

import hashlib
from datetime import datetime
from enum import StrEnum
from secrets import token_bytes

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import PASSKEY_CHALLENGE_LIFETIME
from webapp.accounts.statements import add, run

CHALLENGE_BYTES = 32


class Purpose(StrEnum):
    """What the answer to a challenge does."""

    ADD = "add"  # gives an account a new passkey
    SIGN_IN = "sign_in"
    PROVE = "prove"  # proves again who is signed in


class PasskeyChallenge(Model):
    """A challenge that was given out and not answered yet. The table has only its hash."""

    challenge_hash = fields.CharField(max_length=64, primary_key=True)
    purpose = fields.CharEnumField(Purpose, "", max_length=8)
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "accounts.User", related_name="passkey_challenges", null=True
    )
    user_id: int | None  # None at sign-in, when nobody is known yet
    expires_at = fields.DatetimeField()

    class Meta:
        table = "passkey_challenges"
        indexes = (Index(fields=("user_id",)), Index(fields=("expires_at",)))


async def issue(purpose: Purpose, user_id: int | None, now: datetime) -> bytes:
    """A new challenge for this purpose, and for this account alone where one is given."""
    challenge = token_bytes(CHALLENGE_BYTES)
    await add(
        PasskeyChallenge(
            challenge_hash=_hash(challenge),
            purpose=purpose,
            user_id=user_id,
            expires_at=now + PASSKEY_CHALLENGE_LIFETIME,
        )
    )
    return challenge


async def use(challenge: bytes, purpose: Purpose, user_id: int | None, now: datetime) -> bool:
    """Delete the challenge, whether or not its answer turns out to be right.

    Returns False if it is unknown, used or expired, or was issued for another purpose or user. Of
    several requests at once one gets True.
    """
    return bool(
        await run(
            "DELETE FROM passkey_challenges WHERE challenge_hash = $1 AND purpose = $2"
            " AND COALESCE(user_id, 0) = $3 AND expires_at > $4 RETURNING challenge_hash",
            _hash(challenge),
            purpose,
            user_id or 0,
            now,
        )
    )


def _hash(challenge: bytes) -> str:
    return hashlib.sha256(challenge).hexdigest()
