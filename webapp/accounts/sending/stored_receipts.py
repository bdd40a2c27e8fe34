"""The table of receipts: the last word on each message, and whether its price is still to be read.

Many processes read and write it. Each function is one statement, and its rows tell whether it was
this call that did it.
"""

from collections.abc import Collection
from datetime import datetime

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.statements import moment, run
from webapp.providers import Receipt


class StoredReceipt(Model):
    """The last word on a message, by the vendor's id of it. It names nobody."""

    message = fields.CharField(max_length=64, primary_key=True)
    state = fields.SmallIntField()
    at = fields.DatetimeField()  # when the vendor told of it first
    # When the vendor is asked for the price next; null where it is known, or nobody asks.
    price_due_at = fields.DatetimeField(null=True)

    class Meta:
        table = "receipts"
        indexes = (
            Index(fields=("at",)),  # the purge
            Index(fields=("price_due_at",)),
        )


async def save(receipt: Receipt, now: datetime, price_due_at: datetime | None) -> bool:
    """Save a receipt that says more than the one before: False for a repeated or belated one.

    The vendor is first asked for the message's price at ``price_due_at``, if ever.
    """
    rows = await run(
        "INSERT INTO receipts (message, state, at, price_due_at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (message) DO UPDATE SET state = excluded.state"
        " WHERE receipts.state < excluded.state RETURNING state",
        receipt.message,
        receipt.state,
        now,
        price_due_at,
    )
    return bool(rows)


async def claim_prices_due(most: int, now: datetime, again_at: datetime) -> dict[str, datetime]:
    """Take at most ``most`` messages whose price is to be asked for: when each was first heard of.

    They are due again at ``again_at``.
    """
    rows = await run(
        "UPDATE receipts SET price_due_at = $2 WHERE message IN (SELECT message FROM receipts"
        " WHERE price_due_at <= $1 ORDER BY price_due_at, at LIMIT $3 FOR UPDATE SKIP LOCKED)"
        " RETURNING message, at",
        now,
        again_at,
        most,
    )
    return {row["message"]: moment(row["at"]) or now for row in rows}


async def claim_price(message: str) -> bool:
    """Whether the caller is the one that counts the message's price, which happens once."""
    rows = await run(
        "UPDATE receipts SET price_due_at = NULL WHERE message = $1 AND price_due_at IS NOT NULL"
        " RETURNING message",
        message,
    )
    return bool(rows)


async def stop_asking(messages: Collection[str]) -> None:
    """The vendor is asked no more for the prices of these."""
    if messages:
        await StoredReceipt.filter(message__in=messages).update(price_due_at=None)
