"""What can go wrong between us and a vendor, on demand."""

import re
from collections import deque
from collections.abc import Awaitable, Callable

import httpx
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp.sandbox.errors import AUTHY_ERRORS, TWILIO_ERRORS, authy_error, twilio_error

NEVER_ARRIVE = {
    "refused": httpx.ConnectError,
    "dns": httpx.ConnectError,
    "connect_timeout": httpx.ConnectTimeout,
}
ACCEPTED = {  # the vendor has acted, and its answer is this
    "garbage": PlainTextResponse("OK", 201),
    "shape": JSONResponse([{"sid": 1, "status": []}], 201),
}
PLAIN = ("timeout", "500", "429", "undelivered", "dropped", "html", *NEVER_ARRIVE, *ACCEPTED)
MOST = 1000


class Faults:
    """The faults that the next calls meet, in the order they were asked for."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep
        self._next: deque[str] = deque(maxlen=MOST)

    def add(self, fault: str, count: int) -> None:
        """Let ``count`` more calls meet ``fault``. Raises ``ValueError``."""
        if not valid(fault):
            raise ValueError(f"no such fault: {fault}")
        self._next.extend([fault] * count)

    def clear(self) -> None:
        """Let everything be well again."""
        self._next.clear()

    async def meet(self, vendor: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the vendor answer a call, unless the call meets a fault."""
        fault = self._next.popleft() if self._next else ""
        name, _, seconds = fault.partition(":")
        if name in NEVER_ARRIVE:
            raise NEVER_ARRIVE[name](name)
        if name == "timeout":
            raise httpx.ReadTimeout(name)
        if name == "dropped":
            await vendor(scope, receive, _nowhere)
            raise httpx.RemoteProtocolError(name)
        if name in ACCEPTED:
            await vendor(scope, receive, _nowhere)
            await ACCEPTED[name](scope, receive, send)
            return
        if name == "slow":
            await self._sleep(float(seconds))
        elif name == "undelivered":
            scope = {**scope, "undelivered": True}
        elif name:
            await _refusal(name, seconds, scope)(scope, receive, send)
            return
        await vendor(scope, receive, send)


def valid(fault: str) -> bool:
    """Whether there is such a fault."""
    return (
        fault in PLAIN
        or bool(re.fullmatch(r"slow:[0-9]{1,3}(\.[0-9]{1,3})?|429:[0-9]{1,5}", fault))
        or bool(re.fullmatch(r"[1-9][0-9]{4}", fault))  # of vendors' codes we list only some
    )


def every_fault() -> list[str]:
    """Their names, for whoever asked for one that there is not; of codes those we know best."""
    codes = sorted({*TWILIO_ERRORS, *AUTHY_ERRORS})
    return [*PLAIN, "slow:<seconds>", "429:<Retry-After>", *map(str, codes)]


def _refusal(name: str, seconds: str, scope: Scope) -> Response:
    if name == "html":
        return HTMLResponse("<html><h1>502 Bad Gateway</h1></html>", 502)
    authy = scope["path"].startswith("/protected/")
    code = {"500": 60000 if authy else 20500, "429": 60003 if authy else 20429}.get(name)
    error = authy_error if authy else twilio_error
    return error(code or int(name), retry_after=int(seconds) if seconds else None)


async def _nowhere(_: Message) -> None:
    """Where an answer goes that gets lost."""
