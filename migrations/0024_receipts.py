"""What became of messages: receipts, and what a verification needs for its own."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("accounts", "0023_country_prices")]

    initial = False

    operations = [
        ops.CreateModel(
            name="StoredReceipt",
            fields=[
                (
                    "message",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("state", fields.SmallIntField()),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "receipts",
                "app": "accounts",
                "indexes": [Index(fields=["at"])],
                "pk_attr": "message",
                "table_description": "The last word on a message, by the vendor's id of it. It names nobody.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Verification",
            name="delivery",
            field=fields.SmallIntField(default=0, db_default=0),
        ),
        ops.AddField(
            model_name="Verification",
            name="message",
            field=fields.CharField(default="", db_default="", max_length=64),
        ),
        ops.AddField(
            model_name="Verification",
            name="receipt_due_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddIndex(
            model_name="Verification",
            index=Index(fields=["message"]),
        ),
        ops.AddIndex(
            model_name="Verification",
            index=Index(fields=["receipt_due_at"]),
        ),
    ]
