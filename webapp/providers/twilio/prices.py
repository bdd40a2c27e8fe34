"""Twilio's list of prices.

https://www.twilio.com/docs/messaging/api/pricing
"""

from decimal import Decimal

from webapp.providers import Price
from webapp.providers.twilio.account import Twilio, read

MILLION = 1_000_000


def price_of(amount: object, currency: object) -> Price | None:
    """What Twilio says that a message cost, with or without a minus; None while it says nothing."""
    try:
        millionths = abs(int(Decimal(str(amount)) * MILLION))
    except (ArithmeticError, ValueError):
        return None
    return Price(millionths, str(currency).upper())


class TwilioPrices(Twilio):
    """The prices of texts, by country."""

    async def text_price(self, country: str) -> Price:
        """The dearest carrier's price in ``country`` (ISO 3166). Raises ``ProviderError``."""
        price: Price = await read(self._dearest(country))
        return price

    async def _dearest(self, country: str) -> Price:
        listed = await self._client.pricing.v1.messaging.countries(country).fetch_async()
        prices = [
            Decimal(price["current_price"])
            for carrier in listed.outbound_sms_prices
            for price in carrier["prices"]
        ]
        return Price(int(max(prices) * MILLION), listed.price_unit.upper())
