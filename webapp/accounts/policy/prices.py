"""What a text costs in each country: by the setting PRICES, or by the vendor's list, kept a day."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from tortoise import fields
from tortoise.models import Model

from webapp.accounts.statements import run
from webapp.providers import Price, PriceList, ProviderError, Unreachable

log = structlog.get_logger(__name__)
MILLION = 1_000_000
KEPT = timedelta(days=1)
ASK_AGAIN = timedelta(minutes=5)  # after the vendor did not tell
PATIENCE = 2.0  # seconds that a sign-up waits for the vendor's list, once a day and country
UNKNOWN_PRICE = 300_000  # millionths; dearer than a text to nearly every country
OTHERS = "*"  # in PRICES: every country that is not named


class CountryPrice(Model):
    """The vendor's price for a text to one country, as it was read last."""

    country = fields.CharField(max_length=2, primary_key=True)  # ISO 3166
    millionths = fields.BigIntField()
    currency = fields.CharField(max_length=3)  # ISO 4217
    read_at = fields.DatetimeField()

    class Meta:
        table = "country_prices"


class Prices:
    """The price of one text or call to a country, in millionths of ``currency``.

    ``fixed`` are those of the setting; where there are any, the vendor's ``source`` is not read. A
    price that nobody tells is ``UNKNOWN_PRICE``, so that what is not known cannot be cheap.
    """

    def __init__(
        self,
        fixed: Mapping[str, int],
        source: PriceList | None,
        currency: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._fixed, self._source, self.currency, self._clock = fixed, source, currency, clock
        self._known: dict[str, tuple[int, datetime]] = {}  # by country, and until when

    @property
    def are_fixed(self) -> bool:
        """Whether the setting has them."""
        return bool(self._fixed)

    async def of(self, country: str) -> int:
        """The price for ``country`` (ISO 3166). Raises a database error at most."""
        if self._fixed or not self._source:
            return self._fixed.get(country, self._fixed.get(OTHERS, UNKNOWN_PRICE))
        price, until = self._known.get(country, (0, self._clock()))
        if until > self._clock():
            return price
        price, until = await self._look_up(country, self._source)
        self._known[country] = price, until
        return price

    async def _look_up(self, country: str, source: PriceList) -> tuple[int, datetime]:
        """The price, and until when it counts."""
        now, kept = self._clock(), await CountryPrice.get_or_none(country=country)
        if kept and kept.read_at + KEPT > now and kept.currency == self.currency:
            return kept.millionths, kept.read_at + KEPT
        try:
            price = await _ask(source, country)
        except ProviderError as error:
            log.warning("price_not_read", country=country, kind=type(error).__name__)
            known = kept and kept.currency == self.currency
            return (kept.millionths if kept and known else UNKNOWN_PRICE), now + ASK_AGAIN
        await _keep(country, price, now)
        if price.currency != self.currency:
            log.error("price_currency", country=country, currency=price.currency, set="PRICES")
            return UNKNOWN_PRICE, now + KEPT
        return price.millionths, now + KEPT


async def _ask(source: PriceList, country: str) -> Price:
    try:
        async with asyncio.timeout(PATIENCE):
            return await source.text_price(country)
    except TimeoutError:
        raise Unreachable("no price in time", maybe_sent=False) from None


async def _keep(country: str, price: Price, now: datetime) -> None:
    await run(
        "INSERT INTO country_prices (country, millionths, currency, read_at)"
        " VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (country) DO UPDATE SET millionths = excluded.millionths,"
        " currency = excluded.currency, read_at = excluded.read_at",
        country,
        price.millionths,
        price.currency,
        now,
    )
