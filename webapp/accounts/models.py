"""The four things we keep, and the log of what was spent on them."""

from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class Outcome(StrEnum):
    """How a verification ended."""

    PENDING = "pending"
    APPROVED = "approved"  # the account was verified by it
    EMAIL_TAKEN = "email_taken"  # approved, but somebody else had verified the email first
    REPLACED = "replaced"  # by a later one: the number was changed, or the code expired


class Kind(StrEnum):
    """What an attempt was spent on."""

    SEND = "send"
    REJECTED = "refused"  # a send that the vendor turned down because of the number
    CHECK = "check"


class Delivery(StrEnum):
    """Where a text of the outbox is."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"  # the vendor did not answer, and cannot tell whether it has the text


class User(Model):
    """A person, verified or on the way there.

    ``claimed_email`` is the email folded for comparison, and null until the phone is proven. It is
    unique and nulls do not collide: an abandoned or hostile sign-up blocks nobody's email, and the
    first to verify has it.

    ``subject`` is who the person is to other applications: random, never changed, never given to
    anybody else. ``id`` counts, and would tell how many people there are.
    """

    id = fields.BigIntField(primary_key=True)
    subject = fields.CharField(max_length=32, unique=True)
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


class Verification(Model):
    """One effort to prove one phone, pinned to the provider and reference it began with."""

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "accounts.User", related_name="verifications"
    )
    user_id: int
    phone = fields.CharField(max_length=16)
    provider = fields.CharField(max_length=16)
    reference = fields.CharField(max_length=128, default="")
    sends = fields.SmallIntField(default=0)
    checks = fields.SmallIntField(default=0)
    outcome = fields.CharEnumField(Outcome, max_length=16, default=Outcome.PENDING)
    created_at = fields.DatetimeField()
    sent_at = fields.DatetimeField(null=True)  # the vendor said so; null while it never has
    next_send_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "verifications"
        indexes = (Index(fields=("user_id", "id")),)


class Session(Model):
    """A browser. The cookie holds the token, we hold its hash."""

    token_hash = fields.CharField(max_length=64, primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "accounts.User", related_name="sessions"
    )
    user_id: int
    created_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()

    class Meta:
        table = "sessions"
        indexes = (
            Index(fields=("user_id",)),
            Index(fields=("last_seen_at",)),
            Index(fields=("created_at",)),
        )


class Attempt(Model):
    """The log that the limits count: one row a send, one row a guess, kept for a day.

    It has no foreign keys on purpose. The purge of an abandoned sign-up must not give its sends
    and guesses back.
    """

    id = fields.BigIntField(primary_key=True)
    kind = fields.CharEnumField(Kind, max_length=8)
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


class OutboxMessage(Model):
    """A text that must go out once, whatever happens to the process that wrote it.

    ``next_attempt_at`` is also the lease: whoever takes a message moves it into the future.
    ``tried_at`` is set with it, and taken back where the vendor surely has not got the text: an
    attempt that finds it set asks the vendor first.
    """

    id = fields.BigIntField(primary_key=True)
    to = fields.CharField(max_length=16)
    body = fields.CharField(max_length=1600)
    state = fields.CharEnumField(Delivery, max_length=8, default=Delivery.PENDING)
    attempts = fields.SmallIntField(default=0)
    reference = fields.CharField(max_length=64, default="")
    created_at = fields.DatetimeField()
    next_attempt_at = fields.DatetimeField()
    tried_at = fields.DatetimeField(null=True)
    done_at = fields.DatetimeField(null=True)

    class Meta:
        table = "outbox"
        indexes = (Index(fields=("state", "next_attempt_at")), Index(fields=("done_at",)))
