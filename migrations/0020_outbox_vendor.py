"""A text knows its messenger where that is not the first one, which then is asked what became of it."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0019_known_browsers")]

    initial = False

    operations = [
        ops.AddField(
            model_name="OutboxMessage",
            name="vendor",
            field=fields.CharField(default="", db_default="", max_length=16),
        ),
    ]
