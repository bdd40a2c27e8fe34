"""What became of every request for a code: events of phones, and totals by day."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_verified_people")]

    initial = False

    operations = [
        ops.CreateModel(
            name="PhoneEvent",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("reason", fields.CharField(max_length=32)),
                ("channel", fields.CharField(max_length=8)),
                ("country", fields.CharField(max_length=2)),
                ("prefix", fields.CharField(max_length=16)),
                ("phone_key", fields.CharField(max_length=32)),
                ("detail", fields.CharField(max_length=32)),
                ("times", fields.IntField()),
            ],
            options={
                "table": "phone_events",
                "app": "accounts",
                "indexes": [Index(fields=["phone_key", "at"]), Index(fields=["at"])],
                "pk_attr": "id",
                "table_description": "Something that happened to one phone, or that was refused to whoever entered it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DailyTotal",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("day", fields.DateField()),
                ("country", fields.CharField(max_length=2)),
                ("channel", fields.CharField(max_length=8)),
                ("reason", fields.CharField(max_length=32)),
                ("count", fields.BigIntField()),
                ("money", fields.BigIntField()),
            ],
            options={
                "table": "daily_totals",
                "app": "accounts",
                "unique_together": (("day", "country", "channel", "reason"),),
                "pk_attr": "id",
                "table_description": "How often something happened on one day (UTC) in one country. Holds nothing personal.",
            },
            bases=["Model"],
        ),
    ]
