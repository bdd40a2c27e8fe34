"""Limits count in rows by key and bucket instead of one row for each send and check."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class ForgetModel(ops.DeleteModel):
    """Deletes the model and leaves its table to the processes of the release before."""

    async def database_forward(self, app_label, old_state, new_state, state_editor=None) -> None:
        """Nothing: they count in it until the deploy is over."""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_session_notice")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Usage",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("key", fields.CharField(max_length=32)),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("newest_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("used", fields.BigIntField()),
            ],
            options={
                "table": "usage",
                "app": "accounts",
                "unique_together": (("key", "started_at"),),
                "indexes": [Index(fields=["started_at"])],
                "pk_attr": "id",
                "table_description": "The uses of one key in one bucket of its window.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Verification",
            name="unknown_sends",
            field=fields.SmallIntField(default=0, db_default=0),
        ),
        ForgetModel(name="Attempt"),
    ]
