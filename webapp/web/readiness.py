"""Whether we are ready to serve: one look at the database a second, however many ask."""

import asyncio
import time
from collections.abc import Awaitable, Callable

KEPT_FOR = 1.0  # seconds


class Readiness:
    """Asks ``ask`` once for all who want to know within a second, and while it has no answer."""

    def __init__(
        self, ask: Callable[[], Awaitable[bool]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.ask, self.clock = ask, clock
        self.asked: asyncio.Future[bool] | None = None
        self.asked_at = float("-inf")

    async def ready(self) -> bool:
        """The answer; not older than ``KEPT_FOR``."""
        old = self.clock() - self.asked_at > KEPT_FOR
        if self.asked is None or (old and self.asked.done()):
            self.asked_at = self.clock()
            self.asked = asyncio.ensure_future(self.ask())
        return await asyncio.shield(self.asked)  # for others wait for it too
