"""How the rest of a budget is shared out, so that strangers who use it up shut nobody out.

The first half of the budget, and of a prefix's brake, is for whoever comes first. After it, what
counts is what was not entered:

- An address may have ``SCARCE_SENDS_PER_ADDRESS`` codes an hour that nobody entered.
- Once half of the budget is used, a dialling prefix may have ``SCARCE_SENDS_PER_PREFIX`` of them,
  or as many as were verified there within a day, if that is more.
- The last quarter is for prefixes in which somebody verified within a day.

Money is shared out like the budget: what counts is whichever of them is used most.

So whoever sends codes to numbers that are not theirs ends their own share, and people who enter
their codes have one as long as there is any budget.
"""

from collections.abc import Mapping, Sequence

from webapp.accounts.policy.rules import (
    KEPT_FROM,
    SCARCE_FROM,
    SCARCE_SENDS_PER_ADDRESS,
    SCARCE_SENDS_PER_PREFIX,
    BudgetSpent,
)
from webapp.accounts.policy.usage import Limit, Scope, Used

BUDGETS = (Scope.SITE, Scope.SPEND_HOUR, Scope.SPEND_DAY)


def share_out(limits: Sequence[Limit], windows: Sequence[Used]) -> list[Limit]:
    """``limits`` as they hold when their windows hold ``windows``."""
    used = {limit.scope: window.total for limit, window in zip(limits, windows, strict=True)}
    parts = {limit.scope: _part(limit, used[limit.scope]) for limit in limits}
    return [_share(limit, used, parts) for limit in limits]


def _part(limit: Limit, used: int) -> float:
    """The part of a limit that is used, from 0 to 1."""
    return used / limit.most if limit.most else 0.0


def _share(limit: Limit, used: Mapping[Scope, int], parts: Mapping[Scope, float]) -> Limit:
    site = max(parts.get(scope, 0.0) for scope in BUDGETS)
    if limit.scope is Scope.ADDRESS and max(site, parts[Scope.PREFIX]) >= SCARCE_FROM:
        return limit._replace(most=SCARCE_SENDS_PER_ADDRESS)
    if limit.scope is Scope.PREFIX and site >= SCARCE_FROM:
        verified = used[Scope.VERIFIED]
        share = max(SCARCE_SENDS_PER_PREFIX, verified) if verified or site < KEPT_FROM else 0
        if limit.most is None or share < limit.most:
            return limit._replace(most=share, exceeded=BudgetSpent)
    return limit
