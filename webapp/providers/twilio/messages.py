"""Twilio's Messages API carries plain texts."""

from collections.abc import AsyncIterable, Awaitable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from webapp.providers import Gone, Misconfigured, NotFound, ProviderError, Receipt, SetupFault
from webapp.providers.answers import unreadable
from webapp.providers.client import Connect, VendorClient
from webapp.providers.twilio.account import Credentials, Twilio, check_number, checked_sid, read
from webapp.providers.twilio.callbacks import callback_url, number_in, state_of, time_in
from webapp.providers.twilio.errors import KINDS
from webapp.providers.twilio.prices import price_of
from webapp.settings import Settings

NOT_ACCEPTED = {"canceled", "failed", "undelivered"}
LARGEST_PAGE = 1000
MOST_LISTED = 5 * LARGEST_PAGE
NEWEST = 50  # texts to one number that are looked through for one we may have sent
SECOND = timedelta(seconds=1)
SHORTEST_VALIDITY, LONGEST_VALIDITY = 10 * SECOND, 36_000 * SECOND  # Twilio advises more than 5 s
CLOCK_SKEW = timedelta(seconds=30)


class TwilioMessages(Twilio):
    """Plain texts by Twilio."""

    name = "twilio"

    def __init__(
        self,
        vendor: VendorClient,
        credentials: Credentials,
        *,
        number: str = "",
        messaging_service_sid: str = "",
        callback_url: str = "",
    ) -> None:
        """Texts come from ``number``, or from a sender that the messaging service chooses.

        What becomes of them is posted to ``callback_url``, if there is one.
        """
        super().__init__(vendor, credentials)
        self._callback = {"status_callback": callback_url} if callback_url else {}
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
            callback_url=callback_url(settings),
        )

    @cached_property
    def _messages(self) -> Any:
        return self._client.api.v2010.accounts(self._credentials.account_sid).messages

    async def send(self, to: str, body: str, *, valid_for: timedelta, is_code: bool = False) -> str:
        """Text ``body``: the message's SID. Raises ``ProviderError``."""
        feedback = {"provide_feedback": True} if is_code else {}
        period = min(max(valid_for, SHORTEST_VALIDITY), LONGEST_VALIDITY)
        try:
            text = await read(
                self._messages.create_async(
                    to=to,
                    body=body,
                    validity_period=period // SECOND,
                    **self._sender,
                    **self._callback,
                    **feedback,
                )
            )
        except Gone as gone:
            raise Misconfigured("twilio: no such account", code=gone.code) from None
        check_number(text.to, to)
        if not isinstance(text.status, str):
            raise unreadable("twilio", "status")
        if text.status in NOT_ACCEPTED:
            code = str(text.error_code)
            raise KINDS.get(code, Misconfigured)(f"twilio: {text.status}", code=code)
        return checked_sid(text.sid)

    async def report_success(self, message: str) -> None:
        """Twilio's message feedback, by which it knows routes that deliver our codes.

        https://www.twilio.com/docs/messaging/api/message-feedback-resource
        """
        if message.startswith("SM"):  # not another vendor's
            await read(self._messages(message).feedback.create_async(outcome="confirmed"))

    async def receipts(self, since: datetime, until: datetime) -> list[Receipt]:
        """What became of the texts sent between these, and cost. Raises ``ProviderError``.

        Twilio's description of the list knows days only, so there may be more texts than those,
        also of other applications. They come in pages of 1000, the newest first.
        """
        listed = self._messages.stream_async(
            date_sent_after=since - CLOCK_SKEW,
            date_sent_before=until + CLOCK_SKEW,
            limit=MOST_LISTED,
            page_size=LARGEST_PAGE,
        )
        receipts: list[Receipt] = await read(_receipts(listed, since - CLOCK_SKEW))
        return receipts

    async def find(self, to: str, body: str, since: datetime) -> str | NotFound:
        """The SID of a text like this, if Twilio accepted one since then.

        Twilio's own filter compares the date sent, which a queued text does not have yet; so the
        dates are compared here. A trial account's prefix may stand before our words. Raises
        ``ProviderError``.
        """
        texts = await read(self._messages.list_async(to=to, limit=NEWEST, page_size=NEWEST))
        for text in texts:
            if not isinstance(text.date_created, datetime):
                raise unreadable("twilio", "date_created")
            same = isinstance(text.body, str) and text.body.strip().endswith(body.strip())
            if same and text.date_created >= since - CLOCK_SKEW:
                return checked_sid(text.sid)
        return NotFound.NEVER_ACCEPTED

    async def examine(self, countries: frozenset[str]) -> list[SetupFault]:
        """Whether the credentials and the sender are good, and texts may go to ``countries``."""
        try:
            return await self._sender_faults() + await self._country_faults(countries)
        except Gone:
            return [SetupFault("TWILIO_ACCOUNT_SID", "Twilio has no such account")]
        except ProviderError as error:
            return [self._fault(error, "MESSENGER")]

    async def _sender_faults(self) -> list[SetupFault]:
        if service := self._sender.get("messaging_service_sid"):
            try:
                await read(self._client.messaging.v1.services(service).fetch_async())
            except Gone:
                words = "Twilio has no such messaging service in this account"
                return [SetupFault("TWILIO_MESSAGING_SERVICE_SID", words)]
            return []
        number = self._sender["from_"]
        if not number.startswith("+"):  # no list has the names and short codes that we may use
            await read(self._messages.list_async(limit=1, page_size=1))
            return []
        account = self._client.api.v2010.accounts(self._credentials.account_sid)
        numbers = account.incoming_phone_numbers.list_async(phone_number=number, limit=1)
        if await read(numbers):
            return []
        return [SetupFault("TWILIO_NUMBER", "is not among the numbers of TWILIO_ACCOUNT_SID")]

    async def _country_faults(self, countries: frozenset[str]) -> list[SetupFault]:
        """The countries that Twilio's geographic permissions for texts leave out."""
        if not countries:
            return []
        try:
            answer = await read(self._client.accounts.v1.messaging_geopermissions.fetch_async())
        except ProviderError:  # not every credential may read them
            return []
        closed = countries & _closed(answer.permissions)
        if not closed:
            return []
        words = f"Twilio's geographic permissions for texts leave out {', '.join(sorted(closed))}"
        return [SetupFault("ALLOWED_COUNTRIES", words)]


async def _receipts(texts: Awaitable[AsyncIterable[Any]], since: datetime) -> list[Receipt]:
    """The receipts of the texts, the newest first, down to those of before ``since``."""
    receipts = list[Receipt]()
    async for text in await texts:
        if text.date_created < since:
            break
        receipts.append(_receipt(text))
    return receipts


def _receipt(text: Any) -> Receipt:
    return Receipt(
        str(text.sid),
        state_of(text.status),
        phone=number_in(text.to),
        error=str(text.error_code or ""),
        price=price_of(text.price, text.price_unit),
        sent_at=time_in(text.date_created),
    )


def _closed(permissions: object) -> frozenset[str]:
    """The countries that may not be texted, of whatever Twilio says."""
    rows = permissions if isinstance(permissions, list) else []
    return frozenset(
        str(row.get("country_code"))
        for row in rows
        if isinstance(row, dict) and row.get("enabled") is False
    )
