from enum import StrEnum

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

# Copies of the enums as they were: a migration must run the same whatever becomes of the code.


class Delivery(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Kind(StrEnum):
    SEND = "send"
    REFUSED = "refused"
    CHECK = "check"


class Outcome(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    EMAIL_TAKEN = "email_taken"
    REPLACED = "replaced"


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="Attempt",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(description="", enum_type=Kind, max_length=8),
                ),
                ("phone", fields.CharField(max_length=16)),
                ("prefix", fields.CharField(max_length=8)),
                ("verification_id", fields.BigIntField()),
                ("proven", fields.BooleanField(default=False)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "attempts",
                "app": "accounts",
                "indexes": [
                    Index(fields=["phone", "kind", "at"]),
                    Index(fields=["prefix", "at"]),
                    Index(fields=["at"]),
                    Index(fields=["verification_id"]),
                ],
                "pk_attr": "id",
                "table_description": "The log that the limits count: one row a send, one row a check, kept for a day.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OutboxMessage",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("to", fields.CharField(max_length=16)),
                ("body", fields.CharField(max_length=1600)),
                (
                    "state",
                    fields.CharEnumField(
                        default=Delivery.PENDING,
                        description="",
                        enum_type=Delivery,
                        max_length=8,
                    ),
                ),
                ("attempts", fields.SmallIntField(default=0)),
                ("reference", fields.CharField(default="", max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("next_attempt_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("tried_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("done_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "outbox",
                "app": "accounts",
                "indexes": [Index(fields=["state", "next_attempt_at"]), Index(fields=["done_at"])],
                "pk_attr": "id",
                "table_description": "A message, written in the transaction that is the reason for it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("name", fields.CharField(max_length=200)),
                ("email", fields.CharField(max_length=254)),
                ("claimed_email", fields.CharField(null=True, unique=True, max_length=254)),
                ("country", fields.CharField(max_length=2)),
                ("phone", fields.CharField(max_length=16)),
                ("phone_changes", fields.SmallIntField(default=0)),
                ("password_hash", fields.CharField(max_length=255)),
                ("vendor_account", fields.CharField(default="", max_length=64)),
                ("signup_digest", fields.CharField(null=True, unique=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "verified_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "users",
                "app": "accounts",
                "indexes": [Index(fields=["phone"]), Index(fields=["verified_at", "created_at"])],
                "pk_attr": "id",
                "table_description": "A person, verified or on the way there.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Session",
            fields=[
                (
                    "token_hash",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "accounts.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="sessions",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("last_seen_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sessions",
                "app": "accounts",
                "indexes": [
                    Index(fields=["user_id"]),
                    Index(fields=["last_seen_at"]),
                    Index(fields=["created_at"]),
                ],
                "pk_attr": "token_hash",
                "table_description": "One browser that is signed in. The cookie holds the token, the table only its hash.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Verification",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "accounts.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="verifications",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("phone", fields.CharField(max_length=16)),
                ("provider", fields.CharField(max_length=16)),
                ("reference", fields.CharField(default="", max_length=128)),
                ("sends", fields.SmallIntField(default=0)),
                ("checks", fields.SmallIntField(default=0)),
                (
                    "outcome",
                    fields.CharEnumField(
                        default=Outcome.PENDING,
                        description="",
                        enum_type=Outcome,
                        max_length=16,
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("sent_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("next_send_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "verifications",
                "app": "accounts",
                "indexes": [Index(fields=["user_id", "id"])],
                "pk_attr": "id",
                "table_description": "One effort to verify one phone, tied to the provider and reference it began with.",
            },
            bases=["Model"],
        ),
    ]
