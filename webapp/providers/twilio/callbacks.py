"""Twilio's status callbacks: where they go, whether they are Twilio's, and what they say.

https://www.twilio.com/docs/usage/security and .../messaging/api/message-resource
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from webapp.providers import DeliveryState, ForgedReceipt, Receipt
from webapp.settings import Settings

PATH = "/hooks/twilio/"
STATES = {
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.DELIVERED,
    "completed": DeliveryState.DELIVERED,  # a call
    "undelivered": DeliveryState.FAILED,
    "failed": DeliveryState.FAILED,
    "busy": DeliveryState.FAILED,
    "no-answer": DeliveryState.FAILED,
}


def state_of(status: object) -> DeliveryState:
    """What Twilio's status of a text or call means; a new word of theirs means nothing."""
    return STATES.get(str(status).lower(), DeliveryState.ON_ITS_WAY)


def number_in(to: object) -> str:
    """The E.164 number in Twilio's ``to``, which may have the channel before it; else nothing."""
    number = str(to).removeprefix("whatsapp:")
    return number if re.fullmatch(r"\+[0-9]{7,15}", number) else ""


def time_in(told: object) -> datetime | None:
    """The time in an answer, if the SDK could read it."""
    return told if isinstance(told, datetime) else None


def callback_url(settings: Settings) -> str:
    """Our hook's URL; nothing where Twilio could not reach it, and would reject the text for it."""
    reachable = settings.https or settings.twilio_base_url or "twilio" in settings.simulated
    return f"{settings.base_url}{PATH}{path_secret(settings.secret_key)}" if reachable else ""


def path_secret(secret_key: str) -> str:
    """The end of the hook's path, which nobody but Twilio is told."""
    return hmac.digest(secret_key.encode(), b"twilio status callback", hashlib.sha256).hex()


class TwilioCallbacks:
    """Reads Twilio's callbacks.

    They are signed by the auth token. Where we have an API key instead, we cannot check that, and
    the secret in the path is all that tells them from a stranger's.
    """

    def __init__(self, settings: Settings) -> None:
        self._token = settings.twilio_auth_token
        self._secret = path_secret(settings.secret_key)
        self._url = f"{settings.base_url}{PATH}{self._secret}"

    @cached_property
    def _validator(self) -> Any:
        from twilio.request_validator import RequestValidator  # noqa: PLC0415

        return RequestValidator(self._token)

    def read(self, path_secret: str, fields: Mapping[str, str], signature: str) -> Receipt | None:
        """The receipt in a callback; None where it names no message, or tells nothing of it.

        Raises ``ForgedReceipt``.
        """
        if not hmac.compare_digest(path_secret.encode(), self._secret.encode()):
            raise ForgedReceipt
        if self._token and not self._validator.validate(self._url, fields, signature):
            raise ForgedReceipt
        message, status = fields.get("MessageSid", ""), fields.get("MessageStatus", "")
        if not (message and status):
            return None
        return Receipt(message, state_of(status), fields.get("To", ""), fields.get("ErrorCode", ""))
