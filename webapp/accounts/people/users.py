"""The table of people, verified or on the way there, and the statements that change it."""

from copy import copy
from datetime import datetime
from secrets import token_hex
from typing import Any

from tortoise import fields
from tortoise.expressions import F
from tortoise.indexes import Index
from tortoise.models import Model
from tortoise.queryset import QuerySet

from webapp.accounts.people import emails
from webapp.accounts.people.phones import Phone
from webapp.accounts.policy import blocks
from webapp.accounts.policy.blocks import Subject
from webapp.accounts.policy.rules import PHONE_CHANGES
from webapp.accounts.statements import add, loaded, run
from webapp.database import become_writer, serialise

NAME_LENGTH = 200


def new_subject() -> str:
    """128 random bits."""
    return token_hex(16)


class User(Model):
    """A person, verified or on the way there.

    ``claimed_email`` is the email folded for comparison, and null until the phone is verified. The
    column is unique and nulls do not collide: an abandoned or hostile sign-up blocks nobody's
    email, and the first account to be verified has it.

    ``subject`` is who the person is to other applications: random, never changed, never given to
    anybody else. ``id`` counts, and would tell how many people there are.
    """

    id = fields.BigIntField(primary_key=True)
    subject = fields.CharField(max_length=32, unique=True, default=new_subject)
    name = fields.CharField(max_length=NAME_LENGTH)
    email = fields.CharField(max_length=emails.LONGEST)
    claimed_email = fields.CharField(max_length=emails.LONGEST, null=True, unique=True)
    country = fields.CharField(max_length=2)
    phone = fields.CharField(max_length=16)
    phone_changes = fields.SmallIntField(default=0)
    password_hash = fields.CharField(max_length=255)
    vendor_account = fields.CharField(max_length=64, default="")
    signup_digest = fields.CharField(max_length=64, null=True, unique=True)
    created_at = fields.DatetimeField()
    verified_at = fields.DatetimeField(null=True)
    email_confirmed_at = fields.DatetimeField(null=True)  # of ``email`` as it is
    recovery_code_hash = fields.CharField(max_length=64, null=True)

    class Meta:
        table = "users"
        indexes = (
            Index(fields=("phone",)),
            Index(fields=("verified_at", "created_at")),  # the purge
        )


async def insert(user: User) -> None:
    """Save a new user. Raises ``IntegrityError`` if another has the same ``signup_digest``."""
    await add(user)


def _pending(user: User) -> QuerySet[User]:
    return User.filter(id=user.id, verified_at__isnull=True)


async def pending(user: User) -> User | None:
    """The user as it is now; None where it was verified or purged."""
    return await _pending(user).first()


async def with_digest(digest: str) -> User | None:
    """The pending sign-up whose answers have this digest."""
    return await User.filter(signup_digest=digest, verified_at__isnull=True).first()


async def with_email(folded_email: str) -> User | None:
    """The verified account that has this email, folded for comparison."""
    rows = await run("SELECT * FROM users WHERE claimed_email = $1", folded_email)
    return loaded(User, rows[0]) if rows else None


async def with_email_unless_blocked(
    folded_email: str, subject: Subject, now: datetime
) -> User | None:
    """The same, and at once whether an operator blocks who asks: ``BlockedByOperator`` then."""
    rows = await run(WITH_EMAIL_AND_BLOCK, folded_email, *blocks.values_of(subject, now))
    if what := rows[0]["blocked_by"]:
        raise blocks.BlockedByOperator(what)
    return loaded(User, rows[0]) if rows[0]["id"] else None


WITH_EMAIL_AND_BLOCK = (
    f"SELECT ({blocks.lookup(after=1)}) AS blocked_by, users.* FROM (SELECT 1 AS one) AS asked"  # noqa: S608
    " LEFT JOIN users ON users.claimed_email = $1"
)


async def verified_with_phone(phone: str) -> list[User]:
    """The verified accounts with this number, the oldest first."""
    return await User.filter(phone=phone, verified_at__not_isnull=True).order_by("id")


async def save_password_hash(user: User, password_hash: str) -> None:
    """Replace the hash of the same password, unless the password was changed meanwhile."""
    await User.filter(id=user.id, password_hash=user.password_hash).update(
        password_hash=password_hash
    )


async def correct(user: User, columns: dict[str, Any]) -> bool:
    """Write ``columns`` into a pending sign-up; False if it is no longer pending.

    The row stays locked until the caller's transaction ends, so nobody verifies it meanwhile.
    """
    return bool(await _pending(user).update(**columns))


async def delete_pending(user: User) -> None:
    """Delete a sign-up that was not verified, with its sessions and verifications."""
    await _pending(user).delete()


async def delete(user: User) -> None:
    """Delete an account with all rows that belong to it."""
    await User.filter(id=user.id).delete()


async def change_phone(user: User, phone: Phone) -> bool:
    """Give a pending sign-up another number.

    False if it has that number, has changed its number as often as it may, or is no longer pending.
    """
    changeable = _pending(user).filter(phone_changes__lt=PHONE_CHANGES).exclude(phone=phone.e164)
    changed = await changeable.update(
        phone=phone.e164,
        country=phone.country,
        vendor_account="",
        phone_changes=F("phone_changes") + 1,
    )
    return bool(changed)


async def change_phone_back(user: User, failed: str, former: Phone, *, refund: bool) -> bool:
    """Undo a change to ``failed``, unless the number was changed again meanwhile.

    ``refund`` says that the change does not count.
    """
    changed = (
        await _pending(user)
        .filter(phone=failed)
        .update(
            phone=former.e164,
            country=former.country,
            vendor_account="",
            phone_changes=F("phone_changes") - int(refund),
        )
    )
    return bool(changed)


async def save_vendor_account(user: User, phone: str, account: str) -> None:
    """Save the vendor's id of the person who has ``phone``, unless the number was changed."""
    await User.filter(id=user.id, phone=phone).update(vendor_account=account)


async def claim(user: User, phone: str, now: datetime) -> bool:
    """Verify a pending sign-up by ``phone``, and claim its email.

    False where it is verified already, or has another number by now. Raises ``IntegrityError``
    where another account has claimed the email. The digest is cleared: a second
    sign-up with the same answers would take other steps, and tell a stranger who has an account.
    """
    claimed = await run(
        "UPDATE users SET verified_at = $3, claimed_email = $4, signup_digest = NULL"
        " WHERE id = $1 AND phone = $2 AND verified_at IS NULL RETURNING id",
        user.id,
        phone,
        now,
        emails.fold(user.email),
    )
    return bool(claimed)


async def is_phone_full(phone: str, most: int, own: int) -> bool:
    """Whether ``phone`` has ``most`` verified accounts besides that of the user ``own``."""
    [others] = await run(
        "SELECT COUNT(*) AS accounts FROM users"
        " WHERE phone = $1 AND verified_at IS NOT NULL AND id <> $2",
        phone,
        own,
    )
    return bool(others["accounts"] >= most)


async def lock_phone(phone: str) -> None:
    """Have transactions that count the accounts of ``phone`` wait for each other."""
    await serialise(f"accounts of {phone}")


async def get(user_id: int) -> User | None:
    """The user as it is now."""
    return await User.filter(id=user_id).first()


async def get_for_update(user_id: int) -> User | None:
    """The user as it is now, locked until the transaction that is open here ends."""
    await become_writer()
    return await User.filter(id=user_id).select_for_update().first()


async def change(user: User, columns: dict[str, Any]) -> User:
    """Write ``columns`` into the row of a user that the transaction open here has locked.

    Returns the user with them; ``user`` stays as it was before.
    """
    await User.filter(id=user.id).update(**columns)
    changed = copy(user)
    changed.update_from_dict(columns)
    return changed


async def use_recovery_code(user: User, code_hash: str, next_hash: str) -> bool:
    """Replace the recovery code by the next one. False if it is not the one that was used."""
    used = await run(
        "UPDATE users SET recovery_code_hash = $3 WHERE id = $1 AND recovery_code_hash = $2"
        " RETURNING id",
        user.id,
        code_hash,
        next_hash,
    )
    return bool(used)


async def confirm_email(user_id: int, address: str, now: datetime) -> bool:
    """Mark a user's email confirmed. False if it was already, or ``address`` is another by now."""
    confirmed = await run(
        "UPDATE users SET email_confirmed_at = $3"
        " WHERE id = $1 AND email = $2 AND email_confirmed_at IS NULL RETURNING id",
        user_id,
        address,
        now,
    )
    return bool(confirmed)
