"""Failures of vendors and of the network to them, on demand."""

import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import httpx
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from webapp.sandbox.twin import Twin

NEVER_ARRIVE = {
    "refused": httpx.ConnectError,
    "dns": httpx.ConnectError,
    "connect_timeout": httpx.ConnectTimeout,
}
ACCEPTED = {  # the vendor acts, and then answers this
    "garbage": PlainTextResponse("OK", 201),
    "shape": JSONResponse([{"sid": 1, "status": []}], 201),
}
PLAIN = ("timeout", "500", "429", "undelivered", "dropped", "html", *NEVER_ARRIVE, *ACCEPTED)
PATTERNS = (
    r"slow:[0-9]{1,3}(\.[0-9]{1,3})?",
    r"429:[0-9]{1,5}",
    r"[1-9][0-9]{4}",  # Twilio's and Authy's codes, of which we list some
)
MOST = 1000


class Faults:
    """The queue of faults that the next calls run into."""

    def __init__(self, twins: Sequence[Twin], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._codes = sorted({code for twin in twins for code in twin.codes}, key=int)
        self._sleep = sleep
        self._next: deque[str] = deque(maxlen=MOST)

    def add(self, fault: str, count: int) -> None:
        """Make ``count`` more calls run into ``fault``. Raises ``ValueError``."""
        listed = fault in PLAIN or fault in self._codes
        if not listed and not any(re.fullmatch(pattern, fault) for pattern in PATTERNS):
            raise ValueError(f"no such fault: {fault}")
        self._next.extend([fault] * count)

    def names(self) -> list[str]:
        """Every fault; of the vendors' error codes, those that the sandbox lists."""
        return [*PLAIN, "slow:<seconds>", "429:<Retry-After>", *self._codes]

    def clear(self) -> None:
        """Forget the faults that no call has run into yet."""
        self._next.clear()

    async def answer(self, twin: Twin, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the simulated vendor answer a call, or make the call run into the next fault."""
        fault = self._next.popleft() if self._next else ""
        name, _, argument = fault.partition(":")
        if name in NEVER_ARRIVE:
            raise NEVER_ARRIVE[name](name)
        if name == "timeout":
            raise httpx.ReadTimeout(name)
        if name == "dropped":
            await twin.app(scope, receive, _discard)
            raise httpx.RemoteProtocolError(name)
        if name in ACCEPTED:
            await twin.app(scope, receive, _discard)
            await ACCEPTED[name](scope, receive, send)
            return
        if name == "slow":
            await self._sleep(float(argument))
        elif name == "undelivered":
            scope = {**scope, "undelivered": True}
        elif name:
            await _error(twin, name, argument)(scope, receive, send)
            return
        await twin.app(scope, receive, send)


def _error(twin: Twin, name: str, retry_after: str) -> Response:
    if name == "html":
        return HTMLResponse("<html><h1>502 Bad Gateway</h1></html>", 502)
    return twin.error(name, int(retry_after) if retry_after else None)


async def _discard(_: Message) -> None:
    """Lose an answer."""
