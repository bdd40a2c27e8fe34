"""How a code is checked: each step is one conditional UPDATE."""

from datetime import datetime
from enum import StrEnum

from tortoise.expressions import F

from webapp.accounts.challenges.verifications import (
    Outcome,
    Verification,
    pending_row,
    reread,
    row_of,
)
from webapp.accounts.policy import limits
from webapp.accounts.policy.rules import (
    CHECKS_PER_VERIFICATION,
    LimitExceeded,
)
from webapp.accounts.statements import run


class CheckClaim(StrEnum):
    """The result of claiming one check of a code."""

    CLAIMED = "claimed"
    SPENT = "spent"  # the code was checked ``CHECKS_PER_VERIFICATION`` times before
    OVER = "over"  # the code expired or was replaced or used


async def claim_check(verification: Verification, now: datetime) -> CheckClaim:
    """Reserve one check in the caller's transaction, before it is known whether the code is right.

    Raises ``PhoneChecksSpent``, after which that transaction has to be rolled back.
    """
    claimed = await run(
        "UPDATE verifications SET checks = checks + 1"
        " WHERE id = $1 AND outcome = $2 AND expires_at > $3 AND checks < $4 RETURNING checks",
        verification.id,
        Outcome.PENDING,
        now,
        CHECKS_PER_VERIFICATION,
    )
    if not claimed:
        await reread(verification)
        return CheckClaim.OVER if verification.checks_left else CheckClaim.SPENT
    verification.checks = claimed[0]["checks"]
    try:
        await limits.reserve_check(verification.phone, now)
    except LimitExceeded:  # which rolls the caller's transaction back
        verification.checks -= 1
        raise
    return CheckClaim.CLAIMED


async def refund_check(verification: Verification, now: datetime) -> None:
    """Give back the check claimed at ``now``: it definitely did not reach the vendor."""
    verification.checks -= 1
    await row_of(verification).update(checks=F("checks") - 1)
    await limits.refund_check(verification.phone, now)


async def exhaust(verification: Verification) -> None:
    """Use up all checks: a new code can be sent after this one's window, as at the vendor."""
    verification.checks = CHECKS_PER_VERIFICATION
    await pending_row(verification).update(checks=CHECKS_PER_VERIFICATION)
