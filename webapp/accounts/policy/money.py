"""What texts and calls may cost. Each is reserved by its price before it is sent.

Money is counted in millionths of the currency by the same rows as every limit.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.events import Events, SiteEvent
from webapp.accounts.people.phones import country_of
from webapp.accounts.policy import usage
from webapp.accounts.policy.prices import MILLION, Prices
from webapp.accounts.policy.rules import (
    BUDGET_FOR_KNOWN,
    SPEND_WARNING_FROM,
    LimitExceeded,
    SpendReached,
)
from webapp.accounts.policy.usage import Limit, Reservation, Scope
from webapp.providers import Price

log = structlog.get_logger(__name__)
WINDOWS = {Scope.SPEND_HOUR: timedelta(hours=1), Scope.SPEND_DAY: timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be spent, in millionths of the currency; ``None`` is any amount."""

    per_hour: int | None = None
    per_day: int | None = None

    def most(self, scope: Scope) -> int | None:
        """What may be spent in the window of ``scope``."""
        return self.per_hour if scope is Scope.SPEND_HOUR else self.per_day


class Money:
    """The allowance of the site, and the prices it is held against."""

    def __init__(self, allowance: Allowance, prices: Prices, events: Events) -> None:
        self.allowance, self.prices, self.events = allowance, prices, events

    @property
    def counts(self) -> bool:
        """Whether anything is to be counted."""
        return self.allowance != Allowance()

    async def price(self, phone: str) -> int:
        """What one text or call to ``phone`` costs; 0 where nobody counts."""
        known = self.counts or self.prices.are_fixed
        return await self.prices.of(country_of(phone)) if known else 0

    async def limits(self, phone: str, *, known: bool) -> list[Limit]:
        """What one text or call to ``phone`` takes of the allowance.

        A tenth is kept for ``known`` people: those who entered a password, and confirmations.
        """
        if not self.counts:
            return []
        return self._limits(await self.price(phone), 0.0 if known else BUDGET_FOR_KNOWN)

    def _limits(self, price: int, kept: float) -> list[Limit]:
        most = {scope: self.allowance.most(scope) for scope in WINDOWS}
        return [
            Limit(scope, "", int(most * (1 - kept)), WINDOWS[scope], SpendReached, takes=price)
            for scope, most in most.items()
            if most is not None
        ]

    async def settle(self, phone: str, sent_at: datetime, price: Price) -> int | None:
        """A receipt tells the ``price`` of what went to ``phone`` at ``sent_at``.

        It takes the place of what was reserved for it: by how many millionths more, or less. None
        where the owner says what texts cost, or the price is in another currency. Call it once for
        each message.
        """
        if self.prices.are_fixed or price.currency != self.prices.currency:
            return None
        more = price.millionths - await self.price(phone)
        limits = self._limits(more, 0.0)
        await usage.add({limit: limit.takes for limit in limits}, sent_at)
        return more

    async def warn(self, reservation: Reservation) -> None:
        """Tell once in each window that ``reservation`` made most of the allowance spent."""
        for limit, total in zip(reservation.limits, reservation.totals, strict=True):
            most = self.allowance.most(limit.scope) if limit.scope in WINDOWS else None
            if most and total - limit.takes < most * SPEND_WARNING_FROM <= total:
                await self._warn(limit, total, most, reservation.at)

    async def _warn(self, limit: Limit, total: int, most: int, at: datetime) -> None:
        once = Limit(Scope.WARNED, limit.scope, 1, limit.window, LimitExceeded)
        try:
            await usage.reserve([once], at)
        except LimitExceeded:  # refunds had it fall below, and it rises again
            return
        about = {
            "spent": total / MILLION,
            "limit": most / MILLION,
            "currency": self.prices.currency,
            "hours": limit.window // timedelta(hours=1),
        }
        log.error("spend_warning", **about)
        async with in_transaction():
            await self.events.warn(SiteEvent.SPEND_WARNING, about, at)
