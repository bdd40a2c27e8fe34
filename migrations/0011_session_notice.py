"""What the next page of a session says once."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_passkeys")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Session",
            name="notice",
            field=fields.CharField(default="", db_default="", max_length=32),
        ),
    ]
