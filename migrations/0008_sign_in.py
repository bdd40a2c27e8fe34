"""What sign-in needs: stages of a session, purposes of a code, remembered browsers, pauses."""

from enum import StrEnum

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Purpose(StrEnum):
    SIGN_UP = "sign_up"


class Stage(StrEnum):
    OPEN = "open"


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_entries")]

    initial = False

    operations = [
        ops.CreateModel(
            name="PasswordCheck",
            fields=[
                (
                    "key",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("in_a_row", fields.IntField()),
                ("next_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "password_checks",
                "app": "accounts",
                "indexes": [Index(fields=["next_at"])],
                "pk_attr": "key",
                "table_description": "The checks of one account, or of one remembered browser, since the last right password.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RememberedBrowser",
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
                        related_name="remembered_browsers",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "remembered_browsers",
                "app": "accounts",
                "indexes": [Index(fields=["user_id"]), Index(fields=["created_at"])],
                "pk_attr": "token_hash",
                "table_description": "A browser that proved the phone of one account lately.",
            },
            bases=["Model"],
        ),
        ops.AlterModelOptions(
            name="Session",
            options={
                "table": "sessions",
                "app": "accounts",
                "indexes": [
                    Index(fields=["user_id"]),
                    Index(fields=["last_seen_at"]),
                    Index(fields=["created_at"]),
                ],
                "pk_attr": "token_hash",
                "table_description": "One browser. The cookie holds the token, the table only its hash.",
            },
        ),
        ops.AddField(
            model_name="Session",
            name="proved_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Session",
            name="return_to",
            field=fields.TextField(default="", db_default=""),
        ),
        ops.AddField(
            model_name="Session",
            name="stage",
            field=fields.CharEnumField(
                default=Stage.OPEN,
                db_default="open",
                description="",
                enum_type=Stage,
                max_length=8,
            ),
        ),
        ops.AddField(
            model_name="Session",
            name="user_agent",
            field=fields.CharField(default="", db_default="", max_length=200),
        ),
        ops.AddField(
            model_name="Verification",
            name="purpose",
            field=fields.CharEnumField(
                default=Purpose.SIGN_UP,
                db_default="sign_up",
                description="",
                enum_type=Purpose,
                max_length=16,
            ),
        ),
    ]
