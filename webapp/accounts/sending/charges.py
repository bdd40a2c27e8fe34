"""Charges: what a message cost, as the vendor says some time after it was sent.

Until then what was reserved for it counts. It stands where the vendor never tells a price.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from webapp.accounts.history.reasons import Reason
from webapp.accounts.history.recorder import History
from webapp.accounts.policy.money import Money
from webapp.accounts.sending import stored_receipts
from webapp.providers import ProviderError, Receipt, ReceiptSource

log = structlog.get_logger(__name__)

BATCH = 200  # messages whose prices are read at a time
FIRST_AFTER = timedelta(minutes=1)
ASK_EVERY = timedelta(minutes=15)
ASK_FOR = timedelta(hours=3)
QUEUED_FOR = timedelta(minutes=5)  # between a message and the first that we hear of it, mostly


class Charges:
    """Reads prices from the vendors' lists, and puts each in the place of what was reserved."""

    def __init__(
        self,
        sources: Sequence[ReceiptSource],
        money: Money,
        history: History,
        clock: Callable[[], datetime],
    ) -> None:
        """``sources`` are asked one after the other, until each message is found."""
        self._sources, self._money, self._history, self._clock = sources, money, history, clock

    def first_due_at(self, now: datetime) -> datetime | None:
        """When to ask for the price of a message that is heard of at ``now``; None for never."""
        return None if self._money.prices.are_fixed else now + FIRST_AFTER

    async def settle(self, receipt: Receipt) -> None:
        """Count the price in a receipt, if it tells one: once for each message."""
        if not (receipt.price and receipt.phone and receipt.sent_at):
            return
        if not await stored_receipts.claim_price(receipt.message):
            return
        more = await self._money.settle(receipt.phone, receipt.sent_at, receipt.price)
        if more is not None:
            self._history.record(
                Reason.PRICED, receipt.phone, money=more, at=receipt.sent_at, kept=False
            )

    async def ask(self) -> None:
        """One round: a question to the vendor for all messages whose prices are due."""
        now = self._clock()
        if self.first_due_at(now) is None:
            return
        due = await stored_receipts.claim_prices_due(BATCH, now, now + ASK_EVERY)
        await self._ask_for(due)
        over = [message for message, heard_at in due.items() if now - heard_at >= ASK_FOR]
        await stored_receipts.stop_asking(over)

    async def _ask_for(self, due: dict[str, datetime]) -> None:
        missing = set(due)
        for source in self._sources:
            if not missing:
                return
            since, until = min(due.values()) - QUEUED_FOR, max(due.values()) + QUEUED_FOR
            try:
                receipts = await source.receipts(since, until)
            except ProviderError as error:  # logged by the client; asked again later
                log.info("prices_not_read", kind=type(error).__name__)
                continue
            for receipt in receipts:
                if receipt.message in missing:
                    missing.remove(receipt.message)
                    await self.settle(receipt)
