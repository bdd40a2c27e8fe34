"""Delivers the messages of the outbox, each channel by its carrier and for itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog

from webapp.accounts.policy.rules import LimitExceeded
from webapp.accounts.purge import purge
from webapp.accounts.sending import outbox
from webapp.accounts.sending.carriers import SETTLED_AFTER, Carrier
from webapp.accounts.sending.outbox import MessageChannel, MessageState, OutboxMessage
from webapp.accounts.sending.receipts import Receipts
from webapp.database import DATABASE_ERRORS
from webapp.providers import Email, NotFound, ProviderError

log = structlog.get_logger(__name__)

BATCH = 50  # messages of one channel in flight in one process
# A lease is renewed as long as its message is in flight. Where its process was killed, another
# takes the message when the vendor must have done what it was asked for, and can tell.
LEASE = SETTLED_AFTER
RENEW_EVERY = LEASE / 3
POLL = 2.0  # seconds between looks for messages that other processes left
PURGE_EVERY = 300.0  # seconds
STOP_WITHIN = 15.0  # seconds that messages in flight get when the process is stopped


class Outbox:
    """The messages to deliver, and the carriers that do it.

    A channel whose receiver hangs holds up no other channel.
    """

    def __init__(
        self,
        carriers: Mapping[MessageChannel, Carrier],
        clock: Callable[[], datetime],
        purges: Sequence[Callable[[datetime], Awaitable[object]]] = (purge,),
    ) -> None:
        """``purges``: what is done now and then, given the time, such as deleting old rows."""
        self.clock, self.purges = clock, purges
        self.deliveries = [Delivery(*carrier, clock) for carrier in carriers.items()]

    async def write_text(self, to: str, body: str) -> None:
        """Put a text into the caller's transaction; call ``wake`` once that is committed."""
        await self.write(MessageChannel.TEXT, to=to, body=body)

    async def write_email(
        self,
        to: str,
        email: Email,
        expires_at: datetime | None = None,
        for_user: int | None = None,
    ) -> None:
        """Put an email into the caller's transaction; call ``wake`` once that is committed.

        It is not sent after ``expires_at``, when a link in it does not work any more. ``for_user``
        is as for ``outbox.write``.
        """
        await self.write(
            MessageChannel.EMAIL,
            for_user,
            to=to,
            subject=email.subject,
            body=email.text,
            html=email.html,
            expires_at=expires_at,
        )

    async def write(
        self, channel: MessageChannel, for_user: int | None = None, **columns: Any
    ) -> None:
        """Put a message with these columns into the caller's transaction, and ``wake`` then."""
        now = self.clock()
        message = OutboxMessage(channel=channel, created_at=now, next_attempt_at=now, **columns)
        await outbox.write(message, for_user)

    def wake(self) -> None:
        """Deliver now rather than at the next poll."""
        for delivery in self.deliveries:
            delivery.written.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver, and purge now and then, until ``stopping`` is set."""
        await asyncio.gather(
            *(delivery.run(stopping) for delivery in self.deliveries), self._purge(stopping)
        )

    async def deliver(self) -> int:
        """Send what is due and return how many messages that were."""
        return sum([await delivery.deliver() for delivery in self.deliveries])

    async def _purge(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            for purge_more in self.purges:
                async with keeps_running("purge"):
                    await purge_more(self.clock())
            await first_of(stopping.wait(), within=PURGE_EVERY)


class Delivery:
    """Delivers the messages of one channel."""

    def __init__(
        self,
        channel: MessageChannel,
        carrier: Carrier,
        clock: Callable[[], datetime],
        renew_every: timedelta = RENEW_EVERY,
    ) -> None:
        self.channel, self.carrier, self.clock = channel, carrier, clock
        self.renew_every = renew_every.total_seconds()
        self.written = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until ``stopping`` is set."""
        while not stopping.is_set():
            self.written.clear()
            delivered = 0
            async with keeps_running("deliver"):
                delivered = await self.deliver()
            if delivered < BATCH:
                await first_of(self.written.wait(), stopping.wait(), within=POLL)

    async def deliver(self) -> int:
        """Send what is due and return how many messages that were."""
        now = self.clock()
        messages = await outbox.lease(self.channel, BATCH, now, now + LEASE)
        if not messages:
            return 0
        renewing = asyncio.create_task(self._renew(messages, now + LEASE))
        try:
            results = await asyncio.gather(*map(self._deliver, messages), return_exceptions=True)
        finally:
            renewing.cancel()
        for error in results:
            if isinstance(error, BaseException):
                raise error
        return len(messages)

    async def _renew(self, messages: list[OutboxMessage], until: datetime) -> None:
        """Keep the leases of what is still in flight, as others may only take what is not."""
        while True:
            await asyncio.sleep(self.renew_every)
            async with keeps_running("renew"):
                renewed = self.clock() + LEASE
                await outbox.renew(messages, until, renewed)
                until = renewed

    async def _deliver(self, message: OutboxMessage) -> None:
        try:
            if message.tried_at and await self._is_settled(message):
                return
            if message.expires_at and message.expires_at <= self.clock():
                await self._give_up(message, "Expired")
            else:
                await self._send(message)
        except LimitExceeded as exceeded:
            await self._postpone(message, exceeded.wait or self.carrier.retries.longest)
        except ProviderError as error:
            await self._record_error(message, error)
        except asyncio.CancelledError:
            if not message.tried_at:  # else the vendor may be at it: let the lease run out
                await self._postpone(message, timedelta())
            raise

    async def _is_settled(self, message: OutboxMessage) -> bool:
        """Whether a message whose last attempt got no answer must not be sent again.

        Either the receiver has it, or nobody can tell and a second one could be one too many.
        """
        found = await self.carrier.find(message)
        match found:
            case NotFound.NEVER_ACCEPTED:
                return False
            case NotFound.CANNOT_TELL:
                log.warning(self._event("unknown"), message=message.id)
                await outbox.record_end(message, MessageState.UNKNOWN, self.clock())
            case reference:
                await self._record_sent(message, reference)
        return True

    async def _send(self, message: OutboxMessage) -> None:
        now = self.clock()
        reserved = await self.carrier.reserve(message, now)
        message.tried_at = message.tried_at or now
        try:
            reference = await self.carrier.send(message)
        except ProviderError as error:
            await self.carrier.refund(reserved)  # of what was maybe sent, too: see mark_unknown
            if not error.maybe_sent:
                message.tried_at = None
            raise
        await self._record_sent(message, reference)

    async def _record_sent(self, message: OutboxMessage, reference: str) -> None:
        await outbox.record_sent(message, reference, self.clock())
        log.info(self._event("sent"), message=message.id)

    async def _record_error(self, message: OutboxMessage, error: ProviderError) -> None:
        kind, retries = type(error).__name__, self.carrier.retries
        if retries.is_over(message, error, self.clock()):
            await self._give_up(message, kind, error.code)
            return
        log.warning(self._event("postponed"), message=message.id, kind=kind, error=error.code)
        await self._postpone(message, retries.pause(message.attempts, error))

    async def _give_up(self, message: OutboxMessage, kind: str, error: str = "") -> None:
        log.error(self._event("given_up"), message=message.id, kind=kind, error=error)
        await outbox.record_end(message, MessageState.FAILED, self.clock())

    def _event(self, name: str) -> str:
        """The event as the log names it, such as ``text_sent``."""
        return f"{self.channel}_{name}"

    async def _postpone(self, message: OutboxMessage, wait: timedelta) -> None:
        await outbox.postpone(message, self.clock() + wait)


@asynccontextmanager
async def delivering(messages: Outbox, receipts: Receipts) -> AsyncIterator[None]:
    """Deliver inside the ``with`` block, and ask for receipts; then finish what is in flight and
    release the rest.
    """
    stopping = asyncio.Event()
    running = [
        asyncio.create_task(messages.run(stopping)),
        asyncio.create_task(_ask(receipts, stopping)),
    ]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait(running, timeout=STOP_WITHIN)
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def _ask(receipts: Receipts, stopping: asyncio.Event) -> None:
    """Ask the vendor what became of codes until ``stopping`` is set."""
    while not stopping.is_set():
        async with keeps_running("receipts"):
            await receipts.ask()
        await first_of(stopping.wait(), within=POLL)


@asynccontextmanager
async def keeps_running(task: str) -> AsyncIterator[None]:
    """Log an error of the block and go on: nobody would notice a loop that ended."""
    try:
        yield
    except DATABASE_ERRORS as error:
        log.warning("outbox_waits_for_database", task=task, error=type(error).__name__)
    except Exception:
        log.exception("outbox_failed", task=task)


async def first_of(*waits: Coroutine[Any, Any, Any], within: float) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
