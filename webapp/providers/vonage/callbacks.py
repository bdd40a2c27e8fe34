"""Vonage's delivery receipts: where they go, whether they are Vonage's, and what they say.

https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts
"""

import hashlib
import hmac
import re
from collections.abc import Mapping

from webapp.providers import DeliveryState, ForgedReceipt, Receipt
from webapp.settings import Settings

PATH = "/hooks/vonage/"
LONGEST_URL = 100  # characters that Vonage takes
STATES = {
    "delivered": DeliveryState.DELIVERED,
    "expired": DeliveryState.FAILED,
    "failed": DeliveryState.FAILED,
    "rejected": DeliveryState.FAILED,
}
NO_ERROR = "0"


def callback_url(settings: Settings) -> str:
    """Our hook's URL; nothing where Vonage could not reach it, or takes none as long."""
    reachable = settings.https or settings.vonage_base_url or "vonage" in settings.simulated
    url = f"{settings.base_url}{PATH}{path_secret(settings.secret_key)}"
    return url if reachable and len(url) <= LONGEST_URL else ""


def path_secret(secret_key: str) -> str:
    """The end of the hook's path, which nobody but Vonage is told: 128 bits, for a short URL."""
    return hmac.digest(secret_key.encode(), b"vonage receipt", hashlib.sha256).hex()[:32]


class VonageCallbacks:
    """Reads Vonage's receipts.

    The SMS API signs them only where an account asks for it, with a secret of its own. So the
    secret in the path is what tells them from a stranger's.
    """

    def __init__(self, settings: Settings) -> None:
        self._secret = path_secret(settings.secret_key)

    def read(
        self,
        path_secret: str,
        fields: Mapping[str, str],
        signature: str,  # noqa: ARG002
    ) -> Receipt | None:
        """The receipt in a callback; None where it names no message, or tells nothing of it.

        Raises ``ForgedReceipt``.
        """
        if not hmac.compare_digest(path_secret.encode(), self._secret.encode()):
            raise ForgedReceipt
        message, status = fields.get("messageId", ""), fields.get("status", "")
        if not (re.fullmatch(r"[0-9A-Za-z-]{1,64}", message) and status):
            return None
        state = STATES.get(status.lower(), DeliveryState.ON_ITS_WAY)
        number, error = fields.get("msisdn", ""), fields.get("err-code", NO_ERROR)
        return Receipt(
            message,
            state,
            phone=f"+{number}" if re.fullmatch(r"[0-9]{7,15}", number) else "",
            error="" if error == NO_ERROR else error,
            price_listed=False,
        )
