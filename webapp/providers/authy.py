"""Authy's legacy API sends and checks one-time codes, for those who still have a key."""

import re
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import phonenumbers

from webapp.providers import (
    Blocked,
    Busy,
    Channel,
    CountryNotServed,
    Gone,
    InvalidNumber,
    Misconfigured,
    NotMobile,
    OptedOut,
    ProviderError,
    Receipt,
    Sent,
    SetupFault,
    TooManySends,
)
from webapp.providers.answers import Answer, ErrorParser, error_from, unreadable
from webapp.providers.client import Connect, VendorClient
from webapp.settings import Settings

WRONG_CODE = "60020"
NO_SUCH_USER = "60026"
KINDS: dict[str, type[ProviderError]] = {
    "60001": Misconfigured,  # the key
    "60003": Busy,
    "60008": Misconfigured,  # suspended
    "60009": TooManySends,
    "60010": TooManySends,
    "60011": TooManySends,
    "60012": TooManySends,
    "60013": CountryNotServed,
    "60017": Blocked,  # the user is suspended
    "60019": Gone,  # the code was used before
    NO_SUCH_USER: Gone,
    "60027": InvalidNumber,
    "60033": InvalidNumber,
    "60060": Misconfigured,  # suspended
    "60078": InvalidNumber,
    "60082": NotMobile,
    "60106": Misconfigured,  # suspended
    "60107": Misconfigured,  # suspended
    "60115": OptedOut,
    "60120": TooManySends,
}
ORIGIN = "https://api.authy.com"


def parse_error(answer: Answer) -> ProviderError | None:
    """The error in an answer of Authy's; None for a 200 whose ``success`` is true or "true"."""
    fields = answer.fields
    if answer.status == HTTPStatus.OK and str(fields.get("success")).lower() == "true":
        return None
    return error_from("authy", answer, fields.get("error_code"), KINDS)


def parse_check_error(answer: Answer) -> ProviderError | None:
    """The same for the answer to a check, where one error only means that the code is wrong."""
    return None if _wrong_code(answer.fields) else parse_error(answer)


def _wrong_code(fields: dict[str, Any]) -> bool:
    """Whether Authy checked the code and it is wrong, by error code or by words alone."""
    code, success = str(fields.get("error_code")), str(fields.get("success")).lower()
    by_word = code not in KINDS and fields.get("token") == "is invalid" and success == "false"
    return code == WRONG_CODE or by_word


class Authy:
    """One-time codes by Authy, which has a user for each phone."""

    name = "authy"
    channels = frozenset({Channel.SMS, Channel.CALL})
    receipts_after: timedelta | None = None

    def __init__(self, vendor: VendorClient, api_key: str) -> None:
        self._vendor = vendor
        self._headers = {"X-Authy-API-Key": api_key, "Accept": "application/json"}

    @classmethod
    def from_settings(cls, settings: Settings, connect: Connect) -> "Authy":
        return cls(connect("authy"), settings.authy_api_key)

    async def send(
        self,
        phone: str,
        *,
        email: str,
        channel: Channel,
        reference: str | None = None,  # noqa: ARG002 (the user's id is the reference)
        account: str | None = None,
    ) -> Sent:
        """Send a code to Authy's user ``account``, or to a new one. Raises ``ProviderError``."""
        until = self._vendor.deadline()
        if account:
            try:
                return await self._send(account, channel, until)
            except Gone:  # the user has been removed at Authy
                pass
        return await self._send(await self._enrol(phone, email, until), channel, until)

    async def check(self, phone: str, *, reference: str, code: str) -> bool:  # noqa: ARG002
        """Whether the code is right: only if Authy answers 200 and "is valid"."""
        if not re.fullmatch(r"[0-9]{6,12}", code):
            return False
        path = f"verify/{code}/{_id(reference)}"
        answer = await self._call(
            "verify", "GET", path, parse_error=parse_check_error, params={"force": "true"}
        )
        if _wrong_code(answer):
            return False
        if answer.get("token") == "is valid":
            return True
        raise unreadable("authy", "token")

    async def receipts(self, since: datetime, until: datetime) -> list[Receipt]:  # noqa: ARG002
        """None: Authy tells nothing of them."""
        return []

    async def report_success(self, message: str) -> None:
        """Nothing to tell: Authy checks its codes itself."""

    async def examine(self, countries: frozenset[str]) -> list[SetupFault]:  # noqa: ARG002
        """Whether the key is good."""
        try:
            await self._call("app details", "GET", "app/details")
        except Misconfigured as error:
            return [SetupFault("AUTHY_API_KEY", f"Authy rejects it: {error.detail}")]
        except ProviderError as error:
            words = f"Authy says {type(error).__name__}: {error.detail}"
            return [SetupFault("VERIFY_PROVIDER", words)]
        return []

    async def _enrol(self, phone: str, email: str, until: float) -> str:
        try:
            number = phonenumbers.parse(phone)
        except phonenumbers.NumberParseException:
            raise InvalidNumber("authy: not E.164") from None
        answer = await self._call(
            "new user",
            "POST",
            "users/new",
            until=until,
            data={
                "user[email]": email,
                "user[cellphone]": phonenumbers.national_significant_number(number),
                "user[country_code]": str(number.country_code),
                "send_install_link_via_sms": "false",
            },
        )
        user = answer.get("user")
        return _id(user.get("id") if isinstance(user, dict) else None)

    async def _send(self, account: str, channel: Channel, until: float) -> Sent:
        path = f"{channel.value}/{_id(account)}"
        await self._call(channel.value, "GET", path, until=until, params={"force": "true"})
        return Sent(reference=account, account=account)

    async def _call(
        self,
        name: str,
        method: str,
        path: str,
        *,
        parse_error: ErrorParser = parse_error,
        **rest: Any,
    ) -> dict[str, Any]:
        url = f"{ORIGIN}/protected/json/{path}"
        answer = await self._vendor.call(
            name, method, url, parse_error=parse_error, headers=self._headers, **rest
        )
        return answer.fields


def _id(user: object) -> str:
    """``user`` as an id that is safe in a URL. Raises ``ProviderError``."""
    if isinstance(user, int | str) and re.fullmatch(r"[0-9]{1,20}", str(user)):
        return str(user)
    raise unreadable("authy", "id")
