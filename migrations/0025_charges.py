"""A receipt knows when the vendor is to be asked what the message cost."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0024_receipts")]

    initial = False

    operations = [
        ops.AddField(
            model_name="StoredReceipt",
            name="price_due_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddIndex(
            model_name="StoredReceipt",
            index=Index(fields=["price_due_at"]),
        ),
    ]
