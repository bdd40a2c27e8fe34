"""`report`: what was asked for, sent, refused and paid on one day, by country and by prefix."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta

from webapp.accounts.history import events, totals
from webapp.accounts.history.events import PrefixRow
from webapp.accounts.history.reasons import BY_ID, Reason
from webapp.accounts.history.totals import Row, in_money
from webapp.accounts.sending.carriers import NOTICE
from webapp.operate import CommandError

DAY = timedelta(days=1)
COLUMNS = ("asked", "sent", "notices", "delivered", "failed", "verified", "refused")
ALL = "all"
MOST_PREFIXES = 10


def read_day(typed: str, today: date) -> date:
    """``typed``: today, yesterday, or a date. Raises ``CommandError``."""
    if typed in ("today", "yesterday"):
        return today if typed == "today" else today - DAY
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise CommandError(f"{typed!r} is no day: write today, yesterday or 2026-01-31") from None


async def report(day: date, currency: str) -> list[str]:
    """The lines of the report for one day (UTC)."""
    rows = await totals.of_day(day)
    since = datetime.combine(day, time(), UTC)
    prefixes = await events.by_prefix(since, since + DAY)
    return [
        f"{day} (UTC)",
        "",
        *_table(_by_country(rows, currency)),
        "",
        *_table(_refusals(rows)),
        "",
        *_table(_prefixes(prefixes)),
    ]


def _by_country(rows: Iterable[Row], currency: str) -> list[list[str]]:
    """A line for each country that something happened in, and one for all."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        for country in (row.country, ALL):
            line = counts.setdefault(country, Counter())
            line[column_of(row.reason, row.channel)] += row.times
            line["money"] += row.money
    return [
        ["country", *COLUMNS, currency],
        *(
            [country, *(str(line[column]) for column in COLUMNS), f"{in_money(line['money']):.2f}"]
            for country, line in sorted(counts.items(), key=lambda item: (item[0] == ALL, item[0]))
        ),
    ]


def column_of(reason_id: str, channel: str) -> str:
    """The column that an event is counted in; empty for none."""
    reason = BY_ID.get(reason_id)
    if reason and reason.is_refusal:
        return "refused"
    if reason is Reason.SENT and channel == NOTICE:
        return "notices"
    return reason_id if reason_id in COLUMNS else ""


def _refusals(rows: Iterable[Row]) -> list[list[str]]:
    """A line for each reason, the most frequent first, with a column for each country."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if column_of(row.reason, row.channel) == "refused":
            counts[row.reason, row.country] += row.times
            counts[row.reason, ALL] += row.times
    countries = sorted({country for _, country in counts} - {ALL})
    reasons = sorted({reason for reason, _ in counts}, key=lambda name: (-counts[name, ALL], name))
    if not reasons:
        return [["Nothing was refused."]]
    return [
        ["refused", ALL, *countries],
        *(
            [reason, *(str(counts[reason, country]) for country in (ALL, *countries))]
            for reason in reasons
        ),
    ]


def _prefixes(rows: Iterable[PrefixRow]) -> list[list[str]]:
    """The prefixes with the most codes that were sent and not entered, or were refused."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        line = counts.setdefault((row.prefix, row.country), Counter())
        line[column_of(row.reason, row.channel)] += row.times
    wasted = {where: _wasted(line) for where, line in counts.items()}
    worst = sorted((where for where in wasted if wasted[where] > 0), key=lambda one: -wasted[one])
    if not worst:
        return [["No prefix has codes that were not entered, or were refused."]]
    shown = ("asked", "sent", "verified", "refused")
    return [
        ["prefix", "country", *shown],
        *(
            [*where, *(str(counts[where][column]) for column in shown)]
            for where in worst[:MOST_PREFIXES]
        ),
    ]


def _wasted(line: Counter[str]) -> int:
    return max(0, line["sent"] - line["verified"]) + line["refused"]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with their columns aligned: the first to the left, all others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
