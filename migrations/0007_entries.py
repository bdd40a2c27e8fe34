"""The codes that were entered, so that each is checked once."""

from enum import StrEnum

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Answer(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_oidc")]
    operations = [
        ops.CreateModel(
            name="Entry",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                (
                    "verification",
                    fields.ForeignKeyField(
                        "accounts.Verification",
                        source_field="verification_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="entries",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("code_hash", fields.CharField(max_length=64)),
                (
                    "answer",
                    fields.CharEnumField(enum_type=Answer, description="", null=True, max_length=8),
                ),
                ("entered_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "entries",
                "app": "accounts",
                "unique_together": (("verification_id", "code_hash"),),
                "indexes": [Index(fields=["entered_at"])],
                "pk_attr": "id",
                "table_description": "One code, entered for one verification. ``code_hash`` is keyed: it does not tell the code.",
            },
            bases=["Model"],
        ),
    ]
