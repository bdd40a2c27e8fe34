"""The table of passkeys: the public keys by which people sign in without password and code."""

from datetime import datetime
from typing import NamedTuple

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.people.users import User
from webapp.accounts.statements import add_unless_there, columns_of, loaded, run

LONGEST_ID = 1364  # in base64url: WebAuthn allows 1023 bytes
NAME_LENGTH = 60


class Passkey(Model):
    """One passkey of one account.

    ``credential_id`` is in base64url, as browsers write it. ``sign_count`` is the authenticator's
    own count of its signatures, and stays 0 for passkeys that are synchronised between devices.
    """

    credential_id = fields.CharField(max_length=LONGEST_ID, primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "accounts.User", related_name="passkeys"
    )
    user_id: int
    name = fields.CharField(max_length=NAME_LENGTH)
    public_key = fields.BinaryField()
    sign_count = fields.BigIntField(default=0)
    transports = fields.CharField(max_length=100, default="")  # such as "internal,hybrid"
    created_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "passkeys"
        indexes = (Index(fields=("user_id", "created_at")),)


class Owned(NamedTuple):
    """A passkey and the person who has it."""

    passkey: Passkey
    user: User


async def insert(passkey: Passkey) -> bool:
    """Save a new passkey: False where an account, this one or another, has it already."""
    return await add_unless_there(passkey)


async def of_user(user_id: int) -> list[Passkey]:
    """The passkeys of an account, the oldest first."""
    return await Passkey.filter(user_id=user_id).order_by("created_at")


async def find(credential_id: str) -> Owned | None:
    """The passkey with this id, if its account is verified."""
    rows = await run(
        f"SELECT users.*, {columns_of(Passkey, 'passkey')}"  # noqa: S608
        " FROM passkeys passkey JOIN users ON users.id = passkey.user_id"
        " WHERE passkey.credential_id = $1 AND users.verified_at IS NOT NULL",
        credential_id,
    )
    if not rows:
        return None
    return Owned(loaded(Passkey, rows[0], "passkey_"), loaded(User, rows[0]))


async def record_use(passkey: Passkey, sign_count: int, now: datetime) -> bool:
    """Note that ``passkey`` signed, and what its authenticator counts now.

    False where it was removed or has signed since it was read. Of two answers with the same count
    one is a copy's (WebAuthn Level 3, 6.1.1); authenticators that do not count always say 0.
    """
    return bool(
        await run(
            "UPDATE passkeys SET sign_count = $2, last_used_at = $3"
            " WHERE credential_id = $1 AND (sign_count < $2 OR sign_count = 0 AND $2 = 0)"
            " RETURNING credential_id",
            passkey.credential_id,
            sign_count,
            now,
        )
    )


async def remove(user_id: int, credential_id: str) -> bool:
    """Remove a passkey of this account: False where it has none with this id."""
    return bool(
        await run(
            "DELETE FROM passkeys WHERE credential_id = $1 AND user_id = $2 RETURNING user_id",
            credential_id,
            user_id,
        )
    )
