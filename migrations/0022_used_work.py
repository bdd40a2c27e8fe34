"""Proofs of work that were used, so that each counts once."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0021_phone_changes")]

    initial = False

    operations = [
        ops.CreateModel(
            name="UsedWork",
            fields=[
                (
                    "nonce",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=32),
                ),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "used_work",
                "app": "accounts",
                "indexes": [Index(fields=["expires_at"])],
                "pk_attr": "nonce",
                "table_description": "A challenge that was used. It counts once, in whichever process.",
            },
            bases=["Model"],
        ),
    ]
