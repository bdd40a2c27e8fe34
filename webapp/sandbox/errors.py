"""How the pretend vendors speak: their errors, their ids, who may ask."""

import base64
import binascii
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

Handler = Callable[[Request], Awaitable[Response]]

# Twilio's error codes: HTTP status and message.
TWILIO_ERRORS: dict[int, tuple[int, str]] = {
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too many requests"),
    20500: (500, "An internal server error has occurred"),
    20503: (503, "Service unavailable"),
    21211: (400, "Invalid 'To' Phone Number"),
    21408: (403, "Permission to send an SMS has not been enabled for the region"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The 'From' phone number is not a valid, SMS-capable number for your account."),
    21608: (403, "The number is unverified. Trial accounts cannot send messages to it."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (429, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (400, "The 'To' number is not currently reachable using the 'From' number."),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    30034: (400, "US A2P 10DLC - Message from an Unregistered Number"),
    30450: (400, "Message delivery blocked: SMS pumping"),
    60006: (400, "Phone number is not valid"),
    60200: (400, "Invalid parameter"),
    60202: (429, "Max check attempts reached"),
    60203: (429, "Max send attempts reached"),
    60205: (403, "SMS is not supported by landline phone number"),
    60212: (429, "Too many concurrent requests for phone number"),
    60217: (400, "Channel is not configured for this service"),
    60220: (403, "Sending to this country is not allowed for this use"),
    60221: (403, "Channel is disabled"),
    60223: (403, "Delivery channel disabled"),
    60238: (403, "Verify blocked this verification attempt"),
    60410: (403, "Verification delivery attempt blocked: fraud guard"),
    60413: (403, "Verification delivery attempt blocked: prefix blocked"),
    60605: (403, "Verification delivery attempt blocked: geographic permissions"),
}
AUTHY_ERRORS: dict[int, tuple[int, str]] = {
    60000: (500, "An error occurred"),
    60001: (401, "Invalid API key"),
    60003: (429, "Too many requests"),
    60008: (401, "Account is suspended"),
    60009: (400, "SMS limit reached"),
    60010: (400, "SMS limit reached"),
    60011: (400, "SMS limit reached"),
    60012: (400, "SMS limit reached"),
    60013: (400, "Country is not allowed"),
    60017: (401, "User is suspended"),
    60019: (401, "Token was already used"),
    60020: (401, "Token is invalid"),
    60026: (404, "User not found"),
    60027: (400, "User was not valid"),
    60033: (400, "Phone number is invalid"),
    60060: (401, "Application is suspended"),
    60078: (400, "Phone number is not supported"),
    60082: (403, "Phone number is a landline"),
    60106: (401, "Account is suspended"),
    60107: (401, "Account is suspended"),
    60115: (403, "The recipient opted out of texts"),
    60120: (429, "SMS limit reached"),
}


class ErrorResponse(Exception):
    """A call that goes wrong, with the answer that says so."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def twilio_error(code: int, about: str = "", retry_after: int | None = None) -> Response:
    """Twilio's error body; ``about`` completes the message."""
    status, message = TWILIO_ERRORS.get(code, (400, "Bad request"))
    body = {
        "code": code,
        "message": f"{message}{about}",
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return JSONResponse(body, status, _headers(retry_after))


def authy_error(code: int, about: str = "", retry_after: int | None = None) -> Response:
    """Authy's error body, whose code is a string."""
    status, message = AUTHY_ERRORS.get(code, (400, "An error occurred"))
    body: dict[str, Any] = {
        "message": f"{message}{about}",
        "success": False,
        "errors": {"message": f"{message}{about}"},
        "error_code": str(code),
    }
    if code in {60019, 60020}:
        body["token"] = "is invalid"  # noqa: S105 (Authy's words)
    return JSONResponse(body, status, _headers(retry_after))


def _headers(retry_after: int | None) -> dict[str, str]:
    return {} if retry_after is None else {"Retry-After": str(retry_after)}


def vendor(routes: Sequence[BaseRoute]) -> Starlette:
    """A vendor's application."""
    return Starlette(
        routes=routes, exception_handlers={ErrorResponse: _refused, HTTPException: _unknown}
    )


async def _refused(_: Request, refusal: Exception) -> Response:
    return cast(ErrorResponse, refusal).response


async def _unknown(_: Request, error: Exception) -> Response:
    known = cast(HTTPException, error).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    return twilio_error(20004 if known else 20404)


def signed_in(handler: Handler) -> Handler:
    """Let in whoever has Basic credentials of Twilio's form, as the account or by an API key."""

    async def guarded(request: Request) -> Response:
        request.scope["login"] = _login(request.headers.get("authorization", ""))
        if not re.fullmatch(r"(AC|SK)[0-9a-fA-F]{32}", request.scope["login"]):
            raise ErrorResponse(twilio_error(20003))
        return await handler(request)

    return guarded


def _login(authorization: str) -> str:
    """The user name, where there is a password too."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return name if scheme.lower() == "basic" and password else ""


def keyed(handler: Handler) -> Handler:
    """Let in whoever has an Authy API key."""

    async def guarded(request: Request) -> Response:
        if not request.headers.get("x-authy-api-key"):
            raise ErrorResponse(authy_error(60001))
        return await handler(request)

    return guarded


def sid(prefix: str) -> str:
    """A new Twilio id."""
    return prefix + secrets.token_hex(16)


def is_sid(prefix: str, value: str) -> bool:
    """Whether a value has the form of such ids."""
    return bool(re.fullmatch(prefix + "[0-9a-fA-F]{32}", value))


def is_e164(number: str) -> bool:
    """Whether a value has the form of an international number."""
    return bool(re.fullmatch(r"\+[1-9][0-9]{6,14}", number))


async def form(request: Request) -> dict[str, str]:
    """The fields of a form post."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
