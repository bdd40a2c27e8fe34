"""The table of messages that must be delivered, whatever happens to the process that wrote them."""

from datetime import datetime
from enum import StrEnum
from secrets import token_hex

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model
from tortoise.queryset import QuerySet

from webapp.accounts.statements import add, add_for, loaded, run


class MessageChannel(StrEnum):
    """What kind of message it is, and so who delivers it."""

    TEXT = "text"
    EMAIL = "email"
    WEBHOOK = "webhook"


class MessageState(StrEnum):
    """Where a message of the outbox is."""

    PENDING = "pending"  # a text that is not delivered yet
    QUEUED = "queued"  # the same of any other message; see ``OutboxMessage``
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"  # the vendor did not answer, and cannot tell whether it has the text


class OutboxMessage(Model):
    """A message, written in the transaction that is the reason for it.

    ``next_attempt_at`` is also the lease: whoever takes a message moves it into the future, again
    and again while it is in flight.
    ``tried_at`` is set when a worker leases the message, and cleared if the send definitely failed.
    Where it is set, ask the vendor for the message before sending it again, if the vendor can tell.

    During a deploy, processes of the release that only knew texts run beside us. They take every
    message that is ``PENDING`` for a text, so other messages wait as ``QUEUED``; and what they
    write lacks the columns with a ``db_default``.
    """

    id = fields.BigIntField(primary_key=True)
    channel = fields.CharEnumField(
        MessageChannel, "", max_length=8, default=MessageChannel.TEXT, db_default="text"
    )
    # Random, and the same for every attempt: by it a receiver recognises a repeat.
    uid = fields.CharField(max_length=32, default=lambda: token_hex(16), db_default="")
    to = fields.CharField(max_length=254)
    subject = fields.CharField(max_length=254, default="", db_default="")  # of an email
    body = fields.TextField()
    html = fields.TextField(default="", db_default="")  # of an email: the body as HTML
    state = fields.CharEnumField(MessageState, "", max_length=8, default=MessageState.PENDING)
    attempts = fields.SmallIntField(default=0)
    reference = fields.CharField(max_length=64, default="")
    # The messenger that was asked last, where it is not the first of the settings.
    vendor = fields.CharField(max_length=16, default="", db_default="")
    created_at = fields.DatetimeField()
    next_attempt_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)  # not sent later, as nobody can use it
    tried_at = fields.DatetimeField(null=True)
    done_at = fields.DatetimeField(null=True)

    class Meta:
        table = "outbox"
        indexes = (
            Index(fields=("state", "next_attempt_at")),
            Index(fields=("done_at",)),
            Index(fields=("to", "created_at")),
        )


async def write(message: OutboxMessage, for_user: int | None = None) -> None:
    """Put a message into the transaction that is open here; it is sent once that is committed.

    ``for_user``: only if there is a user with this id. The same statement runs where there is none.
    """
    text = message.channel is MessageChannel.TEXT
    message.state = MessageState.PENDING if text else MessageState.QUEUED
    if for_user is None:
        await add(message)
    else:
        await add_for(for_user, message)


def texts_to(*phones: str) -> QuerySet[OutboxMessage]:
    """The texts to these numbers, sent or not."""
    return OutboxMessage.filter(to__in=phones, channel=MessageChannel.TEXT)


def emails_to(*addresses: str) -> QuerySet[OutboxMessage]:
    """The emails to these addresses, sent or not."""
    return OutboxMessage.filter(to__in=addresses, channel=MessageChannel.EMAIL)


def webhooks_about(subject: str) -> QuerySet[OutboxMessage]:
    """The webhooks about this person that wait; of those that are done no words are kept."""
    return OutboxMessage.filter(
        channel=MessageChannel.WEBHOOK, state=MessageState.QUEUED, body__contains=subject
    )


async def emails_since(address: str, since: datetime) -> list[datetime]:
    """When emails to ``address`` were written, from ``since`` on and the oldest first."""
    emails = emails_to(address).filter(created_at__gt=since).order_by("created_at")
    return [email.created_at for email in await emails.only("created_at")]


async def texts_since(phone: str, since: datetime) -> int:
    """How many texts to ``phone`` were written from ``since`` on."""
    return await texts_to(phone).filter(created_at__gt=since).count()


async def lease(
    channel: MessageChannel, most: int, now: datetime, until: datetime
) -> list[OutboxMessage]:
    """Take at most ``most`` messages that are due; nobody else takes them before ``until``.

    In the table each has ``tried_at`` from here on, in case this process ends before it can tell
    what became of the message; here it is None where nobody took the message before.
    """
    rows = await run(
        "UPDATE outbox SET next_attempt_at = $1, attempts = attempts + 1,"
        " tried_at = COALESCE(tried_at, $2) WHERE id IN"
        " (SELECT id FROM outbox WHERE state IN ($3, $4) AND channel = $5 AND next_attempt_at <= $6"
        " ORDER BY next_attempt_at LIMIT $7 FOR UPDATE SKIP LOCKED) RETURNING *",
        until,
        now,
        MessageState.PENDING,
        MessageState.QUEUED,
        channel,
        now,
        most,
    )
    messages = [loaded(OutboxMessage, row) for row in rows]
    for message in messages:
        if message.tried_at == now:
            message.tried_at = None
    return messages


async def renew(messages: list[OutboxMessage], until: datetime, renewed: datetime) -> None:
    """Lengthen the leases until ``until`` to ``renewed``, but of what was postponed or is done."""
    await OutboxMessage.filter(
        id__in=[message.id for message in messages], next_attempt_at=until, done_at=None
    ).update(next_attempt_at=renewed)


async def record_sent(message: OutboxMessage, reference: str, now: datetime) -> None:
    """The vendor has the message, under ``reference``."""
    body, html = kept_words(message)
    await run(
        "UPDATE outbox SET state = $2, reference = $3, done_at = $4, body = $5, html = $6"
        " WHERE id = $1",
        message.id,
        MessageState.SENT,
        reference,
        now,
        body,
        html,
    )


async def record_end(message: OutboxMessage, state: MessageState, now: datetime) -> None:
    """Nothing more is done about the message: it failed, or nobody can tell if it was sent."""
    body, html = kept_words(message)
    await OutboxMessage.filter(id=message.id).update(
        state=state, done_at=now, tried_at=message.tried_at, body=body, html=html
    )


def kept_words(message: OutboxMessage) -> tuple[str, str]:
    """Body and HTML as they stay in the table once the message is done.

    Empty where they may hold a link that still works, as emails and some texts do, and for
    webhooks, which tell of a person.
    """
    keeps = message.channel is MessageChannel.TEXT and "://" not in message.body
    return (message.body, message.html) if keeps else ("", "")


async def record_vendor(message: OutboxMessage, vendor: str) -> None:
    """Save who is asked to send the message, before that; empty for the first messenger."""
    message.vendor = vendor
    await OutboxMessage.filter(id=message.id).update(vendor=vendor)


async def postpone(message: OutboxMessage, until: datetime) -> None:
    """Give the lease back: the message is due at ``until``. Saves ``tried_at`` as it is here."""
    await OutboxMessage.filter(id=message.id).update(
        next_attempt_at=until, tried_at=message.tried_at
    )
