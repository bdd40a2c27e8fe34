"""Twilio Verify v2 makes, sends, remembers and checks one-time codes."""

import re
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from webapp.providers import (
    Channel,
    Gone,
    InvalidNumber,
    Misconfigured,
    ProviderError,
    Receipt,
    Sent,
    SetupFault,
    TooManyChecks,
)
from webapp.providers.answers import unreadable
from webapp.providers.client import Connect, VendorClient
from webapp.providers.twilio.account import Credentials, Twilio, check_number, checked_sid, read
from webapp.providers.twilio.callbacks import number_in, state_of, time_in
from webapp.providers.twilio.prices import price_of
from webapp.settings import Settings

CODE_LENGTH = 6  # digits that our form takes
PHONE_CHANNELS = frozenset({Channel.SMS, Channel.CALL})
OVER: dict[str, type[ProviderError]] = {
    "canceled": Gone,
    "deleted": Gone,
    "expired": Gone,
    "failed": Gone,
    "max_attempts_reached": TooManyChecks,
}


MOST_ATTEMPTS = 1000  # looked through at a time: the largest page
CLOCK_SKEW = timedelta(seconds=30)


class TwilioVerify(Twilio):
    """One-time codes by Verify v2."""

    name = "twilio"
    receipts_after: timedelta | None = timedelta(seconds=3)

    def __init__(
        self,
        vendor: VendorClient,
        credentials: Credentials,
        service_sid: str,
        *,
        whatsapp: bool = False,
    ) -> None:
        """``whatsapp``: the service has a sender for it."""
        super().__init__(vendor, credentials)
        self._service_sid = service_sid
        self.channels = frozenset(Channel) if whatsapp else PHONE_CHANNELS

    @classmethod
    def from_settings(cls, settings: Settings, connect: Connect) -> "TwilioVerify":
        credentials = Credentials.from_settings(settings)
        return cls(
            connect("twilio"),
            credentials,
            settings.twilio_verify_service_sid,
            whatsapp=settings.whatsapp,
        )

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
            sent = await read(
                self._service.verifications.create_async(to=phone, channel=channel.value)
            )
        except Gone as gone:
            raise Misconfigured("twilio: no such Verify service", code=gone.code) from None
        check_number(sent.to, phone)
        if sent.status != "pending":
            raise unreadable("twilio", "status")
        return Sent(reference=checked_sid(sent.sid), message=_attempt(sent.send_code_attempts))

    async def check(self, phone: str, *, reference: str, code: str) -> bool:
        """Whether the code is right: only if Twilio answers exactly "approved".

        The check names the verification's SID, because a check by number could reach another
        verification of the same number. An answer about another verification or number is none.
        """
        if not re.fullmatch(r"[0-9]{4,10}", code):
            return False
        try:
            checked = await read(
                self._service.verification_checks.create_async(
                    verification_sid=reference, code=code
                )
            )
        except InvalidNumber:  # in a check the invalid parameter is the code
            return False
        if checked.sid != reference:
            raise unreadable("twilio", "sid")
        check_number(checked.to, phone)
        if checked.status == "approved":
            return True
        if checked.status == "pending":
            return False
        kind = OVER.get(str(checked.status))
        raise kind(f"twilio: {checked.status}") if kind else unreadable("twilio", "status")

    async def receipts(self, since: datetime, until: datetime) -> list[Receipt]:
        """What became of the codes sent between these. Raises ``ProviderError``.

        Verify has no callbacks for them, but one list of its attempts, which may be asked for 100
        times a minute.
        """
        attempts = await read(
            self._client.verify.v2.verification_attempts.list_async(
                date_created_after=since - CLOCK_SKEW,
                date_created_before=until + CLOCK_SKEW,
                verify_service_sid=self._service_sid,
                limit=MOST_ATTEMPTS,
                page_size=MOST_ATTEMPTS,
            )
        )
        return [_receipt(attempt) for attempt in attempts]

    async def report_success(self, message: str) -> None:
        """Nothing to tell: Verify checks its codes itself."""

    async def examine(self, countries: frozenset[str]) -> list[SetupFault]:  # noqa: ARG002
        """Whether the credentials and the service are good.

        Verify's geographic permissions are shown in Twilio's console only; no API tells them.
        """
        variable = "TWILIO_VERIFY_SERVICE_SID"
        try:
            service = await read(self._service.fetch_async())
        except Gone:
            return [SetupFault(variable, "Twilio has no such Verify service in this account")]
        except ProviderError as error:
            return [self._fault(error, "VERIFY_PROVIDER")]
        faults = []
        if service.code_length != CODE_LENGTH:
            found = f"the service's codes have {service.code_length} digits"
            faults.append(SetupFault(variable, f"{found}: set its code length to {CODE_LENGTH}"))
        if Channel.WHATSAPP in self.channels and not _sends_by_whatsapp(service):
            faults.append(SetupFault("WHATSAPP", "the Verify service has no sender for WhatsApp"))
        return faults


def _sends_by_whatsapp(service: Any) -> bool:
    sender = service.whatsapp if isinstance(service.whatsapp, dict) else {}
    return bool(sender.get("from") or sender.get("msg_service_sid"))


def _attempt(attempts: object) -> str:
    """The SID of the last send of a verification; nothing where Twilio does not name it."""
    last = attempts[-1] if isinstance(attempts, list) and attempts else None
    sid = last.get("attempt_sid") if isinstance(last, dict) else None
    return sid if isinstance(sid, str) and re.fullmatch(r"VL[0-9a-fA-F]{32}", sid) else ""


def _receipt(attempt: Any) -> Receipt:
    told = attempt.channel_data if isinstance(attempt.channel_data, dict) else {}
    price = attempt.price if isinstance(attempt.price, dict) else {}
    return Receipt(
        str(attempt.sid),
        state_of(told.get("message_status") or told.get("call_status")),
        phone=number_in(told.get("to")),
        error=str(told.get("error_code") or ""),
        price=price_of(price.get("value"), price.get("currency")),
        sent_at=time_in(attempt.date_created),
        channel=_channel(attempt.channel),
    )


def _channel(told: object) -> Channel | None:
    try:
        return Channel(str(told).lower())
    except ValueError:  # such as email, which we never ask for
        return None
