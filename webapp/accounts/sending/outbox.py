"""The table of texts that must go out once, whatever happens to the process that wrote them."""

from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.statements import add, loaded, run


class MessageState(StrEnum):
    """Where a text of the outbox is."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"  # the vendor did not answer, and cannot tell whether it has the text


class OutboxMessage(Model):
    """A text, written in the transaction that is the reason for it.

    ``next_attempt_at`` is also the lease: whoever takes a message moves it into the future.
    ``tried_at`` is set when a worker leases the message, and cleared if the send definitely failed.
    Where it is set, look the message up at the vendor before sending it again.
    """

    id = fields.BigIntField(primary_key=True)
    to = fields.CharField(max_length=16)
    body = fields.CharField(max_length=1600)
    state = fields.CharEnumField(MessageState, "", max_length=8, default=MessageState.PENDING)
    attempts = fields.SmallIntField(default=0)
    reference = fields.CharField(max_length=64, default="")
    created_at = fields.DatetimeField()
    next_attempt_at = fields.DatetimeField()
    tried_at = fields.DatetimeField(null=True)
    done_at = fields.DatetimeField(null=True)

    class Meta:
        table = "outbox"
        indexes = (Index(fields=("state", "next_attempt_at")), Index(fields=("done_at",)))


async def write(to: str, body: str, now: datetime) -> None:
    """Put a text into the transaction that is open here; it is sent once that is committed."""
    await add(OutboxMessage(to=to, body=body, created_at=now, next_attempt_at=now))


async def lease(most: int, now: datetime, until: datetime) -> list[OutboxMessage]:
    """Take at most ``most`` messages that are due; nobody else takes them before ``until``.

    In the table each has ``tried_at`` from here on, in case this process ends before it can tell
    what became of the message; here it is None where nobody took the message before.
    """
    rows = await run(
        "UPDATE outbox SET next_attempt_at = $1, attempts = attempts + 1,"
        " tried_at = COALESCE(tried_at, $2) WHERE id IN"
        " (SELECT id FROM outbox WHERE state = $3 AND next_attempt_at <= $4"
        " ORDER BY next_attempt_at LIMIT $5 FOR UPDATE SKIP LOCKED) RETURNING *",
        until,
        now,
        MessageState.PENDING,
        now,
        most,
    )
    messages = [loaded(OutboxMessage, row) for row in rows]
    for message in messages:
        if message.tried_at == now:
            message.tried_at = None
    return messages


async def record_sent(message: OutboxMessage, reference: str, now: datetime) -> None:
    """The vendor has the text, under ``reference``."""
    await run(
        "UPDATE outbox SET state = $2, reference = $3, done_at = $4 WHERE id = $1",
        message.id,
        MessageState.SENT,
        reference,
        now,
    )


async def record_end(message: OutboxMessage, state: MessageState, now: datetime) -> None:
    """Nothing more is done about the text: it failed, or nobody can tell whether it was sent."""
    await OutboxMessage.filter(id=message.id).update(
        state=state, done_at=now, tried_at=message.tried_at
    )


async def postpone(message: OutboxMessage, until: datetime) -> None:
    """Give the lease back: the message is due at ``until``. Saves ``tried_at`` as it is here."""
    await OutboxMessage.filter(id=message.id).update(
        next_attempt_at=until, tried_at=message.tried_at
    )
