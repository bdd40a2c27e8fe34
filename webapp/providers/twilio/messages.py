"""Twilio's Messages API carries plain texts."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from webapp.providers import Gone, Misconfigured
from webapp.providers.answers import unreadable
from webapp.providers.client import Connect, VendorClient
from webapp.providers.twilio.account import Credentials, Twilio, checked_sid, read
from webapp.providers.twilio.errors import KINDS
from webapp.settings import Settings

NOT_ACCEPTED = {"canceled", "failed", "undelivered"}
NEWEST = 50  # texts to one number that are looked through for one we may have sent
CLOCK_SKEW = timedelta(seconds=30)


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

    @classmethod
    def from_settings(cls, settings: Settings, connect: Connect) -> "TwilioMessages":
        return cls(
            connect("twilio"),
            Credentials.from_settings(settings),
            number=settings.twilio_number,
            messaging_service_sid=settings.twilio_messaging_service_sid,
        )

    @cached_property
    def _messages(self) -> Any:
        return self._client.api.v2010.accounts(self._credentials.account_sid).messages

    async def send(self, to: str, body: str) -> str:
        """Text ``body``: the message's SID. Raises ``ProviderError``."""
        try:
            text = await read(self._messages.create_async(to=to, body=body, **self._sender))
        except Gone as gone:
            raise Misconfigured("twilio: no such account", code=gone.code) from None
        if not isinstance(text.status, str):
            raise unreadable("twilio", "status")
        if text.status in NOT_ACCEPTED:
            code = str(text.error_code)
            raise KINDS.get(code, Misconfigured)(f"twilio: {text.status}", code=code)
        return checked_sid(text.sid)

    async def find(self, to: str, body: str, since: datetime) -> str | None:
        """The SID of a text like this since then, if Twilio has one. Raises ``ProviderError``.

        Dates are compared here: Twilio's own filter is by the date sent, which a text in the
        queue has not got. A trial account's words may stand before ours.
        """
        texts = await read(self._messages.list_async(to=to, limit=NEWEST, page_size=NEWEST))
        for text in texts:
            if not isinstance(text.date_created, datetime):
                raise unreadable("twilio", "date_created")
            same = isinstance(text.body, str) and text.body.strip().endswith(body.strip())
            if same and text.date_created >= since - CLOCK_SKEW:
                return checked_sid(text.sid)
        return None

    async def probe(self) -> None:
        """Raise ``ProviderError`` unless the credentials are good."""
        await read(self._messages.list_async(limit=1, page_size=1))
