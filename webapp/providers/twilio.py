"""Twilio: Verify v2 sends and checks codes, Messages carries plain texts."""

import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import Any

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
    Sent,
    TooManyChecks,
    TooManySends,
)
from webapp.providers.client import Answer, VendorClient, error_from, unreadable

KINDS: dict[str, type[ProviderError]] = {
    "20003": Misconfigured,  # credentials
    "20404": Gone,
    "20429": Busy,
    "21211": InvalidNumber,
    "21408": CountryNotServed,  # not switched on for the account
    "21603": Misconfigured,  # no sender
    "21604": InvalidNumber,
    "21606": Misconfigured,  # not our sender
    "21608": Misconfigured,  # a trial account
    "21610": OptedOut,
    "21611": Busy,  # the sender's queue is full
    "21612": CountryNotServed,  # no way there from this sender
    "21614": InvalidNumber,
    "30034": Misconfigured,  # the sender is not registered
    "30450": Blocked,  # taken for pumping
    "60006": InvalidNumber,
    "60200": InvalidNumber,  # the one parameter that people give us
    "60202": TooManyChecks,
    "60203": TooManySends,
    "60205": NotMobile,
    "60212": Busy,
    "60217": Misconfigured,
    "60220": CountryNotServed,
    "60221": Misconfigured,  # the channel is off
    "60223": Misconfigured,
    "60238": CountryNotServed,
    "60410": Blocked,
    "60413": Blocked,
    "60605": CountryNotServed,
}
OVER: dict[str, type[ProviderError]] = {
    "canceled": Gone,
    "deleted": Gone,
    "expired": Gone,
    "failed": Gone,
    "max_attempts_reached": TooManyChecks,
}
NOT_ACCEPTED = {"canceled", "failed", "undelivered"}
NEWEST = 50  # texts to one number that are looked through for one we may have sent
CLOCK_SKEW = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A Twilio account, and the auth token or API key that opens it."""

    account_sid: str
    auth_token: str = field(default="", repr=False)
    api_key: str = ""
    api_key_secret: str = field(default="", repr=False)

    @property
    def login(self) -> tuple[str, str]:
        """User name and password of HTTP Basic authentication; an API key goes before a token."""
        if self.api_key:
            return self.api_key, self.api_key_secret
        return self.account_sid, self.auth_token


class Twilio:
    """What both of Twilio's products need."""

    def __init__(self, vendor: VendorClient, credentials: Credentials) -> None:
        self._vendor, self._credentials = vendor, credentials

    @cached_property
    def _client(self) -> Any:
        from webapp.providers.sdk import sdk_client  # noqa: PLC0415 (0.1 s and 15 MB)

        credentials = self._credentials
        return sdk_client(self._vendor, parse_error, credentials.account_sid, *credentials.login)


class TwilioVerify(Twilio):
    """One-time codes by Verify v2, which makes, sends and remembers them."""

    name = "twilio"
    channels = frozenset(Channel)

    def __init__(self, vendor: VendorClient, credentials: Credentials, service_sid: str) -> None:
        super().__init__(vendor, credentials)
        self._service_sid = service_sid

    @cached_property
    def _service(self) -> Any:
        return self._client.verify.v2.services(self._service_sid)

    async def send(
        self,
        phone: str,
        *,
        email: str,  # noqa: ARG002
        channel: Channel,
        reference: str | None = None,  # noqa: ARG002 (Twilio knows the window by the number)
        account: str | None = None,  # noqa: ARG002
    ) -> Sent:
        """Send a code, the same as before within its 10 minutes. Raises ``ProviderError``."""
        try:
            sent = await _read(
                self._service.verifications.create_async(to=phone, channel=channel.value)
            )
        except Gone as gone:
            raise Misconfigured("twilio: no such Verify service", code=gone.code) from None
        if sent.status != "pending":
            raise unreadable("twilio", "status")
        return Sent(reference=_sid(sent.sid))

    async def check(self, phone: str, *, reference: str, code: str) -> bool:  # noqa: ARG002
        """Whether the code is right: only where Twilio says exactly "approved".

        Asked by the verification's SID: a check by number alone could meet somebody else's.
        """
        if not re.fullmatch(r"[0-9]{4,10}", code):
            return False
        try:
            checked = await _read(
                self._service.verification_checks.create_async(
                    verification_sid=reference, code=code
                )
            )
        except InvalidNumber:  # the parameter it dislikes is the code here
            return False
        if checked.status == "approved":
            return True
        if checked.status == "pending":
            return False
        kind = OVER.get(str(checked.status))
        raise kind(f"twilio: {checked.status}") if kind else unreadable("twilio", "status")

    async def probe(self) -> None:
        """Raise ``ProviderError`` unless the credentials and the service are good."""
        try:
            await _read(self._service.fetch_async())
        except Gone as gone:
            raise Misconfigured("twilio: no such Verify service", code=gone.code) from None


class TwilioMessages(Twilio):
    """Plain texts."""

    def __init__(
        self,
        vendor: VendorClient,
        credentials: Credentials,
        *,
        number: str = "",
        messaging_service_sid: str = "",
    ) -> None:
        """Texts come from ``number``, or from a sender that the messaging service picks."""
        super().__init__(vendor, credentials)
        self._sender = (
            {"messaging_service_sid": messaging_service_sid}
            if messaging_service_sid
            else {"from_": number}
        )

    @cached_property
    def _messages(self) -> Any:
        return self._client.api.v2010.accounts(self._credentials.account_sid).messages

    async def send(self, to: str, body: str) -> str:
        """Text ``body``: the message's SID. Raises ``ProviderError``."""
        try:
            text = await _read(self._messages.create_async(to=to, body=body, **self._sender))
        except Gone as gone:
            raise Misconfigured("twilio: no such account", code=gone.code) from None
        if not isinstance(text.status, str):
            raise unreadable("twilio", "status")
        if text.status in NOT_ACCEPTED:
            code = str(text.error_code)
            raise KINDS.get(code, Misconfigured)(f"twilio: {text.status}", code=code)
        return _sid(text.sid)

    async def find(self, to: str, body: str, since: datetime) -> str | None:
        """The SID of a text like this since then, if Twilio has one. Raises ``ProviderError``.

        Dates are compared here: Twilio's own filter is by the date sent, which a text in the
        queue has not got. A trial account's words may stand before ours.
        """
        texts = await _read(self._messages.list_async(to=to, limit=NEWEST, page_size=NEWEST))
        for text in texts:
            if not isinstance(text.date_created, datetime):
                raise unreadable("twilio", "date_created")
            same = isinstance(text.body, str) and text.body.strip().endswith(body.strip())
            if same and text.date_created >= since - CLOCK_SKEW:
                return _sid(text.sid)
        return None

    async def probe(self) -> None:
        """Raise ``ProviderError`` unless the credentials are good."""
        await _read(self._messages.list_async(limit=1, page_size=1))


def parse_error(answer: Answer) -> ProviderError | None:
    """What a Twilio answer that is no success means."""
    if answer.status in (HTTPStatus.OK, HTTPStatus.CREATED):
        return None
    return error_from("twilio", answer, answer.fields.get("code"), KINDS)


async def _read(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except ProviderError:
        raise
    except Exception as fault:  # noqa: BLE001 (the SDK takes the shape of an answer on trust)
        raise unreadable("twilio", type(fault).__name__) from None


def _sid(sid: object) -> str:
    if isinstance(sid, str) and re.fullmatch(r"[A-Z]{2}[0-9A-Za-z]{1,62}", sid):
        return sid
    raise unreadable("twilio", "sid")
