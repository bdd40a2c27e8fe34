"""A limit is exact however many count at once, and wherever the time is divided."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from webapp.accounts.policy import usage
from webapp.accounts.policy.rules import BudgetSpent, LimitExceeded
from webapp.accounts.policy.usage import BUCKETS, Limit, Scope, Usage
from webapp.accounts.statements import run

HOUR = timedelta(hours=1)
ONE = Limit(Scope.SITE, "", 1, HOUR, BudgetSpent)
MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)  # where two buckets meet
MOMENT = timedelta(milliseconds=5)


async def outcome(limit: Limit, now: datetime) -> type[Exception] | None:
    """None where a use was reserved."""
    try:
        await usage.reserve([limit], now)
    except LimitExceeded as error:
        return type(error)
    return None


async def test_two_who_count_where_two_buckets_meet_see_each_other(app: Starlette) -> None:
    moments = (MIDNIGHT - MOMENT, MIDNIGHT + MOMENT)
    outcomes = await asyncio.gather(*(outcome(ONE, moment) for moment in moments))
    assert sorted(outcomes, key=bool) == [None, BudgetSpent]


async def test_many_at_once_get_exactly_what_there_is_and_leave_nothing_behind(
    app: Starlette,
) -> None:
    five = ONE._replace(most=5)
    outcomes = await asyncio.gather(*(outcome(five, MIDNIGHT + n * MOMENT) for n in range(50)))
    assert outcomes.count(None) == 5
    assert sum([row.used for row in await Usage.all()]) == 5


async def test_a_use_counts_until_its_window_is_over(app: Starlette) -> None:
    assert await outcome(ONE, MIDNIGHT) is None
    with pytest.raises(BudgetSpent) as refused:
        await usage.reserve([ONE], MIDNIGHT + HOUR / 2)
    assert refused.value.wait == HOUR / 2
    assert await outcome(ONE, MIDNIGHT + HOUR - MOMENT) is BudgetSpent
    assert await outcome(ONE, MIDNIGHT + HOUR) is None


async def test_a_look_reads_a_row_for_each_bucket_however_much_was_used(app: Starlette) -> None:
    much = ONE._replace(most=2_000_000)
    for n in range(2 * BUCKETS):
        await usage.add({much: 10_000}, MIDNIGHT + n * HOUR / BUCKETS)
    await usage.reserve([much], MIDNIGHT + 2 * HOUR)
    assert await Usage.all().count() <= 2 * BUCKETS + 2


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_use_that_the_database_does_not_count_is_refused_and_logged(
    app: Starlette,
) -> None:
    await run("CREATE TRIGGER lost BEFORE INSERT ON usage BEGIN SELECT RAISE(IGNORE); END")
    with capture_logs() as logged:
        assert await outcome(ONE, MIDNIGHT) is BudgetSpent
    assert [line["event"] for line in logged] == ["limit_unexplained"]
