"""Who gets no text, because an operator said so."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_remembered_browser_name")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Block",
            fields=[
                (
                    "what",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=270),
                ),
                ("lowest", fields.CharField(null=True, max_length=32)),
                ("highest", fields.CharField(null=True, max_length=32)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ends_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "blocks",
                "app": "accounts",
                "indexes": [Index(fields=["lowest", "highest"]), Index(fields=["ends_at"])],
                "pk_attr": "what",
                "table_description": "One block: ``what`` is its kind and value, as in ``prefix:+23480``.",
            },
            bases=["Model"],
        ),
    ]
