"""Twilio's own alarms on what an account uses, which hold whatever this site counts.

https://www.twilio.com/docs/usage/api/usage-trigger
"""

from typing import Any

from webapp.providers import ProviderError
from webapp.providers.twilio.account import Twilio, read

MOST = 50  # usage triggers read
NONE = (
    "no usage trigger at Twilio watches the price. One (totalprice, by price, daily) warns you of "
    "costs even if nothing here does"
)


class UsageTriggers(Twilio):
    """The usage triggers of the account."""

    async def remarks(self) -> list[str]:
        """A line for each that watches the price, or that none does. Raises nothing."""
        account = self._client.api.v2010.accounts(self._credentials.account_sid)
        try:
            found = await read(account.usage.triggers.list_async(limit=MOST, page_size=MOST))
        except ProviderError:  # not every credential may read them
            return []
        lines = [_told(trigger) for trigger in found if trigger.trigger_by == "price"]
        return [f"TWILIO_ACCOUNT_SID: {line}" for line in lines or [NONE]]


def _told(trigger: Any) -> str:
    often = trigger.recurring or "in all"
    reached = f"{trigger.current_value} of {trigger.trigger_value} {often}"
    return f"a usage trigger at Twilio watches the price of {trigger.usage_category}: {reached}"
