"""A deadline for every request, shorter than a platform router's own."""

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp.web.security import ErrorApp

log = structlog.get_logger(__name__)

DEADLINE = 28.0  # seconds; Heroku's router, among others, gives up at 30


class Deadline:
    """Cancels a handler that has not started its response in time, and answers 503.

    Each single wait has a timeout (a vendor call, a statement, the queue for a hash). This bounds
    their sum, and the wait for a pooled connection where a database hangs. A cancelled handler
    leaves the same state as a crash, from which every step recovers.
    """

    def __init__(self, app: ASGIApp, *, on_error: ErrorApp, seconds: float = DEADLINE) -> None:
        self.app, self.seconds, self.unavailable = app, seconds, on_error(503)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = asyncio.timeout(self.seconds)

        async def begin(message: Message) -> None:
            limit.reschedule(None)
            await send(message)

        try:
            async with limit:
                await self.app(scope, receive, begin)
        except TimeoutError:
            if not limit.expired():
                raise
            log.warning("deadline_passed", seconds=self.seconds)
            await self.unavailable(scope, receive, send)
