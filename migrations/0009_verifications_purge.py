"""The purge finds old codes of sign-ins without reading the whole table."""

from tortoise import migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_sign_in")]

    initial = False

    operations = [
        ops.AddIndex(
            model_name="Verification",
            index=Index(fields=["purpose", "created_at"]),
        ),
    ]
