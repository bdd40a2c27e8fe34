"""A Twilio account, and how its answers are read."""

import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from webapp.providers import ProviderError, SetupFault
from webapp.providers.answers import unreadable
from webapp.providers.client import VendorClient
from webapp.providers.twilio.errors import REJECTED_CREDENTIALS, parse_error
from webapp.settings import Settings


@dataclass(frozen=True, slots=True)
class Credentials:
    """A Twilio account with its auth token or an API key."""

    account_sid: str
    auth_token: str = field(default="", repr=False)
    api_key: str = ""
    api_key_secret: str = field(default="", repr=False)

    @classmethod
    def from_settings(cls, settings: Settings) -> "Credentials":
        return cls(
            settings.twilio_account_sid,
            settings.twilio_auth_token,
            settings.twilio_api_key,
            settings.twilio_api_key_secret,
        )

    @property
    def login(self) -> tuple[str, str]:
        """User name and password of HTTP Basic authentication; an API key takes precedence."""
        if self.api_key:
            return self.api_key, self.api_key_secret
        return self.account_sid, self.auth_token


class Twilio:
    """What our clients of Twilio's two products share."""

    def __init__(self, vendor: VendorClient, credentials: Credentials) -> None:
        self._vendor, self._credentials = vendor, credentials

    @cached_property
    def _client(self) -> Any:
        from webapp.providers.twilio.sdk import sdk_client  # noqa: PLC0415 (0.1 s and 15 MB)

        credentials = self._credentials
        return sdk_client(self._vendor, parse_error, credentials.account_sid, *credentials.login)

    def _fault(self, error: ProviderError, variable: str) -> SetupFault:
        """What ``error`` says about our settings; ``variable`` unless it is the credentials."""
        if error.code != REJECTED_CREDENTIALS:
            return SetupFault(variable, f"Twilio says {type(error).__name__}: {error.detail}")
        if self._credentials.api_key:
            key = "Twilio rejects it with its secret, or it is not TWILIO_ACCOUNT_SID's"
            return SetupFault("TWILIO_API_KEY", f"{key} (error {error.code})")
        token = "Twilio rejects it for TWILIO_ACCOUNT_SID"  # noqa: S105 - words
        return SetupFault("TWILIO_AUTH_TOKEN", f"{token} (error {error.code})")


async def read(call: Awaitable[Any]) -> Any:
    """The result of an SDK call. Raises ``ProviderError``, whatever the SDK raises."""
    try:
        return await call
    except ProviderError:
        raise
    except Exception as fault:  # noqa: BLE001 (the SDK takes the shape of an answer on trust)
        raise unreadable("twilio", type(fault).__name__) from None


def checked_sid(sid: object) -> str:
    """``sid`` if it has the form of a Twilio id. Raises ``ProviderError``."""
    if isinstance(sid, str) and re.fullmatch(r"[A-Z]{2}[0-9A-Za-z]{1,62}", sid):
        return sid
    raise unreadable("twilio", "sid")


def check_number(answered: object, asked: str) -> None:
    """Raise ``ProviderError`` if an answer names another number than the one asked about."""
    if answered not in (None, asked):
        raise unreadable("twilio", "to")
