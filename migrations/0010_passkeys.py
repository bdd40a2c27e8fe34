"""Passkeys, and the challenges that they answer."""

from enum import StrEnum

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Purpose(StrEnum):
    SIGN_IN = "sign_in"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_verifications_purge")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Passkey",
            fields=[
                (
                    "credential_id",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=1364),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "accounts.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="passkeys",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=60)),
                ("public_key", fields.BinaryField()),
                ("sign_count", fields.BigIntField(default=0)),
                ("transports", fields.CharField(default="", max_length=100)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "last_used_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "passkeys",
                "app": "accounts",
                "indexes": [Index(fields=["user_id", "created_at"])],
                "pk_attr": "credential_id",
                "table_description": "One passkey of one account.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PasskeyChallenge",
            fields=[
                (
                    "challenge_hash",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("purpose", fields.CharEnumField(description="", enum_type=Purpose, max_length=8)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "accounts.User",
                        source_field="user_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="passkey_challenges",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "passkey_challenges",
                "app": "accounts",
                "indexes": [Index(fields=["user_id"]), Index(fields=["expires_at"])],
                "pk_attr": "challenge_hash",
                "table_description": "A challenge that was given out and not answered yet. The table has only its hash.",
            },
            bases=["Model"],
        ),
    ]
