"""The simulated APIs that tell what a Twilio account has: numbers, services, permissions."""

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webapp.sandbox.phone import Inbox
from webapp.sandbox.twilio import NUMBER, Twilio, is_sid, sid, signed_in, twilio_error
from webapp.sandbox.twin import ErrorResponse


class Account(Twilio):
    """An account with one number, any messaging service, and every country but North Korea."""

    hosts = frozenset({"messaging.twilio.com", "accounts.twilio.com"})

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        super().__init__(inbox, clock)
        self.routes = [
            Route("/v1/Services/{service}", signed_in(self.service)),
            Route("/v1/Messaging/GeoPermissions", signed_in(self.permissions)),
        ]

    async def service(self, request: Request) -> Response:
        """A messaging service."""
        service = str(request.path_params["service"])
        if not is_sid("MG", service):
            raise ErrorResponse(twilio_error(20404))
        return JSONResponse({"sid": service, "friendly_name": "Sandbox"})

    async def permissions(self, _: Request) -> Response:
        """The countries that may be texted."""
        closed = {"country_code": "KP", "type": "country", "enabled": False}
        return JSONResponse({"permissions": [closed]})


async def numbers(request: Request) -> Response:
    """The account's numbers, by PhoneNumber."""
    wanted = request.query_params.get("PhoneNumber", NUMBER)
    owned = [{"phone_number": NUMBER, "sid": sid("PN")}] if wanted == NUMBER else []
    return JSONResponse({"incoming_phone_numbers": owned, "page": 0, "next_page_uri": None})


async def usage_triggers(_: Request) -> Response:
    """The account's alarms: one on what it spends in a day."""
    trigger = {
        "sid": sid("UT"),
        "usage_category": "totalprice",
        "trigger_by": "price",
        "trigger_value": "50",
        "current_value": "1.25",
        "recurring": "daily",
    }
    return JSONResponse({"usage_triggers": [trigger], "page": 0, "next_page_uri": None})
