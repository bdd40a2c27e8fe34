"""Receipts: what the network did with a message, as the vendor tells us or is asked.

A receipt never decides that somebody is verified. It changes what a person reads while they wait,
and what operators count.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.challenges import sends
from webapp.accounts.challenges.verifications import Outcome, Verification
from webapp.accounts.history.reasons import Reason
from webapp.accounts.history.recorder import History
from webapp.accounts.policy.money import Money
from webapp.accounts.sending.carriers import NOTICE
from webapp.accounts.statements import run
from webapp.providers import Channel, DeliveryState, ProviderError, Receipt, Verifier

log = structlog.get_logger(__name__)

BATCH = 50  # verifications for which the vendor is asked, or told, at a time
ASK_EVERY = timedelta(seconds=5)
ASK_FOR = timedelta(minutes=2)  # after a send; nobody waits for its text any longer
REASONS = {DeliveryState.DELIVERED: Reason.DELIVERED, DeliveryState.FAILED: Reason.FAILED}


class StoredReceipt(Model):
    """The last word on a message, by the vendor's id of it. It names nobody."""

    message = fields.CharField(max_length=64, primary_key=True)
    state = fields.SmallIntField()
    at = fields.DatetimeField()

    class Meta:
        table = "receipts"
        indexes = (Index(fields=("at",)),)  # the purge


async def _is_news(receipt: Receipt, now: datetime) -> bool:
    """Save a receipt that says more than the one before: False for a repeated or belated one."""
    rows = await run(
        "INSERT INTO receipts (message, state, at) VALUES ($1, $2, $3) ON CONFLICT (message)"
        " DO UPDATE SET state = excluded.state, at = excluded.at"
        " WHERE receipts.state < excluded.state RETURNING state",
        receipt.message,
        receipt.state,
        now,
    )
    return bool(rows)


def _waits(verification: Verification, now: datetime) -> bool:
    """Whether somebody may still be waiting for this code."""
    sent_at = verification.sent_at
    is_fresh = sent_at is not None and now - sent_at <= ASK_FOR
    return verification.outcome is Outcome.PENDING and is_fresh


class Receipts:
    """Takes receipts, and asks the vendor for those that it does not send."""

    def __init__(
        self, verifier: Verifier, history: History, money: Money, clock: Callable[[], datetime]
    ) -> None:
        self._verifier, self._history, self._clock = verifier, history, clock
        self._money = money

    async def take(self, receipt: Receipt, sent_at: datetime | None = None) -> None:
        """Record what became of a message, if it is final and news, and what it cost.

        A receipt may come before we know that the vendor has the message: see ``record_sent``.
        """
        now, reason = self._clock(), REASONS.get(receipt.state)
        if reason is None or not await _is_news(receipt, now):
            return
        is_code = await sends.record_delivery(receipt.message, receipt.state, now)
        channel = Channel.SMS if is_code else NOTICE
        self._history.record(reason, receipt.phone, channel=channel, detail=receipt.error)
        if receipt.price and sent_at:
            await self._money.settle(receipt.phone, sent_at, receipt.price)
        log.info("receipt", state=receipt.state.name.lower(), channel=channel, error=receipt.error)

    async def ask(self) -> None:
        """One round: one question to the vendor for all who wait, and a report for each success."""
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
        for receipt in await self._verifier.receipts(min(sent_at for _, sent_at in sent.values())):
            if receipt.message in sent:
                phone, sent_at = sent[receipt.message]
                await self.take(replace(receipt, phone=phone), sent_at)
