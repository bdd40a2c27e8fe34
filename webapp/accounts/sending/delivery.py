"""Delivers the texts of the outbox through a messenger, each of them once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog

from webapp.accounts.policy import usage
from webapp.accounts.policy.rules import BudgetSpent, SpendingLimits
from webapp.accounts.purge import purge
from webapp.accounts.sending import outbox
from webapp.accounts.sending.outbox import MessageState, OutboxMessage
from webapp.database import DATABASE_ERRORS
from webapp.providers import (
    Blocked,
    CountryNotServed,
    InvalidNumber,
    Messenger,
    NotFound,
    NotMobile,
    OptedOut,
    ProviderError,
)

log = structlog.get_logger(__name__)

BATCH = 50  # texts in flight in one process
LEASE = timedelta(seconds=60)  # longer than any call to a vendor may take
POLL = 2.0  # seconds between looks for texts that other processes left
PURGE_EVERY = timedelta(minutes=5)
CLOCK_SKEW = timedelta(minutes=1)  # between us and the vendor, when its list is asked
FIRST_RETRY = timedelta(seconds=5)  # doubled each time
LONGEST_RETRY = timedelta(minutes=15)
SETTLED_AFTER = timedelta(seconds=30)  # a vendor may still act on a call after we hung up
GIVE_UP_AFTER = timedelta(days=1)
STOP_WITHIN = 15.0  # seconds that texts in flight get when the process is stopped
FINAL = (InvalidNumber, NotMobile, CountryNotServed, Blocked, OptedOut)


class Outbox:
    """The texts to deliver, and the messenger that does it."""

    def __init__(
        self, messenger: Messenger, spending: SpendingLimits, clock: Callable[[], datetime]
    ) -> None:
        self.messenger, self.spending, self.clock = messenger, spending, clock
        self.written = asyncio.Event()
        self.next_purge = clock()

    async def write(self, to: str, body: str) -> None:
        """Put a text into the caller's transaction; call ``wake`` once that is committed."""
        await outbox.write(to, body, self.clock())

    def wake(self) -> None:
        """Deliver now rather than at the next poll."""
        self.written.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver, and purge now and then, until ``stopping`` is set."""
        while not stopping.is_set():
            self.written.clear()
            if await self._work() < BATCH:
                await _first_of(self.written.wait(), stopping.wait(), within=POLL)

    async def _work(self) -> int:
        try:
            delivered = await self.deliver()
            if self.clock() >= self.next_purge:
                self.next_purge = self.clock() + PURGE_EVERY
                await purge(self.clock())
        except DATABASE_ERRORS as error:
            log.warning("outbox_waits_for_database", error=type(error).__name__)
        except Exception:
            log.exception("outbox_failed")  # and tries again: nobody would notice a loop that ended
        else:
            return delivered
        return 0

    async def deliver(self) -> int:
        """Send what is due and return how many texts that were."""
        now = self.clock()
        messages = await outbox.lease(BATCH, now, now + LEASE)
        results = await asyncio.gather(*map(self._deliver, messages), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException):
                raise error
        return len(messages)

    async def _deliver(self, message: OutboxMessage) -> None:
        try:
            if message.tried_at and await self._is_settled(message):
                return
            await self._send(message)
        except BudgetSpent as exceeded:
            await self._postpone(message, exceeded.wait or LONGEST_RETRY)
        except ProviderError as error:
            await self._record_error(message, error)
        except asyncio.CancelledError:
            if not message.tried_at:  # else the vendor may be at it: let the lease run out
                await self._postpone(message, timedelta())
            raise

    async def _is_settled(self, message: OutboxMessage) -> bool:
        """Whether a message whose last attempt got no answer must not be sent again.

        Either the vendor has it, or the vendor has no list to look it up in: then a second text
        could be one too many, and the message ends here.
        """
        assert message.tried_at  # noqa: S101
        since = message.tried_at - CLOCK_SKEW
        found = await self.messenger.find(message.to, message.body, since)
        match found:
            case NotFound.NEVER_ACCEPTED:
                return False
            case NotFound.CANNOT_TELL:
                log.warning("text_unknown", message=message.id)
                await outbox.record_end(message, MessageState.UNKNOWN, self.clock())
            case reference:
                await self._record_sent(message, reference)
        return True

    async def _send(self, message: OutboxMessage) -> None:
        now = self.clock()
        attempt = await usage.reserve_confirmation(message.to, self.spending, now)
        message.tried_at = message.tried_at or now
        try:
            reference = await self.messenger.send(message.to, message.body)
        except ProviderError as error:
            if not error.maybe_sent:
                message.tried_at = None
                await attempt.delete()
            raise
        await self._record_sent(message, reference)

    async def _record_sent(self, message: OutboxMessage, reference: str) -> None:
        await outbox.record_sent(message, reference, self.clock())
        log.info("text_sent", message=message.id)

    async def _record_error(self, message: OutboxMessage, error: ProviderError) -> None:
        now, kind = self.clock(), type(error).__name__
        if isinstance(error, FINAL) or now - message.created_at > GIVE_UP_AFTER:
            log.error("text_given_up", message=message.id, kind=kind, error=error.code)
            await outbox.record_end(message, MessageState.FAILED, now)
            return
        wait = min(FIRST_RETRY * 2 ** min(message.attempts, 10), LONGEST_RETRY)
        if error.maybe_sent:
            wait = max(wait, SETTLED_AFTER)
        log.warning("text_postponed", message=message.id, kind=kind, error=error.code)
        await self._postpone(message, max(wait, timedelta(seconds=error.retry_after or 0)))

    async def _postpone(self, message: OutboxMessage, wait: timedelta) -> None:
        await outbox.postpone(message, self.clock() + wait)


@asynccontextmanager
async def delivering(texts: Outbox) -> AsyncIterator[None]:
    """Deliver inside the ``with`` block; then finish what is in flight and release the rest."""
    stopping = asyncio.Event()
    running = asyncio.create_task(texts.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait([running], timeout=STOP_WITHIN)
        running.cancel()
        await asyncio.wait([running])


async def _first_of(*waits: Coroutine[Any, Any, Any], within: float) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
