"""The pages under /sandbox: the phone, its messages as JSON, the faults."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from webapp.sandbox.faults import Faults
from webapp.sandbox.mailbox import Mailbox
from webapp.sandbox.phone import Inbox

Render = Callable[[Request, str, dict[str, Any]], Response]


class Pages:
    """The pages and JSON with which developers use the network."""

    def __init__(self, inbox: Inbox, faults: Faults, mailbox: Mailbox) -> None:
        self._inbox, self._faults, self._mailbox = inbox, faults, mailbox

    def routes(self, render: Render) -> list[BaseRoute]:
        """Every page; ``render(request, template, context)`` makes HTML."""

        async def phone(request: Request) -> Response:
            whole = "HX-Request" not in request.headers
            template = "sandbox/phone.html" if whole else "sandbox/messages.html"
            return render(request, template, {"messages": self._inbox.messages()})

        return [Route("/sandbox/phone", phone), *self.json_routes()]

    def json_routes(self) -> list[BaseRoute]:
        """The routes that need no template."""
        return [
            Route("/sandbox/messages.json", self.messages),
            Route("/sandbox/faults", self.fail, methods=["POST"]),
        ]

    async def messages(self, request: Request) -> Response:
        """The messages to the number or address ``to``, or all of them, newest first."""
        to = request.query_params.get("to", "").strip()  # a bare + in a query is a space
        if "@" in to:
            to = to.replace(" ", "+")
        elif to and not to.startswith("+"):
            to = f"+{to}"
        return JSONResponse(self._inbox.messages(to), headers={"Cache-Control": "no-store"})

    async def fail(self, request: Request) -> Response:
        """Let the next ``count`` vendor calls, or emails, run into ``fault``."""
        fields = await request.form()
        fault, count = str(fields.get("fault", "")), str(fields.get("count", "1"))
        if not (count.isascii() and count.isdigit() and 1 <= int(count[:5]) <= 1000):  # noqa: PLR2004
            return JSONResponse({"error": "count is a number from 1 to 1000"}, 400)
        emails = fields.get("channel") == "email"
        try:
            (self._mailbox.fail if emails else self._faults.add)(fault, int(count))
        except ValueError:
            names = self._mailbox.faults() if emails else self._faults.names()
            return JSONResponse({"error": "no such fault", "faults": names}, 400)
        return JSONResponse({"fault": fault, "count": int(count)})
