"""The simulated list of what Twilio's texts cost."""

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webapp.sandbox.phone import Inbox
from webapp.sandbox.twilio import Twilio, signed_in, twilio_error
from webapp.sandbox.twin import ErrorResponse

LISTED = {"US": ("0.0079", "0.0083"), "GB": ("0.0463", "0.0524"), "NG": ("0.3526", "0.4063")}
ELSEWHERE = ("0.0550", "0.0750")


class Prices(Twilio):
    """A list with two carriers in each country."""

    hosts = frozenset({"pricing.twilio.com"})

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        super().__init__(inbox, clock)
        self.routes = [Route("/v1/Messaging/Countries/{country}", signed_in(self.country))]

    async def country(self, request: Request) -> Response:
        """What a text costs in a country."""
        country = str(request.path_params["country"])
        if not (country.isalpha() and country.isupper() and len(country) == 2):  # noqa: PLR2004
            raise ErrorResponse(twilio_error(20404))
        carriers = [
            {
                "carrier": f"Carrier {number}",
                "mcc": "001",
                "mnc": f"{number:02}",
                "prices": [{"number_type": "mobile", "base_price": price, "current_price": price}],
            }
            for number, price in enumerate(LISTED.get(country, ELSEWHERE), 1)
        ]
        return JSONResponse(
            {
                "country": country,
                "iso_country": country,
                "price_unit": "USD",
                "outbound_sms_prices": carriers,
                "inbound_sms_prices": [],
                "url": f"https://pricing.twilio.com/v1/Messaging/Countries/{country}",
            }
        )
