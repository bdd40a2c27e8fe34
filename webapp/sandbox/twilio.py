"""What the simulated APIs of Twilio share: credentials, ids, errors."""

import re
import secrets
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webapp.sandbox.twin import ErrorResponse, Twin, basic_credentials, retry_after_header

Handler = Callable[[Request], Awaitable[Response]]

ACCOUNT_SID = "AC" + "5a" * 16
AUTH_TOKEN = "5a" * 16
VERIFY_SERVICE_SID = "VA" + "5a" * 16
NUMBER = "+15005550006"
CREDENTIALS = {
    "twilio_account_sid": ACCOUNT_SID,
    "twilio_auth_token": AUTH_TOKEN,
    "twilio_verify_service_sid": VERIFY_SERVICE_SID,
    "twilio_number": NUMBER,
}

# Twilio's error codes: HTTP status and message.
ERRORS: dict[int, tuple[int, str]] = {
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


class Twilio(Twin):
    """What Twilio's simulated APIs have in common."""

    name = "twilio"
    credentials = CREDENTIALS
    codes = frozenset(map(str, ERRORS))

    @staticmethod
    def error(fault: str, retry_after: int | None) -> Response:
        """Twilio's answer with an error."""
        code = {"500": 20500, "429": 20429}.get(fault) or int(fault)
        return twilio_error(code, retry_after=retry_after)


def twilio_error(code: int, about: str = "", retry_after: int | None = None) -> Response:
    """Twilio's error body; ``about`` completes the message."""
    status, message = ERRORS.get(code, (400, "Bad request"))
    body = {
        "code": code,
        "message": f"{message}{about}",
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return JSONResponse(body, status, retry_after_header(retry_after))


def signed_in(handler: Handler) -> Handler:
    """Require Basic credentials of the form of Twilio's: account SID or API key, and a secret."""

    async def guarded(request: Request) -> Response:
        name, password = basic_credentials(request)
        if not password or not re.fullmatch(r"(AC|SK)[0-9a-fA-F]{32}", name):
            raise ErrorResponse(twilio_error(20003))
        request.scope["login"] = name
        return await handler(request)

    return guarded


def sid(prefix: str) -> str:
    """A new Twilio id."""
    return prefix + secrets.token_hex(16)


def is_sid(prefix: str, value: str) -> bool:
    """Whether a value has the form of such ids."""
    return bool(re.fullmatch(prefix + "[0-9a-fA-F]{32}", value))
