"""A verification knows the network that asked for it, so that the limits can count by it."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0017_link_requests")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Verification",
            name="network",
            field=fields.CharField(default="", db_default="", max_length=16),
        ),
    ]
