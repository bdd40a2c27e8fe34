"""What a remembered browser says of itself, for the list in which its owner sees it."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_history")]

    initial = False

    operations = [
        ops.AddField(
            model_name="RememberedBrowser",
            name="user_agent",
            field=fields.CharField(default="", db_default="", max_length=200),
        ),
    ]
