"""No page keeps anybody waiting until the platform's router hangs up on them."""

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp.web.security import ErrorApp

log = structlog.get_logger(__name__)

DEADLINE = 28.0  # seconds; Heroku's router, among others, gives up at 30


class Deadline:
    """Answers 503 in place of a handler that has not begun its answer in time.

    Every wait has a bound of its own (a vendor's call, a statement, the queue for a hash); this is
    for their sum, and for the turns that a request waits for where a database hangs. What is cut
    off is left as if the process had been killed there, from where the person can go on.
    """

    def __init__(self, app: ASGIApp, *, on_error: ErrorApp, seconds: float = DEADLINE) -> None:
        self.app, self.seconds, self.refuse = app, seconds, on_error(503)

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
            await self.refuse(scope, receive, send)
