"""Every vendor there is, and the ones that the settings choose."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import httpx

from webapp.providers import (
    BreachedPasswords,
    Mailer,
    Messenger,
    PriceList,
    ReceiptReader,
    Verifier,
    webhook,
)
from webapp.providers.authy import Authy
from webapp.providers.client import Connect, VendorClient
from webapp.providers.codes import Codes
from webapp.providers.http import HttpTransport
from webapp.providers.pwned import NoBreaches, PwnedPasswords
from webapp.providers.smtp import Dial, SmtpMailer
from webapp.providers.twilio import (
    Credentials,
    TwilioMessages,
    TwilioPrices,
    TwilioVerify,
    UsageTriggers,
)
from webapp.providers.twilio.callbacks import TwilioCallbacks
from webapp.providers.vonage import VonageCallbacks, VonageMessages
from webapp.providers.webhook import WebhookEndpoint
from webapp.settings import Settings

# By the names that VERIFY_PROVIDER and MESSENGER have. Our own `codes` need a messenger and stand
# in `Providers`; the sandbox is a simulated Twilio.
VERIFIERS: Mapping[str, Callable[[Settings, Connect], Verifier]] = {
    "twilio": TwilioVerify.from_settings,
    "authy": Authy.from_settings,
    "sandbox": TwilioVerify.from_settings,
}
MESSENGERS: Mapping[str, Callable[[Settings, Connect], Messenger]] = {
    "twilio": TwilioMessages.from_settings,
    "vonage": VonageMessages.from_settings,
}


class Providers:
    """The verifier, messengers, mailer and webhook that the settings choose, if they name any."""

    def __init__(
        self,
        settings: Settings,
        compose: Callable[[str], str],
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        transport: httpx.AsyncBaseTransport | None = None,
        dial: Dial | None = None,
    ) -> None:
        """``compose`` puts one of our own codes into the words of a text; ``sleep`` waits before a
        vendor is asked again; ``transport`` and ``dial`` replace the network, for HTTP and SMTP.
        """
        self._settings, self._clock, self._sleep = settings, clock, sleep
        self._transport = HttpTransport(settings.provider_timeout, transport)
        self._clients: dict[str, VendorClient] = {}
        chosen = [settings.messenger, settings.messenger_fallback]
        self.messengers = [MESSENGERS[name](settings, self._client) for name in chosen if name]
        self.verifier: Verifier = (
            Codes(self.messengers, settings.secret_key, compose, clock=clock)
            if settings.verify_provider == "codes"
            else VERIFIERS[settings.verify_provider](settings, self._client)
        )
        self.mailer: Mailer | None = (
            SmtpMailer.from_settings(settings, clock, dial) if settings.smtp_url else None
        )
        self.webhook = self._webhook(transport) if settings.webhook_url else None
        self.receipts: Mapping[str, ReceiptReader] = {
            "twilio": TwilioCallbacks(settings),
            "vonage": VonageCallbacks(settings),
        }
        self.passwords: BreachedPasswords = (
            PwnedPasswords(self._connect("pwned", settings.pwned_passwords_url))
            if settings.pwned_passwords_url
            else NoBreaches()
        )

    def _webhook(self, transport: httpx.AsyncBaseTransport | None) -> WebhookEndpoint:
        """The owner's endpoint, over connections of its own: it may take longer than a vendor."""
        self._webhook_transport = HttpTransport(webhook.TIMEOUT, transport)
        client = VendorClient(
            "webhook", self._webhook_transport, clock=self._clock, sleep=self._sleep
        )
        url, secret = self._settings.webhook_url, self._settings.webhook_secret
        return WebhookEndpoint(url, secret, client, self._clock)

    def _client(self, vendor: str) -> VendorClient:
        """The vendor's one client; its base URL is the setting that is named after the vendor."""
        if vendor not in self._clients:
            base_url = getattr(self._settings, f"{vendor}_base_url")
            self._clients[vendor] = self._connect(vendor, base_url)
        return self._clients[vendor]

    def _connect(self, vendor: str, base_url: str) -> VendorClient:
        return VendorClient(
            vendor, self._transport, base_url=base_url, clock=self._clock, sleep=self._sleep
        )

    @property
    def price_list(self) -> PriceList | None:
        """The list that tells what texts cost, if one of our vendors has one."""
        if not self._settings.uses_twilio:
            return None
        return TwilioPrices(self._client("twilio"), Credentials.from_settings(self._settings))

    async def remarks(self) -> list[str]:
        """What is good to know of our accounts at the vendors. Raises nothing."""
        if not self._settings.uses_twilio:
            return []
        credentials = Credentials.from_settings(self._settings)
        return await UsageTriggers(self._client("twilio"), credentials).remarks()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()
        if self.webhook:
            await self._webhook_transport.aclose()
