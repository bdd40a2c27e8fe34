"""The table of links that were asked for by people who are not signed in: how many, by email.

Emails that nobody has are counted as well, so that the count tells nobody which exist.
"""

from datetime import datetime
from typing import NoReturn

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.keyed_hash import keyed_hash
from webapp.accounts.policy.rules import (
    DAY,
    EMAIL_COOL_DOWN,
    EMAILS_PER_ADDRESS,
    EmailCoolingDown,
    EmailsSpent,
)
from webapp.accounts.statements import run


class LinkRequest(Model):
    """The links asked for with one email in the day that began with the first of them.

    ``key`` is a keyed hash of the email as it is compared.
    """

    key = fields.CharField(max_length=64, primary_key=True)
    asked = fields.SmallIntField()
    since = fields.DatetimeField()
    next_at = fields.DatetimeField()

    class Meta:
        table = "link_requests"
        indexes = (Index(fields=("since",)),)  # the purge


CLAIM = """
    INSERT INTO link_requests (key, asked, since, next_at) VALUES ($1, 1, $2, $3)
    ON CONFLICT (key) DO UPDATE SET next_at = $3,
        asked = CASE WHEN link_requests.since <= $4 THEN 1 ELSE link_requests.asked + 1 END,
        since = CASE WHEN link_requests.since <= $4 THEN $2 ELSE link_requests.since END
    WHERE link_requests.next_at <= $2 AND (link_requests.asked < $5 OR link_requests.since <= $4)
    RETURNING asked
"""


async def claim(folded_email: str, secret_key: str, now: datetime) -> None:
    """Count one link for this email, in the transaction that is open here.

    Raises ``EmailCoolingDown`` or ``EmailsSpent``.
    """
    key = key_of(folded_email, secret_key)
    if not await run(CLAIM, key, now, now + EMAIL_COOL_DOWN, now - DAY, EMAILS_PER_ADDRESS):
        await _explain(key, now)


async def _explain(key: str, now: datetime) -> NoReturn:
    request = await LinkRequest.get(key=key)
    if request.asked >= EMAILS_PER_ADDRESS and request.since > now - DAY:
        raise EmailsSpent(request.since + DAY - now)
    raise EmailCoolingDown(request.next_at - now)


def key_of(folded_email: str, secret_key: str) -> str:
    """The key under which links for this email are counted."""
    return keyed_hash(secret_key, "link request", folded_email)
