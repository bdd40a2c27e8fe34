"""The simulated network of development: vendors as ASGI applications, mailboxes, the phone."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from webapp.sandbox.account import Account
from webapp.sandbox.authy import Authy
from webapp.sandbox.callbacks import Callbacks
from webapp.sandbox.faults import Faults
from webapp.sandbox.mailbox import Mailbox
from webapp.sandbox.messages import Messages
from webapp.sandbox.pages import Pages, Render
from webapp.sandbox.phone import Inbox
from webapp.sandbox.prices import Prices
from webapp.sandbox.pwned import Pwned
from webapp.sandbox.twin import Twin, application
from webapp.sandbox.verify import Verify
from webapp.sandbox.vonage import Vonage

__all__ = ["TWINS", "Sandbox"]

TWINS: tuple[type[Twin], ...] = (Verify, Messages, Account, Prices, Authy, Vonage, Pwned)


def _utcnow() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """Simulated vendors, whose texts and calls arrive on a page.

    ``vendor_app`` answers as the vendor of the requested host. At any other host, as when it is
    served over loopback and a base URL points to it, each vendor answers at its own paths, and the
    phone's messages are there too. Emails arrive by ``mailbox``.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = _utcnow,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        kept: int = 200,
    ) -> None:
        """``sleep`` waits for the fault ``slow``; ``kept`` is the number of messages kept."""
        self.inbox = Inbox(clock, kept)
        self.calls: Counter[str] = Counter()  # vendor calls by resource: "VerificationCheck"
        self._twins = [twin(self.inbox, clock) for twin in TWINS]
        self.faults = Faults(self._twins, sleep)
        self.mailbox = Mailbox(self.inbox, sleep)
        self.callbacks = Callbacks()
        for twin in self._twins:
            twin.callbacks = self.callbacks
        self.messages = next(twin for twin in self._twins if isinstance(twin, Messages))
        self._pages = Pages(self.inbox, self.faults, self.mailbox)
        self._json_pages = application(self._pages.json_routes())

    def fail(self, fault: str, count: int = 1) -> None:
        """Let the next ``count`` vendor calls run into ``fault``. Raises ``ValueError``."""
        self.faults.add(fault, count)

    def routes(self, render: Render) -> list[BaseRoute]:
        """The pages under /sandbox; ``render(request, template, context)`` makes the HTML."""
        return self._pages.routes(render)

    async def vendor_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every vendor, as an ASGI application."""
        if scope["path"].startswith("/sandbox/"):
            await self._json_pages(scope, receive, send)
            return
        self.calls[resource(scope["path"])] += 1
        await self.faults.answer(self._twin(scope), scope, receive, send)

    def _twin(self, scope: Scope) -> Twin:
        """The vendor of the requested host; at a host that is no vendor's, by the path."""
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").partition(":")[0]
        for twin in self._twins:
            if host in twin.hosts:
                return twin
        for twin in self._twins:
            if any(route.matches(scope)[0] != Match.NONE for route in twin.routes):
                return twin
        return self._twins[0]


def resource(path: str) -> str:
    """The resource that a path names, without ids: "Messages", "VerificationCheck", "sms"."""
    words = [part.removesuffix(".json") for part in path.split("/")]
    return ([word for word in words if word.isalpha()] or [""])[-1]
