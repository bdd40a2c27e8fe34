"""The outbox takes emails and webhooks beside texts.

Processes of the release before run meanwhile. What they write is a text, by the defaults of the new
columns; messages of other channels wait in a state that they do not look for.
"""

from enum import StrEnum

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Channel(StrEnum):
    TEXT = "text"
    EMAIL = "email"
    WEBHOOK = "webhook"


class Widen(ops.AlterField):
    """Lets a column of text hold more.

    PostgreSQL rewrites nothing for it. SQLite ignores the length of a VARCHAR, and Tortoise would
    copy the table.
    """

    async def database_forward(self, app_label, old_state, new_state, state_editor=None) -> None:
        if state_editor and state_editor.DIALECT != "sqlite":
            await super().database_forward(app_label, old_state, new_state, state_editor)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_subject")]

    initial = False

    operations = [
        Widen(model_name="OutboxMessage", name="to", field=fields.CharField(max_length=254)),
        Widen(model_name="OutboxMessage", name="body", field=fields.TextField()),
        ops.AddField(
            model_name="OutboxMessage",
            name="channel",
            field=fields.CharEnumField(
                default=Channel.TEXT,
                db_default="text",
                description="",
                enum_type=Channel,
                max_length=8,
            ),
        ),
        ops.AddField(
            model_name="OutboxMessage",
            name="uid",
            field=fields.CharField(default="", db_default="", max_length=32),
        ),
        ops.AddField(
            model_name="OutboxMessage",
            name="subject",
            field=fields.CharField(default="", db_default="", max_length=254),
        ),
        ops.AddField(
            model_name="OutboxMessage",
            name="html",
            field=fields.TextField(default="", db_default=""),
        ),
        ops.AddField(
            model_name="OutboxMessage",
            name="expires_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
