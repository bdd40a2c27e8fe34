"""A view of the verified people, for whoever joins them by SQL.

PostgreSQL and SQLite change no column that a view reads: a migration that does drops the view
first, and makes it anew.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops

VIEW = """
    CREATE VIEW verified_people AS
    SELECT subject AS sub, name, email, email_confirmed_at IS NOT NULL AS email_confirmed, phone,
           verified_at
    FROM users WHERE verified_at IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0012_usage")]
    operations = [ops.RunSQL(VIEW, "DROP VIEW verified_people")]
