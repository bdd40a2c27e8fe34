"""Changes of number that wait, and recovery codes."""

from enum import StrEnum

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index


class State(StrEnum):
    WAITING = "waiting"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0020_outbox_vendor")]

    initial = False

    operations = [
        ops.CreateModel(
            name="PhoneChange",
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
                        related_name="waiting_phone_changes",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("phone", fields.CharField(max_length=16)),
                ("country", fields.CharField(max_length=2)),
                (
                    "state",
                    fields.CharEnumField(
                        default=State.WAITING, description="", enum_type=State, max_length=8
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("effective_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "phone_changes",
                "app": "accounts",
                "indexes": [
                    Index(fields=["user_id", "state"]),
                    Index(fields=["state", "effective_at"]),
                ],
                "pk_attr": "id",
                "table_description": "A number that proved itself, and replaces the user's at ``effective_at``.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="User",
            name="recovery_code_hash",
            field=fields.CharField(null=True, max_length=64),
        ),
    ]
