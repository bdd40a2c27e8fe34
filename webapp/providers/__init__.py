"""What we require of vendors: protocols of verifiers, messengers and others, and their errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, IntEnum, StrEnum
from typing import Protocol


class Channel(StrEnum):
    """How a one-time code is sent."""

    SMS = "sms"
    CALL = "call"
    WHATSAPP = "whatsapp"


@dataclass(frozen=True, slots=True)
class Sent:
    """A code that the vendor has accepted."""

    reference: str  # the vendor's id of this verification; the check names it
    account: str | None = None  # the vendor's id of the person, where it has one (Authy)
    message: str = ""  # the vendor's id of this one text or call, which its receipts name


class DeliveryState(IntEnum):
    """What the network did with a message. A receipt counts where it says more than the one before.

    Receipts come in any order, and more than once. Some networks report a failure too early, so
    that a message was delivered is the last word.
    """

    ON_ITS_WAY = 0
    FAILED = 1
    DELIVERED = 2


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a vendor says of a message that it took."""

    message: str  # the vendor's id, as in ``Sent.message``
    state: DeliveryState
    phone: str = ""  # E.164
    error: str = ""  # the vendor's code for a failure
    price: "Price | None" = None  # where the vendor tells it by then
    price_listed: bool = True  # ``ReceiptSource`` has the price, by then or later
    sent_at: datetime | None = None  # where the vendor tells it
    channel: Channel | None = None  # of a code, where the vendor tells it


class ForgedReceipt(Exception):
    """A callback that does not come from the vendor."""


class ReceiptReader(Protocol):
    """Reads a vendor's callbacks about the delivery of messages."""

    def read(self, path_secret: str, fields: Mapping[str, str], signature: str) -> Receipt | None:
        """The receipt in a form post to our hook's URL, which ends in ``path_secret``.

        None where it tells nothing that we know. Raises ``ForgedReceipt``.
        """


class ReceiptSource(Protocol):
    """A vendor that lists what it sent."""

    async def receipts(self, since: datetime, until: datetime) -> list[Receipt]:
        """What became of the messages sent between these; empty where the vendor has no list.

        Raises ``ProviderError``.
        """


class NotFound(Enum):
    """Why a vendor finds no text that we may have sent."""

    NEVER_ACCEPTED = "never accepted"  # it lists its texts, and this one is not among them
    CANNOT_TELL = "cannot tell"  # it has no list


@dataclass(frozen=True, slots=True)
class SetupFault:
    """Something wrong with our account at a vendor."""

    variable: str  # the environment variable to look at
    words: str


class Verifier(ReceiptSource, Protocol):
    """Sends one-time codes and checks them."""

    name: str  # stored with every verification, which is checked by the verifier that sent it
    channels: frozenset[Channel]
    # How soon after a send ``receipts`` is worth asking for; None where the vendor calls us back,
    # or cannot tell.
    receipts_after: timedelta | None

    async def send(
        self,
        phone: str,
        *,
        email: str,
        channel: Channel,
        reference: str | None = None,
        account: str | None = None,
    ) -> Sent:
        """Send a code to ``phone`` (E.164).

        ``reference`` and ``account`` come from an earlier ``Sent`` to the same number. With them a
        resend within the code's life sends the same code. Raises ``ProviderError``.
        """

    async def check(self, phone: str, *, reference: str, code: str) -> bool:
        """Whether ``code`` is the one that was sent. Raises ``ProviderError`` where unsure."""

    async def report_success(self, message: str) -> None:
        """Tell the vendor that the code of this message came back, where its routing learns by it.

        Raises ``ProviderError``.
        """

    async def examine(self, countries: frozenset[str]) -> list[SetupFault]:
        """Ask the vendor whether we are set up to send to ``countries`` (empty: to all).

        Sends nothing, and raises nothing.
        """


class Messenger(ReceiptSource, Protocol):
    """Sends plain texts."""

    name: str  # stored with a text that is not sent by the first messenger

    async def send(self, to: str, body: str, *, valid_for: timedelta, is_code: bool = False) -> str:
        """Text ``body`` to ``to`` (E.164): the vendor's id. Raises ``ProviderError``.

        A text that is still in the vendor's queue after ``valid_for`` is not sent, as far as the
        vendor can do that. ``is_code`` announces ``report_success``.
        """

    async def report_success(self, message: str) -> None:
        """Tell the vendor that the code in this text came back, if it is one of its texts.

        Raises ``ProviderError``.
        """

    async def find(self, to: str, body: str, since: datetime) -> str | NotFound:
        """The reference of a text like this that the vendor accepted at or after ``since``.

        For a text whose sending ended without an answer, before it is sent again. Raises
        ``ProviderError``.
        """

    async def examine(self, countries: frozenset[str]) -> list[SetupFault]:
        """Ask the vendor whether we are set up to send to ``countries`` (empty: to all).

        Sends nothing, and raises nothing.
        """


@dataclass(frozen=True, slots=True)
class Price:
    """What one text costs."""

    millionths: int  # of the currency
    currency: str  # ISO 4217


class PriceList(Protocol):
    """Knows what texts cost."""

    async def text_price(self, country: str) -> Price:
        """The price of a text to ``country`` (ISO 3166). Raises ``ProviderError``."""


@dataclass(frozen=True, slots=True)
class Email:
    """The words of an email, as plain text and as the same in HTML."""

    subject: str
    text: str
    html: str


class Mailer(Protocol):
    """Sends emails."""

    async def send(self, to: str, email: Email, message_id: str) -> None:
        """Have ``email`` accepted for delivery to the address ``to``. Raises ``ProviderError``.

        ``message_id`` names the email, the same for every try. A try that ended without
        an answer cannot be looked up.
        """

    async def examine(self) -> list[SetupFault]:
        """Ask the server whether it takes emails from us. Sends nothing, and raises nothing."""


class BreachedPasswords(Protocol):
    """Knows passwords from breaches."""

    async def is_breached(self, password: str) -> bool:
        """Whether ``password`` is known; False where that cannot be found out in a second."""


class ProviderError(Exception):
    """A vendor rejected a call or could not be reached. Unless said otherwise nothing was sent."""

    maybe_sent = False  # we have no answer, and the vendor may have acted on the call
    reference: str | None = None  # of the failed send, where it is known before any answer

    def __init__(
        self, detail: str = "", *, code: str = "", retry_after: float | None = None
    ) -> None:
        """``detail`` is for the operator's log and holds no number, one-time code or credential.

        ``code`` is the vendor's error code; ``retry_after`` is in seconds.
        """
        super().__init__(detail)
        self.detail, self.code, self.retry_after = detail, code, retry_after


class InvalidNumber(ProviderError):
    """The number cannot be texted or called."""


class InvalidAddress(ProviderError):
    """Not an address that takes emails."""


class NotMobile(ProviderError):
    """A landline: it can take a call, not a text."""


class CountryNotServed(ProviderError):
    """The vendor's account does not send to that country."""


class Blocked(ProviderError):
    """The vendor's fraud protection blocks the number or its prefix. Never retry by machine."""


class OptedOut(ProviderError):
    """The owner of the number asked not to be texted."""


class TooManySends(ProviderError):
    """The vendor's limit of sends to this number is reached; the last code still works."""


class TooManyChecks(ProviderError):
    """The vendor's limit of checks of this code is reached."""


class Gone(ProviderError):
    """The verification no longer exists at the vendor: expired, used or cancelled."""


class Busy(ProviderError):
    """Rejected for now (rate, concurrency, our own bound) and not processed: safe to retry."""


class Misconfigured(ProviderError):
    """Credentials, service or sender are wrong: the operator must act."""


class Unreachable(ProviderError):
    """No usable answer. ``maybe_sent`` is False where the connection was never made."""

    def __init__(self, detail: str = "", *, maybe_sent: bool, **rest: object) -> None:
        super().__init__(detail, **rest)  # type: ignore[arg-type]
        self.maybe_sent = maybe_sent


class CircuitOpen(Unreachable):
    """The vendor has not answered for a while, so it was not asked. See ``Circuit``."""

    def __init__(self, detail: str, retry_after: float) -> None:
        super().__init__(detail, maybe_sent=False, retry_after=retry_after)
