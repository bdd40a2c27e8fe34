"""The table of codes as they were entered: each is checked once, however often it is sent.

A double click, a paste that submits itself and the press after it, a browser that lost our answer:
all send one code several times. The unique row of the first lets the others wait for its answer.
"""

from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.keyed_hash import keyed_hash
from webapp.accounts.statements import add_unless_there, run


class Answer(StrEnum):
    """What the vendor said of a code."""

    RIGHT = "right"
    WRONG = "wrong"


class Entry(Model):
    """One code, entered for one verification. ``code_hash`` is keyed: it does not tell the code."""

    id = fields.BigIntField(primary_key=True)
    verification: fields.ForeignKeyRelation[Verification] = fields.ForeignKeyField(
        "accounts.Verification", related_name="entries"
    )
    verification_id: int
    code_hash = fields.CharField(max_length=64)
    answer = fields.CharEnumField(Answer, "", max_length=8, null=True)  # null while it is checked
    entered_at = fields.DatetimeField()

    class Meta:
        table = "entries"
        unique_together = (("verification_id", "code_hash"),)
        indexes = (Index(fields=("entered_at",)),)  # the purge


def code_hash(verification: Verification, code: str, secret_key: str) -> str:
    """What is stored of ``code``. The reference tells a new code of a verification from the old."""
    return keyed_hash(secret_key, "entry", str(verification.id), verification.reference, code)


async def enter(verification: Verification, hashed: str, now: datetime) -> bool:
    """Note that a code is being checked: False if it was entered before.

    Waits for another transaction that enters the same code at the same time.
    """
    return await add_unless_there(
        Entry(verification_id=verification.id, code_hash=hashed, entered_at=now)
    )


async def find(verification: Verification, hashed: str) -> Entry | None:
    """The entry of this code, answered or not."""
    return await Entry.filter(verification_id=verification.id, code_hash=hashed).first()


async def record(verification: Verification, hashed: str, answer: Answer) -> None:
    """Save the answer for the requests that wait for it."""
    await run(
        "UPDATE entries SET answer = $3 WHERE verification_id = $1 AND code_hash = $2",
        verification.id,
        hashed,
        answer,
    )


async def withdraw(entry: Entry) -> None:
    """Delete an entry without an answer, so that its code can be checked again."""
    await Entry.filter(id=entry.id, answer=None).delete()
