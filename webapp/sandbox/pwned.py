"""The simulated Pwned Passwords, which knows one breached password."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from webapp.sandbox.phone import Inbox
from webapp.sandbox.twin import Twin, retry_after_header

BREACHED = "breached tugboat harmonica 41"
NO_CREDENTIALS: dict[str, str] = {}  # anybody may ask
PADDING = 800  # rows that are made up, with a count of 0


class Pwned(Twin):
    """Digests by their first five digits."""

    name = "pwned"
    hosts = frozenset({"api.pwnedpasswords.com"})
    credentials = NO_CREDENTIALS
    codes = frozenset[str]()

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        super().__init__(inbox, clock)
        self.routes = [Route("/range/{prefix:str}", self.range)]

    @staticmethod
    def error(fault: str, retry_after: int | None) -> Response:
        """An answer in plain words, as from the service's network."""
        status = int(fault) if fault in ("429", "500") else 400
        return PlainTextResponse("Error", status, retry_after_header(retry_after))

    async def range(self, request: Request) -> Response:
        """The rest of each digest that begins with a prefix, and its count."""
        prefix = request.path_params["prefix"].upper()
        digest = hashlib.sha1(BREACHED.encode(), usedforsecurity=False).hexdigest().upper()
        rows = [f"{secrets.token_hex(18)[:35].upper()}:0" for _ in range(PADDING)]
        if digest.startswith(prefix):
            rows.append(f"{digest[5:]}:3861493")
        return PlainTextResponse("\r\n".join(sorted(rows)))
