"""Links that are emailed, when a person confirmed their email by one, and how many were sent."""

from enum import StrEnum

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Purpose(StrEnum):
    CONFIRM_EMAIL = "confirm_email"
    RESET_PASSWORD = "reset_password"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_messages")]

    initial = False

    operations = [
        ops.AddField(
            model_name="User",
            name="email_confirmed_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddIndex(
            model_name="OutboxMessage",
            index=Index(fields=["to", "created_at"]),
        ),
        ops.CreateModel(
            name="Link",
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
                        related_name="links",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "purpose",
                    fields.CharEnumField(description="", enum_type=Purpose, max_length=24),
                ),
                ("address", fields.CharField(max_length=254)),
                ("account_digest", fields.CharField(max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "links",
                "app": "accounts",
                "indexes": [
                    Index(fields=["user_id", "purpose", "created_at"]),
                    Index(fields=["expires_at"]),
                ],
                "pk_attr": "token_hash",
                "table_description": "A link that was emailed to ``address``.",
            },
            bases=["Model"],
        ),
    ]
