"""The simulated SMS API of Vonage, and what it tells of an account."""

import secrets
from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webapp.sandbox.phone import Inbox
from webapp.sandbox.twin import (
    ErrorResponse,
    Twin,
    basic_credentials,
    form,
    is_e164,
    retry_after_header,
)

NUMBER = "+15005550009"
PRICE = "0.03330000"
FAILED = {"status": "failed", "err-code": "2"}  # the phone is away
CREDENTIALS = {
    "vonage_api_key": "5a5a5a5a",
    "vonage_api_secret": "5a" * 8,
    "vonage_number": NUMBER,
}
ERRORS = {
    1: "Throughput Rate Exceeded - please wait and retry",
    2: "Missing to param",
    3: "Invalid value for parameter: to",
    4: "Bad Credentials",
    5: "Internal Error",
    6: "Unroutable message - rejected",
    7: "Number barred",
    8: "Partner account barred",
    9: "Quota Exceeded - rejected",
    10: "Too many existing binds",
    11: "Account not enabled for HTTP",
    12: "Message too long",
    14: "Invalid Signature",
    15: "Illegal Sender Address - rejected",
    22: "Invalid network code",
    23: "Invalid callback URL",
    29: "Non White-listed Destination - rejected",
    32: "Signature and API secret disallowed",
    33: "Number deactivated",
}


class Vonage(Twin):
    """Accepts texts and keeps no list of them."""

    name = "vonage"
    hosts = frozenset({"rest.nexmo.com"})
    credentials = CREDENTIALS
    codes = frozenset(map(str, ERRORS))

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        super().__init__(inbox, clock)
        self.routes = [
            Route("/sms/json", self.send, methods=["POST"]),
            Route("/account/get-balance", self.balance),
            Route("/account/numbers", self.numbers),
        ]

    @staticmethod
    def error(fault: str, retry_after: int | None) -> Response:
        """An error: HTTP 200 with a status in the body, except for the faults 429 and 500."""
        if fault in ("429", "500"):
            headers = retry_after_header(retry_after)
            return JSONResponse({"title": "Error"}, int(fault), headers)
        return _answer({"status": fault, "error-text": ERRORS.get(int(fault), "Error")})

    async def send(self, request: Request) -> Response:
        """Accept a text and deliver it to the phone."""
        if not _known(request):
            raise ErrorResponse(self.error("4", None))
        fields = await form(request)
        if not all(fields.get(name) for name in ("from", "to", "text")):
            raise ErrorResponse(self.error("2", None))
        to = f"+{fields['to']}"
        if not is_e164(to) or fields.get("type", "text") not in ("text", "unicode"):
            raise ErrorResponse(self.error("3", None))
        message, delivered = secrets.token_hex(8).upper(), "undelivered" not in request.scope
        if delivered:
            self._inbox.deliver(to, fields["text"], sender=fields["from"])
        if url := fields.get("callback"):
            told = {"messageId": message, "msisdn": fields["to"], "to": fields["from"]}
            told |= {"price": PRICE, "network-code": "23410"}
            end = {"status": "delivered", "err-code": "0"} if delivered else FAILED
            for status in ({"status": "accepted", "err-code": "0"}, end):
                self.callbacks.owe(url, told | status)
        return _answer(
            {
                "to": fields["to"],
                "message-id": message,
                "status": "0",
                "remaining-balance": "15.53590000",
                "message-price": PRICE,
                "network": "23410",
            }
        )

    async def balance(self, request: Request) -> Response:
        """The account's credit in euros."""
        if not _known(request):
            return _unauthorised()
        return JSONResponse({"value": 10.28, "autoReload": False})

    async def numbers(self, request: Request) -> Response:
        """The account's numbers, by pattern."""
        if not _known(request):
            return _unauthorised()
        own = NUMBER.removeprefix("+")
        found = [{"country": "US", "msisdn": own, "features": ["SMS"]}]
        if not own.startswith(request.query_params.get("pattern", "")):
            return JSONResponse({})
        return JSONResponse({"count": len(found), "numbers": found})


def _known(request: Request) -> bool:
    return all(basic_credentials(request))


def _unauthorised() -> Response:
    return JSONResponse({"error-code": "401", "error-code-label": "authentication failed"}, 401)


def _answer(part: dict[str, str]) -> Response:
    return JSONResponse({"message-count": "1", "messages": [part]})
