"""Folds the claimed emails anew: lower case instead of case folding, without invisible letters.

Only addresses that are not all ASCII can change. Where another account already has the new form,
which both looked like, each keeps what it has.
"""

import re
import unicodedata

from tortoise import migrations
from tortoise.migrations import operations as ops

CANDIDATES = {
    "postgres": "octet_length(email) <> char_length(email)",
    "sqlite": "length(CAST(email AS BLOB)) <> length(email)",
}

# As webapp/accounts/people had it when this was written; a migration imports nothing that changes.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\u2800\U0001d159]"
)


def fold(email: str) -> str:
    letters = INVISIBLE.sub("", unicodedata.normalize("NFKC", email))
    seen = "".join(letter for letter in letters if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", seen.lower())


async def fold_anew(_apps, editor) -> None:
    client = editor.client
    dialect = client.capabilities.dialect
    first, second = ("$1", "$2") if dialect == "postgres" else ("?1", "?2")
    update = (
        f"UPDATE users SET claimed_email = {first} WHERE id = {second}"
        f" AND NOT EXISTS (SELECT 1 FROM users WHERE claimed_email = {first})"
    )
    claimed = await client.execute_query_dict(
        "SELECT id, email, claimed_email FROM users"
        f" WHERE claimed_email IS NOT NULL AND {CANDIDATES[dialect]} ORDER BY verified_at, id"
    )
    for row in claimed:
        if fold(row["email"]) != row["claimed_email"]:
            await client.execute_query(update, [fold(row["email"]), row["id"]])


def keep(_apps, _editor) -> None:
    """Going back needs nothing: the former release compares what it writes itself."""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [ops.RunPython(fold_anew, keep)]
