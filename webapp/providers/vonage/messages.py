"""Vonage's SMS API carries plain texts.

https://developer.vonage.com/en/api/sms
"""

import re
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from webapp.providers import (
    Blocked,
    Busy,
    InvalidNumber,
    Misconfigured,
    NotFound,
    ProviderError,
    Receipt,
    SetupFault,
    Unreachable,
)
from webapp.providers.answers import Answer, error_from, unreadable
from webapp.providers.client import Connect, VendorClient
from webapp.providers.vonage.callbacks import callback_url
from webapp.segments import is_gsm_7
from webapp.settings import Settings

ORIGIN = "https://rest.nexmo.com"
ACCEPTED = "0"
SHORTEST_TTL = timedelta(minutes=30)  # Vonage advises against less: operators vary
LONGEST_TTL = timedelta(days=7)
KINDS: dict[str, type[ProviderError]] = {
    "1": Busy,  # more texts a second than the account may send
    "2": Misconfigured,  # a parameter is missing
    "3": InvalidNumber,  # the one parameter that people give us
    "4": Misconfigured,  # key and secret
    "5": Unreachable,  # an error at the vendor, who may have sent the text
    "6": InvalidNumber,  # no network has the number's prefix
    "7": Blocked,
    "8": Misconfigured,  # the account is suspended
    "9": Misconfigured,  # no credit
    "10": Busy,  # too many connections
    "11": Misconfigured,  # the account may not use this API
    "12": Misconfigured,  # too long
    "14": Misconfigured,  # a signature that we do not send
    "15": Misconfigured,  # the sender
    "22": InvalidNumber,  # no such network
    "23": Misconfigured,  # the callback
    "29": Misconfigured,  # a demo account texts numbers on its list only
    "32": Misconfigured,  # signature and secret together
    "33": InvalidNumber,  # not in service any more
}


class VonageMessages:
    """Plain texts by Vonage."""

    name = "vonage"

    def __init__(
        self, vendor: VendorClient, key: str, secret: str, *, number: str, callback_url: str = ""
    ) -> None:
        """Texts come from ``number``: E.164, a short code, or a name where carriers let one be.

        What becomes of them is sent to ``callback_url``, if there is one.
        """
        self._vendor, self._auth, self._number = vendor, (key, secret), number.removeprefix("+")
        self._callback = {"callback": callback_url} if callback_url else {}

    @classmethod
    def from_settings(cls, settings: Settings, connect: Connect) -> "VonageMessages":
        return cls(
            connect("vonage"),
            settings.vonage_api_key,
            settings.vonage_api_secret,
            number=settings.vonage_number,
            callback_url=callback_url(settings),
        )

    async def send(
        self,
        to: str,
        body: str,
        *,
        valid_for: timedelta,
        is_code: bool = False,  # noqa: ARG002
    ) -> str:
        """Text ``body``: the id of the message. Raises ``ProviderError``."""
        ttl = min(max(valid_for, SHORTEST_TTL), LONGEST_TTL)
        answer = await self._vendor.call(
            "sms",
            "POST",
            f"{ORIGIN}/sms/json",
            parse_error=parse_error,
            auth=self._auth,
            data={
                "from": self._number,
                "to": to.removeprefix("+"),
                "text": body,
                "type": "text" if is_gsm_7(body) else "unicode",
                "ttl": str(ttl // timedelta(milliseconds=1)),
                **self._callback,
            },
        )
        return _id(_parts(answer)[0].get("message-id"))

    async def report_success(self, message: str) -> None:
        """Nothing: Vonage's conversion API is by agreement only."""

    async def receipts(self, since: datetime, until: datetime) -> list[Receipt]:  # noqa: ARG002
        """None: the API has no list of the texts that were sent."""
        return []

    async def find(self, to: str, body: str, since: datetime) -> NotFound:  # noqa: ARG002
        """Nobody can know, without a list."""
        return NotFound.CANNOT_TELL

    async def examine(self, countries: frozenset[str]) -> list[SetupFault]:  # noqa: ARG002
        """Whether the credentials and the sender are good, and the account has credit."""
        try:
            return await self._credit_faults() + await self._number_faults()
        except Misconfigured as error:
            words = f"Vonage rejects it for VONAGE_API_KEY: {error.detail}"
            return [SetupFault("VONAGE_API_SECRET", words)]
        except ProviderError as error:
            return [SetupFault("MESSENGER", f"Vonage says {type(error).__name__}: {error.detail}")]

    async def _credit_faults(self) -> list[SetupFault]:
        credit = (await self._get("balance", "get-balance")).fields.get("value")
        if isinstance(credit, int | float) and credit <= 0:
            return [SetupFault("VONAGE_API_KEY", "the account has no credit")]
        return []

    async def _number_faults(self) -> list[SetupFault]:
        if not self._number.isdigit():
            return []
        owned = (await self._get("numbers", "numbers", pattern=self._number)).fields.get("numbers")
        rows = owned if isinstance(owned, list) else []
        if any(isinstance(row, dict) and row.get("msisdn") == self._number for row in rows):
            return []
        return [SetupFault("VONAGE_NUMBER", "is not among the numbers of VONAGE_API_KEY")]

    async def _get(self, name: str, path: str, **params: str) -> Answer:
        return await self._vendor.call(
            name,
            "GET",
            f"{ORIGIN}/account/{path}",
            parse_error=parse_account_error,
            auth=self._auth,
            params=params,
        )


def parse_error(answer: Answer) -> ProviderError | None:
    """The error in an answer to a text; None if every part of the text was accepted.

    The HTTP status is 200 for errors too. The body has a status for each part of a long text.
    """
    codes = {str(part.get("status")) for part in _parts(answer)}
    if answer.status != HTTPStatus.OK or not codes:
        return error_from("vonage", answer, None, KINDS)
    if codes == {ACCEPTED}:
        return None
    if ACCEPTED in codes:  # a part was sent, so the text must not be sent again
        return unreadable("vonage", "status")
    code = min(codes)
    return error_from("vonage", answer, code, {code: Misconfigured, **KINDS})


def parse_account_error(answer: Answer) -> ProviderError | None:
    """The error in an answer about the account; None for a success."""
    if answer.status == HTTPStatus.OK:
        return None
    return error_from("vonage", answer, None, KINDS)


def _parts(answer: Answer) -> list[dict[str, Any]]:
    parts = answer.fields.get("messages")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _id(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9A-Za-z-]{1,64}", value):
        return value
    raise unreadable("vonage", "message-id")
