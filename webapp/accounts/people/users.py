"""The table of people, verified or on the way there, and the statements that change it."""

from datetime import datetime
from enum import StrEnum
from secrets import token_hex
from typing import Self

from tortoise import fields
from tortoise.expressions import F
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.people.phones import Phone
from webapp.accounts.policy.rules import PHONE_CHANGES
from webapp.accounts.statements import add, run


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
    name = fields.CharField(max_length=200)
    email = fields.CharField(max_length=254)
    claimed_email = fields.CharField(max_length=254, null=True, unique=True)
    country = fields.CharField(max_length=2)
    phone = fields.CharField(max_length=16)
    phone_changes = fields.SmallIntField(default=0)
    password_hash = fields.CharField(max_length=255)
    vendor_account = fields.CharField(max_length=64, default="")
    signup_digest = fields.CharField(max_length=64, null=True, unique=True)
    created_at = fields.DatetimeField()
    verified_at = fields.DatetimeField(null=True)

    class Meta:
        table = "users"
        indexes = (
            Index(fields=("phone",)),
            Index(fields=("verified_at", "created_at")),  # the purge
        )

    @property
    def number(self) -> Phone:
        """The phone number with its country."""
        return Phone(self.phone, self.country)

    @classmethod
    async def of_signup(cls, digest: str) -> Self:
        """The user whose sign-up has this digest. Raises ``DoesNotExist``."""
        return await cls.get(signup_digest=digest)


class PhoneChange(StrEnum):
    """What came of a request to change a sign-up's number."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"  # it has this number already, or is verified
    LIMITED = "limited"  # it was changed ``PHONE_CHANGES`` times before


async def insert(user: User) -> None:
    """Save a new user. Raises ``IntegrityError`` if another has the same ``signup_digest``."""
    await add(user)


async def claim_account(user: User, phone: str, claimed_email: str, now: datetime) -> bool:
    """Mark the account verified and give it its email: whether this call did it.

    False if the account was verified already or has another number by now. Raises
    ``IntegrityError`` if another account has the email.
    """
    return bool(
        await run(
            "UPDATE users SET verified_at = $3, claimed_email = $4"
            " WHERE id = $1 AND phone = $2 AND verified_at IS NULL RETURNING id",
            user.id,
            phone,
            now,
            claimed_email,
        )
    )


async def change_phone(user: User, phone: Phone) -> PhoneChange:
    """Give an unverified user another number and count the change; ``user`` is up to date then."""
    pending = User.filter(id=user.id, verified_at__isnull=True).exclude(phone=phone.e164)
    changed = await pending.filter(phone_changes__lt=PHONE_CHANGES).update(
        phone=phone.e164,
        country=phone.country,
        vendor_account="",
        phone_changes=F("phone_changes") + 1,
    )
    if changed:
        await user.refresh_from_db()
        return PhoneChange.CHANGED
    return PhoneChange.LIMITED if await pending.exists() else PhoneChange.UNCHANGED


async def restore_phone(user_id: int, failed: str, former: Phone, *, refund_change: bool) -> bool:
    """Give an unverified user the ``former`` number back, if ``failed`` is still the one in use."""
    return bool(
        await User.filter(id=user_id, phone=failed, verified_at__isnull=True).update(
            phone=former.e164,
            country=former.country,
            vendor_account="",
            phone_changes=F("phone_changes") - int(refund_change),
        )
    )


async def keep_vendor_account(user: User, phone: str, account: str) -> None:
    """Keep the vendor's id for this person; of another number it would be another person's."""
    if account and account != user.vendor_account:
        await User.filter(id=user.id, phone=phone).update(vendor_account=account)
