"""Texts that must go out once: written inside the transaction, delivered after it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog

from webapp.accounts import statements
from webapp.accounts.models import Delivery, OutboxMessage
from webapp.accounts.policy import usage
from webapp.accounts.policy.rules import BudgetSpent, SpendingLimits
from webapp.accounts.purge import purge
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
SETTLED_AFTER = timedelta(seconds=30)  # a vendor may be at a call for a while after we hung up
LONGEST_RETRY = timedelta(minutes=15)
GIVE_UP_AFTER = timedelta(days=1)
STOP_WITHIN = 15.0  # seconds that texts in flight get when the process is stopped
FINAL = (InvalidNumber, NotMobile, CountryNotServed, Blocked, OptedOut)


class Outbox:
    """Writes texts, and delivers them through a messenger."""

    def __init__(
        self, messenger: Messenger, spending: SpendingLimits, clock: Callable[[], datetime]
    ) -> None:
        self.messenger, self.spending, self.clock = messenger, spending, clock
        self.written = asyncio.Event()
        self.next_purge = clock()

    async def write(self, to: str, body: str) -> None:
        """Put a text into the caller's transaction; call ``wake`` once that is committed."""
        now = self.clock()
        await statements.add(OutboxMessage(to=to, body=body, created_at=now, next_attempt_at=now))

    def wake(self) -> None:
        """Deliver soon rather than at the next poll."""
        self.written.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver, and tidy up now and then, until ``stopping``."""
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
        """Send what is due: the number of texts taken up."""
        messages = await self._lease()
        results = await asyncio.gather(*map(self._deliver, messages), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException):
                raise error
        return len(messages)

    async def _lease(self) -> list[OutboxMessage]:
        """Take a batch: nobody else sees it before the lease is over.

        To all others it looks tried from here on, in case this process ends before it can tell.
        """
        now = self.clock()
        rows = await statements.run(
            "UPDATE outbox SET next_attempt_at = $1, attempts = attempts + 1,"
            " tried_at = COALESCE(tried_at, $2) WHERE id IN"
            " (SELECT id FROM outbox WHERE state = $3 AND next_attempt_at <= $4"
            " ORDER BY next_attempt_at LIMIT $5 FOR UPDATE SKIP LOCKED) RETURNING *",
            now + LEASE,
            now,
            Delivery.PENDING,
            now,
            BATCH,
        )
        messages = [statements.loaded(OutboxMessage, row) for row in rows]
        for message in messages:
            if message.tried_at == now:
                message.tried_at = None
        return messages

    async def _deliver(self, message: OutboxMessage) -> None:
        try:
            if message.tried_at and await self._is_settled(message):
                return
            await self._send(message)
        except BudgetSpent as refused:
            await self._again(message, refused.wait or LONGEST_RETRY)
        except ProviderError as error:
            await self._failed(message, error)
        except asyncio.CancelledError:
            if not message.tried_at:  # else the vendor may be at it: let the lease run out
                await self._again(message, timedelta())
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
                await self._note(message, state=Delivery.UNKNOWN, done_at=self.clock())
            case reference:
                await self._done(message, reference)
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
        await self._done(message, reference)

    async def _done(self, message: OutboxMessage, reference: str) -> None:
        await statements.run(
            "UPDATE outbox SET state = $2, reference = $3, done_at = $4 WHERE id = $1",
            message.id,
            Delivery.SENT,
            reference,
            self.clock(),
        )
        log.info("text_sent", message=message.id)

    async def _failed(self, message: OutboxMessage, error: ProviderError) -> None:
        now, kind = self.clock(), type(error).__name__
        if isinstance(error, FINAL) or now - message.created_at > GIVE_UP_AFTER:
            log.error("text_given_up", message=message.id, kind=kind, error=error.code)
            await self._note(message, state=Delivery.FAILED, done_at=now)
            return
        wait = min(FIRST_RETRY * 2 ** min(message.attempts, 10), LONGEST_RETRY)
        if error.maybe_sent:
            wait = max(wait, SETTLED_AFTER)
        log.warning("text_postponed", message=message.id, kind=kind, error=error.code)
        await self._again(message, max(wait, timedelta(seconds=error.retry_after or 0)))

    async def _again(self, message: OutboxMessage, wait: timedelta) -> None:
        await self._note(message, next_attempt_at=self.clock() + wait)

    async def _note(self, message: OutboxMessage, **changes: Any) -> None:
        """Write ``changes`` down, and whether the vendor may have the text."""
        await OutboxMessage.filter(id=message.id).update(tried_at=message.tried_at, **changes)


@asynccontextmanager
async def delivering(outbox: Outbox) -> AsyncIterator[None]:
    """Deliver meanwhile; afterwards finish what is in flight, and give back what is not."""
    stopping = asyncio.Event()
    running = asyncio.create_task(outbox.run(stopping))
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
