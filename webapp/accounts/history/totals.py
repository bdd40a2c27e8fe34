"""The table of totals by day, country, channel and reason. They stay, and hold nothing personal."""

from datetime import date
from typing import NamedTuple

from tortoise import fields
from tortoise.models import Model

from webapp.accounts.statements import run

ALL_DAYS = date(1970, 1, 1)
"""The ``day`` of the row that sums up all days: counters that are read without a scan."""

MILLION = 1_000_000


class DailyTotal(Model):
    """How often something happened on one day (UTC) in one country. Holds nothing personal.

    ``money`` is in millionths of the currency.
    """

    id = fields.BigIntField(primary_key=True)
    day = fields.DateField()
    country = fields.CharField(max_length=2)  # ISO 3166, or ZZ
    channel = fields.CharField(max_length=8)  # of a message: sms, call, or notice; else empty
    reason = fields.CharField(max_length=32)
    count = fields.BigIntField()
    money = fields.BigIntField()

    class Meta:
        table = "daily_totals"
        unique_together = (("day", "country", "channel", "reason"),)


class Total(NamedTuple):
    """What a ``DailyTotal`` counts."""

    day: date
    country: str
    channel: str
    reason: str


class Sum(NamedTuple):
    """How often, and for how much money in millionths."""

    times: int
    money: int


class Row(NamedTuple):
    """A total of one day, as it is read."""

    country: str
    channel: str
    reason: str
    times: int
    money: int


ADD_TOTAL = (
    "INSERT INTO daily_totals (day, country, channel, reason, count, money)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (day, country, channel, reason) DO UPDATE"
    " SET count = daily_totals.count + excluded.count, money = daily_totals.money + excluded.money"
)


async def of_day(day: date) -> list[Row]:
    """The totals of one day, or of ``ALL_DAYS``."""
    rows = await run(
        "SELECT country, channel, reason, count AS times, money FROM daily_totals WHERE day = $1",
        day,
    )
    return [Row(**row) for row in rows]


def in_money(millionths: int) -> float:
    """An amount as people write it."""
    return millionths / MILLION
