"""Gives every user a subject: who the person is to other applications."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State

# Processes of the release before insert users without a subject: the database gives them one.
POSTGRES = (
    # One random value a row, of 122 bits, while the table is rewritten.
    "ALTER TABLE users ADD COLUMN subject VARCHAR(32) NOT NULL UNIQUE"
    " DEFAULT replace(gen_random_uuid()::text, '-', '')",
)
SQLITE = (
    # SQLite adds no column with a computed default, so a trigger takes the constant's place.
    "ALTER TABLE users ADD COLUMN subject VARCHAR(32) NOT NULL DEFAULT ''",
    "UPDATE users SET subject = lower(hex(randomblob(16)))",
    "CREATE UNIQUE INDEX uid_users_subject ON users (subject)",
    "CREATE TRIGGER users_subject AFTER INSERT ON users WHEN NEW.subject = ''"
    " BEGIN UPDATE users SET subject = lower(hex(randomblob(16))) WHERE id = NEW.id; END",
)


class AddSubject(ops.AddField):
    """The column, filled for the rows that are there and for those of older processes."""

    async def database_forward(
        self,
        app_label: str,
        old_state: State,
        new_state: State,
        state_editor: BaseSchemaEditor | None = None,
    ) -> None:
        """Run the statements one by one: Tortoise would split the trigger at its semicolon."""
        if state_editor is None:
            return
        statements = SQLITE if state_editor.DIALECT == "sqlite" else POSTGRES
        for statement in statements:
            await state_editor.client.execute_query(statement)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_claimed_email_fold")]

    initial = False

    operations = [
        AddSubject(
            model_name="User",
            name="subject",
            field=fields.CharField(unique=True, max_length=32),
        ),
    ]
