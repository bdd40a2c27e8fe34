"""The pretend phone network of development: Twilio and Authy as an ASGI app, and the phone."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from webapp.sandbox.authy import Authy
from webapp.sandbox.errors import vendor
from webapp.sandbox.faults import Faults
from webapp.sandbox.messages import Messages
from webapp.sandbox.pages import Pages, Render
from webapp.sandbox.phone import Inbox
from webapp.sandbox.verify import Verify

__all__ = ["Sandbox"]

# Credentials as the vendors', for settings that name none: the sandbox takes any of their form.
ACCOUNT_SID = "AC" + "5a" * 16
AUTH_TOKEN = "5a" * 16
VERIFY_SERVICE_SID = "VA" + "5a" * 16
NUMBER = "+15005550006"
AUTHY_API_KEY = "5a" * 16


def _utcnow() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """Vendors that text and call a phone which is a page.

    ``vendor_app`` answers as the vendors do, by the host asked for; at any other host (served
    over loopback, for a base URL) all of them answer, and the phone's messages are there as well.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = _utcnow,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        kept: int = 200,
    ) -> None:
        """``sleep`` waits out the fault ``slow``; ``kept`` is how many messages stay."""
        self.inbox = Inbox(clock, kept)
        self.faults = Faults(sleep)
        self.calls: Counter[str] = Counter()  # vendor calls by resource: "VerificationCheck"
        self._pages = Pages(self.inbox, self.faults)
        verify = Verify(self.inbox, clock)
        messages = Messages(self.inbox, clock, kept)
        authy = Authy(self.inbox, clock)
        self._vendors = {
            "verify.twilio.com": verify.app,
            "api.twilio.com": messages.app,
            "api.authy.com": authy.app,
        }
        self._everything = vendor(
            [*self._pages.json_routes(), *verify.routes, *messages.routes, *authy.routes]
        )

    def fail(self, fault: str, count: int = 1) -> None:
        """Let the next ``count`` vendor calls meet ``fault``. Raises ``ValueError``."""
        self.faults.add(fault, count)

    def routes(self, render: Render) -> list[BaseRoute]:
        """The pages under /sandbox; ``render(request, template, context)`` makes the HTML."""
        return self._pages.routes(render)

    async def vendor_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every vendor, as an ASGI application."""
        if scope["path"].startswith("/sandbox/"):
            await self._everything(scope, receive, send)
            return
        self.calls[resource(scope["path"])] += 1
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").partition(":")[0]
        asked = self._vendors.get(host, self._everything)
        await self.faults.meet(asked, scope, receive, send)


def resource(path: str) -> str:
    """What a path is about, without ids: "Messages", "VerificationCheck", "sms"."""
    words = [part.removesuffix(".json") for part in path.split("/")]
    return ([word for word in words if word.isalpha()] or [""])[-1]
