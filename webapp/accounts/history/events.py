"""The table of events of phones, which are kept for 30 days.

They are written in batches by ``History``, outside of the requests that they tell of.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model
from tortoise.transactions import in_transaction

from webapp.accounts.history.totals import ADD_TOTAL, ALL_DAYS, Sum, Total
from webapp.accounts.keyed_hash import keyed_hash
from webapp.accounts.statements import run, write_many

EVENTS_KEPT = timedelta(days=30)


class PhoneEvent(Model):
    """Something that happened to one phone, or that was refused to whoever entered it.

    ``phone_key`` is a keyed hash of the number, empty where none could be read. Neither the number
    nor the address is stored. ``times`` is how often it happened within one batch.
    """

    id = fields.BigIntField(primary_key=True)
    at = fields.DatetimeField()
    reason = fields.CharField(max_length=32)
    channel = fields.CharField(max_length=8)
    country = fields.CharField(max_length=2)
    prefix = fields.CharField(max_length=16)
    phone_key = fields.CharField(max_length=32)
    detail = fields.CharField(max_length=32)  # the vendor's own error code
    times = fields.IntField()

    class Meta:
        table = "phone_events"
        indexes = (
            Index(fields=("phone_key", "at")),
            Index(fields=("at",)),
        )


class NewEvent(NamedTuple):
    """A new row of ``phone_events``."""

    at: datetime
    reason: str
    channel: str
    country: str
    prefix: str
    phone_key: str
    detail: str
    times: int


INSERT_EVENT = (
    "INSERT INTO phone_events (at, reason, channel, country, prefix, phone_key, detail, times)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
)


async def write(events: Sequence[NewEvent], totals: Mapping[Total, Sum]) -> None:
    """Save a batch of events, and add ``totals`` to those of their day and of all days."""
    sums = dict(totals)
    for total, added in totals.items():
        add_to(sums, total._replace(day=ALL_DAYS), added)
    rows = sorted((*total, *added) for total, added in sums.items())  # so that none deadlock
    async with in_transaction():
        await write_many(INSERT_EVENT, events)
        await write_many(ADD_TOTAL, rows)


def add_to(sums: dict[Total, Sum], total: Total, added: Sum) -> None:
    """Add to one of the sums."""
    before = sums.get(total, Sum(0, 0))
    sums[total] = Sum(before.times + added.times, before.money + added.money)


def phone_key(phone: str, secret_key: str) -> str:
    """What stands for ``phone`` (E.164) in the table. Another ``SECRET_KEY`` makes others."""
    return keyed_hash(secret_key, "phone event", phone)[:32]


async def of_phone(phone_key: str, since: datetime) -> list[PhoneEvent]:
    """The events of one phone since then, the oldest first."""
    return await PhoneEvent.filter(phone_key=phone_key, at__gte=since).order_by("at", "id")


class PrefixRow(NamedTuple):
    """How often something happened to the numbers of one prefix."""

    prefix: str
    country: str
    channel: str
    reason: str
    times: int


async def by_prefix(since: datetime, until: datetime) -> list[PrefixRow]:
    """What happened from ``since`` until before ``until``, by the prefixes of the numbers."""
    rows = await run(
        "SELECT prefix, country, channel, reason, SUM(times) AS times FROM phone_events"
        " WHERE at >= $1 AND at < $2 AND prefix <> '' GROUP BY prefix, country, channel, reason",
        since,
        until,
    )
    return [PrefixRow(**row) for row in rows]
