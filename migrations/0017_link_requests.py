"""How many links were asked for by people who are not signed in."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("accounts", "0016_blocks")]

    initial = False

    operations = [
        ops.CreateModel(
            name="LinkRequest",
            fields=[
                (
                    "key",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64),
                ),
                ("asked", fields.SmallIntField()),
                ("since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("next_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "link_requests",
                "app": "accounts",
                "indexes": [Index(fields=["since"])],
                "pk_attr": "key",
                "table_description": "The links asked for with one email in the day that began with the first of them.",
            },
            bases=["Model"],
        ),
    ]
