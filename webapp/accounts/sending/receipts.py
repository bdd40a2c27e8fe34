"""Receipts: what the network did with a message, as the vendor tells us or is asked.

A receipt never decides that somebody is verified. It changes what a person reads while they wait,
and what operators count.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from tortoise.transactions import in_transaction

from webapp.accounts.challenges import sends
from webapp.accounts.challenges.verifications import Outcome, Verification
from webapp.accounts.history.reasons import Reason
from webapp.accounts.history.recorder import History
from webapp.accounts.sending import stored_receipts
from webapp.accounts.sending.carriers import NOTICE
from webapp.accounts.sending.charges import Charges
from webapp.providers import Channel, DeliveryState, ProviderError, Receipt, Verifier

log = structlog.get_logger(__name__)

BATCH = 50  # verifications for which the vendor is asked, or told, at a time
ASK_EVERY = timedelta(seconds=5)
ASK_FOR = timedelta(minutes=2)  # after a send; nobody waits for its text any longer
REASONS = {DeliveryState.DELIVERED: Reason.DELIVERED, DeliveryState.FAILED: Reason.FAILED}


def _waits(verification: Verification, now: datetime) -> bool:
    """Whether somebody may still be waiting for this code."""
    sent_at = verification.sent_at
    is_fresh = sent_at is not None and now - sent_at <= ASK_FOR
    return verification.outcome is Outcome.PENDING and is_fresh


class Receipts:
    """Takes receipts, and asks the vendor for those that it does not send."""

    def __init__(
        self, verifier: Verifier, history: History, charges: Charges, clock: Callable[[], datetime]
    ) -> None:
        self._verifier, self._history, self._clock = verifier, history, clock
        self._charges = charges

    async def take(self, receipt: Receipt) -> None:
        """Record what became of a message, if it is final and news, and what it cost.

        A receipt may come before we know that the vendor has the message: see ``record_sent``.
        """
        now = self._clock()
        price_due_at = self._charges.first_due_at(now) if receipt.price_listed else None
        reason, is_code = REASONS.get(receipt.state), False
        async with in_transaction():  # or a receipt could be known whose person never hears of it
            is_news = await stored_receipts.save(receipt, now, price_due_at)
            if is_news and reason:
                is_code = await sends.record_delivery(receipt.message, receipt.state, now)
        if is_news and reason:
            self._record(receipt, reason, is_code=is_code)
        await self._charges.settle(receipt)

    def _record(self, receipt: Receipt, reason: Reason, *, is_code: bool) -> None:
        channel = (receipt.channel or Channel.SMS) if is_code else NOTICE
        self._history.record(reason, receipt.phone, channel=channel, detail=receipt.error)
        log.info("receipt", state=receipt.state.name.lower(), channel=channel, error=receipt.error)

    async def ask(self) -> None:
        """One round: a question to the vendor for all who wait, and a report for each success;
        then one for the prices that are due.
        """
        await self._ask_for_codes()
        await self._charges.ask()

    async def _ask_for_codes(self) -> None:
        now = self._clock()
        due = await sends.claim_receipts_due(BATCH, now, now + ASK_EVERY)
        waiting = [one for one in due if _waits(one, now)]
        over = [one for one in due if not _waits(one, now)]
        try:
            await self._ask_for(waiting)
            for verification in over:
                if verification.outcome is Outcome.APPROVED:
                    await self._verifier.report_success(verification.message)
        except ProviderError as error:  # logged by the client; those who wait are asked for again
            log.info("receipts_not_read", kind=type(error).__name__)
        await sends.settle_receipts(over)

    async def _ask_for(self, waiting: Sequence[Verification]) -> None:
        sent = {one.message: (one.phone, one.sent_at) for one in waiting if one.sent_at}
        if not sent:
            return
        times = [sent_at for _, sent_at in sent.values()]
        for receipt in await self._verifier.receipts(min(times), max(times)):
            if receipt.message in sent:
                phone, sent_at = sent[receipt.message]
                await self.take(replace(receipt, phone=phone, sent_at=sent_at))
