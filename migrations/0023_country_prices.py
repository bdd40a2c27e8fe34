"""What a text costs in each country, as the vendor's list told it last."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("accounts", "0022_used_work")]

    initial = False

    operations = [
        ops.CreateModel(
            name="CountryPrice",
            fields=[
                ("country", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=2)),
                ("millionths", fields.BigIntField()),
                ("currency", fields.CharField(max_length=3)),
                ("read_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "country_prices",
                "app": "accounts",
                "pk_attr": "country",
                "table_description": "The vendor's price for a text to one country, as it was read last.",
            },
            bases=["Model"],
        ),
    ]
