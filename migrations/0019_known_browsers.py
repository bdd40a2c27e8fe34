"""Browsers that are known, and need a code all the same."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0018_network")]

    initial = False

    operations = [
        ops.AddField(
            model_name="RememberedBrowser",
            name="asks_code",
            field=fields.BooleanField(default=False, db_default=False),
        ),
    ]
