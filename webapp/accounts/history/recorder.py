"""Records what happens, without a round trip for the request that it happens in.

A process collects its events and writes them in batches, twice a second while there are any. So an
attack costs a few statements a second, however many requests are refused. A process that is killed
loses the events of half a second; one that is stopped writes them first.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from webapp.accounts.history import events
from webapp.accounts.history.events import NewEvent
from webapp.accounts.history.reasons import Reason
from webapp.accounts.history.totals import Sum, Total
from webapp.accounts.people import phones
from webapp.database import DATABASE_ERRORS

log = structlog.get_logger(__name__)

BATCH_EVERY = 0.5  # seconds
MOST_WAITING = 20_000  # events; beyond it, while the database is away, further ones are lost
KEPT_PER_NETWORK = 20  # refusals an hour; beyond it they are counted, without an event each
MOST_NETWORKS = 20_000
LONGEST_DETAIL = 32


class Happening(NamedTuple):
    """What makes two events of a batch the same."""

    reason: Reason
    phone: str  # E.164, or empty
    channel: str
    country: str  # where there is no phone
    detail: str
    kept: bool  # as an event, and not in the totals only
    at: datetime  # to the second; to the day where it is not kept


@dataclass(slots=True)
class Times:
    """How often it happened in this batch."""

    count: int = 0
    money: int = 0


class History:
    """Records events, and writes them to the database now and then."""

    def __init__(self, secret_key: str, clock: Callable[[], datetime]) -> None:
        self.secret_key, self.clock = secret_key, clock
        self.waiting: dict[Happening, Times] = {}
        self.lost = 0
        self.writing = asyncio.Lock()  # who flushes waits for the batch that is being written
        self.by_network: Counter[str] = Counter()
        self.hour = clock().replace(minute=0, second=0, microsecond=0)

    def record(
        self,
        reason: Reason,
        phone: str = "",
        *,
        channel: str = "",
        country: str = "",
        detail: str = "",
        money: int = 0,
        at: datetime | None = None,
        kept: bool = True,
    ) -> None:
        """Record that this happened to ``phone`` (E.164, empty where it is not known).

        ``country`` counts where there is no phone. ``detail`` is the vendor's error code, ``money``
        in millionths of ``SPEND_CURRENCY``. ``at`` is now if not given. Unless ``kept``, only
        totals hear of it. Never fails.
        """
        second = (at or self.clock()).astimezone(UTC).replace(microsecond=0)
        at = second if kept else second.replace(hour=0, minute=0, second=0)
        happening = Happening(reason, phone, channel, country, _clean(detail), kept, at)
        times = self.waiting.get(happening)
        if times is None:
            if len(self.waiting) >= MOST_WAITING:
                self.lost += 1
                return
            times = self.waiting[happening] = Times()
        times.count += 1
        times.money += money

    def counts_only(self, network: str) -> bool:
        """Count one refusal of ``network``: whether it had its events for this hour.

        So endless refusals do not fill the table.
        """
        hour = self.clock().replace(minute=0, second=0, microsecond=0)
        if hour != self.hour or len(self.by_network) > MOST_NETWORKS:
            self.hour = hour
            self.by_network.clear()
        self.by_network[network] += 1
        return self.by_network[network] > KEPT_PER_NETWORK

    async def flush(self) -> None:
        """Write what waits. Raises a database error, after which it waits on."""
        async with self.writing:
            batch, self.waiting = self.waiting, {}
            if not batch:
                return
            try:
                await events.write(*self._rows(batch))
            except DATABASE_ERRORS:
                self._put_back(batch)
                raise
        if self.lost:
            log.error("history_lost", events=self.lost)
            self.lost = 0

    def _put_back(self, batch: dict[Happening, Times]) -> None:
        for happening, later in self.waiting.items():
            times = batch.setdefault(happening, Times())
            times.count += later.count
            times.money += later.money
        self.waiting = batch

    def _rows(self, batch: dict[Happening, Times]) -> tuple[list[NewEvent], dict[Total, Sum]]:
        rows: list[NewEvent] = []
        sums: dict[Total, Sum] = {}
        places = {"": ("", "")}
        for happening, times in batch.items():
            reason, phone, channel, country, detail, kept, at = happening
            if phone not in places:  # most phones have several events in a batch
                places[phone] = phones.country_of(phone), phones.dialling_prefix(phone)
            place, prefix = places[phone]
            country = place or country or phones.UNKNOWN_COUNTRY
            total = Total(at.date(), country, channel, reason)
            events.add_to(sums, total, Sum(times.count, times.money))
            if kept:
                key = events.phone_key(phone, self.secret_key) if phone else ""
                row = NewEvent(at, reason, channel, country, prefix, key, detail, times.count)
                rows.append(row)
        return rows, sums

    async def run(self, stopping: asyncio.Event) -> None:
        """Write until ``stopping`` is set, and what is left then."""
        while not stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), BATCH_EVERY)
            await self._try_to_flush()
        await self._try_to_flush()

    async def _try_to_flush(self) -> None:
        try:
            await self.flush()
        except DATABASE_ERRORS as error:
            log.warning("history_waits_for_database", error=type(error).__name__)
        except Exception:
            log.exception("history_failed")


def _clean(detail: str) -> str:
    """The code if it is one: vendors' answers are not ours to trust."""
    return detail[:LONGEST_DETAIL] if detail.isascii() and detail.isprintable() else ""


@asynccontextmanager
async def writing(history: History) -> AsyncIterator[None]:
    """Write events inside the ``with`` block, and the last of them at its end."""
    stopping = asyncio.Event()
    running = asyncio.create_task(history.run(stopping), name="history")
    try:
        yield
    finally:
        stopping.set()
        await running
