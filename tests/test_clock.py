"""Machines whose clocks differ agree on the time, and on who delivers what."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from tortoise.transactions import in_transaction

from tests.conftest import Clock
from webapp.accounts.sending.carriers import Carrier, RetryPolicy
from webapp.accounts.sending.delivery import LEASE, Delivery, Outbox
from webapp.accounts.sending.outbox import MessageChannel, OutboxMessage
from webapp.clock import DatabaseClock, synchronised, utcnow

pytestmark = pytest.mark.environ(OUTBOX_IN_WEB="0")
SECOND = timedelta(seconds=1)


def two_minutes_ahead() -> datetime:
    return utcnow() + timedelta(minutes=2)


class Slow(Carrier):
    """Takes a message and has it delivered when the test says so."""

    retries = RetryPolicy(final=())

    def __init__(self) -> None:
        self.took, self.goes_on = asyncio.Event(), asyncio.Event()
        self.sent = 0

    async def send(self, message: OutboxMessage) -> str:
        self.took.set()
        await self.goes_on.wait()
        self.sent += 1
        return message.uid


async def write_text(outbox: Outbox) -> None:
    async with in_transaction():
        await outbox.write_text("+447400123456", "Signup complete")


async def test_a_machine_whose_clock_is_ahead_takes_no_message_that_another_delivers(
    app: Starlette,
) -> None:
    ours, theirs, carrier = DatabaseClock(), DatabaseClock(two_minutes_ahead), Slow()
    async with synchronised(ours), synchronised(theirs):
        await write_text(Outbox({}, ours))
        delivering = asyncio.create_task(Delivery(MessageChannel.TEXT, carrier, ours).deliver())
        await carrier.took.wait()
        assert await Delivery(MessageChannel.TEXT, carrier, theirs).deliver() == 0
        carrier.goes_on.set()
        assert await delivering == 1
    assert carrier.sent == 1


async def test_the_time_is_the_databases_and_what_passed_since(app: Starlette) -> None:
    seconds = [100.0]
    machine = [datetime(1999, 12, 31, tzinfo=UTC)]
    clock = DatabaseClock(lambda: machine[0], lambda: seconds[0])
    assert clock() == machine[0], "Nothing better is known."
    await clock.read()
    assert abs(clock() - utcnow()) < 5 * SECOND
    shown = clock()
    machine[0] -= timedelta(days=1)
    seconds[0] += 60
    assert clock() - shown == 60 * SECOND


async def test_a_lease_lasts_as_long_as_the_message_is_in_flight(
    app: Starlette, clock: Clock
) -> None:
    carrier = Slow()
    await write_text(Outbox({}, clock))
    ours = Delivery(MessageChannel.TEXT, carrier, clock, renew_every=timedelta(milliseconds=10))
    theirs = Delivery(MessageChannel.TEXT, carrier, clock)
    delivering = asyncio.create_task(ours.deliver())
    await carrier.took.wait()
    for _ in range(3):
        clock.advance(LEASE.total_seconds() - 1)
        await renewed(clock)
    assert await theirs.deliver() == 0
    carrier.goes_on.set()
    await delivering
    assert (carrier.sent, (await OutboxMessage.get()).state) == (1, "sent")


async def renewed(clock: Clock) -> None:
    """Once the lease is as long as it can be."""
    async with asyncio.timeout(10):
        while (await OutboxMessage.get()).next_attempt_at != clock() + LEASE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_message_whose_process_is_gone_is_taken_when_its_lease_ends(
    app: Starlette, clock: Clock
) -> None:
    carrier = Slow()
    await write_text(Outbox({}, clock))
    gone = asyncio.create_task(Delivery(MessageChannel.TEXT, carrier, clock).deliver())
    await carrier.took.wait()
    gone.cancel()
    await asyncio.wait([gone])
    carrier.goes_on.set()
    next_one = Delivery(MessageChannel.TEXT, carrier, clock)
    clock.advance(LEASE.total_seconds() - 1)
    assert await next_one.deliver() == 0
    clock.advance(1)
    assert await next_one.deliver() == 1
    assert carrier.sent == 1
