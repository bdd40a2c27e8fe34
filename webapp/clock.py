"""The time, by the database's clock: processes on machines whose clocks differ agree on it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog

from webapp.database import DATABASE_ERRORS, time_of_database

log = structlog.get_logger(__name__)
READ_EVERY = 60.0  # seconds; a process's steady clock strays by milliseconds in that time
RETRY_EVERY = 5.0  # seconds, while the database is away
NOTEWORTHY = timedelta(seconds=5)  # between the machine's clock and the database's


def utcnow() -> datetime:
    return datetime.now(UTC)


class DatabaseClock:
    """Calling it gives the time: what the database's clock showed last, and what passed since.

    What passes is measured by the process's steady clock, so a machine's clock that is set while
    the process runs moves nothing. Until the database was read it is the machine's clock.
    """

    def __init__(
        self,
        machine: Callable[[], datetime] = utcnow,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._machine, self._steady = machine, steady
        self._base: datetime | None = None  # the database's time when ``steady`` showed 0

    def __call__(self) -> datetime:
        if self._base is None:
            return self._machine()
        return self._base + timedelta(seconds=self._steady())

    async def read(self) -> None:
        """Read the database's clock. It shows a time in the middle of the round trip."""
        before = self._steady()
        shown = await time_of_database()
        middle = (before + self._steady()) / 2
        if self._base is None and abs(off := self._machine() - shown) > NOTEWORTHY:
            log.warning("clocks_differ", seconds=round(off.total_seconds()), counts="database")
        self._base = shown - timedelta(seconds=middle)


@asynccontextmanager
async def synchronised(clock: Callable[[], datetime]) -> AsyncIterator[None]:
    """Keep ``clock`` in step with the database inside the ``with`` block; a test's clock stays."""
    if not isinstance(clock, DatabaseClock):
        yield
        return
    keeping = asyncio.create_task(_keep(clock, await _try_to_read(clock)))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


async def _keep(clock: DatabaseClock, wait: float) -> None:
    while True:
        await asyncio.sleep(wait)
        wait = await _try_to_read(clock)


async def _try_to_read(clock: DatabaseClock) -> float:
    """Seconds until the next read. A database that is away leaves the clock as it is."""
    try:
        await clock.read()
    except DATABASE_ERRORS:
        return RETRY_EVERY
    return READ_EVERY
