"""What we ask of the outside world, in our own words: verifiers, messengers, and how they fail."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Channel(StrEnum):
    """How a one-time code travels."""

    SMS = "sms"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Sent:
    """A code on its way."""

    reference: str  # names this verification at the vendor; checks are made against it
    account: str | None = None  # the vendor's id of the person, where it keeps one (Authy)


class Verifier(Protocol):
    """Sends one-time codes and checks them."""

    name: str  # stored beside every verification, which stays with the verifier it began with
    channels: frozenset[Channel]

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

        ``reference`` and ``account`` are those of an earlier ``Sent`` to the same number, so that
        a code sent again inside its window is the same code. Raises ``ProviderError``.
        """

    async def check(self, phone: str, *, reference: str, code: str) -> bool:
        """Whether ``code`` is the one sent; never a wrong yes. Raises ``ProviderError``."""

    async def probe(self) -> None:
        """Ask the vendor whether we are set up right; sends nothing. Raises ``ProviderError``."""


class Messenger(Protocol):
    """Sends plain texts."""

    async def send(self, to: str, body: str) -> str:
        """Text ``body`` to ``to`` (E.164): the vendor's reference. Raises ``ProviderError``."""

    async def find(self, to: str, body: str, since: datetime) -> str | None:
        """The reference of a text like this accepted at or after ``since``, if the vendor has one.

        Asked before a text is sent again whose first sending ended in silence.
        """

    async def probe(self) -> None:
        """Ask the vendor whether we are set up right; sends nothing. Raises ``ProviderError``."""


class ProviderError(Exception):
    """A vendor refused, or could not be reached. Unless said otherwise, nothing was sent."""

    maybe_sent = False  # the vendor may have acted on the call although we have no answer
    reference: str | None = None  # of the send that failed, where it has one before any answer

    def __init__(
        self, detail: str = "", *, code: str = "", retry_after: float | None = None
    ) -> None:
        """``detail`` is for the operator's log only and holds no number, code or credential.

        ``code`` is the vendor's own; ``retry_after`` is in seconds.
        """
        super().__init__(detail)
        self.detail, self.code, self.retry_after = detail, code, retry_after


class InvalidNumber(ProviderError):
    """Not a number that can be texted or called."""


class NotMobile(ProviderError):
    """A landline: it can take a call, not a text."""


class CountryNotServed(ProviderError):
    """The vendor's account does not send to that country."""


class Blocked(ProviderError):
    """The vendor's fraud guard holds the number or its prefix: never retried by machine."""


class OptedOut(ProviderError):
    """The owner of the number asked not to be texted."""


class TooManySends(ProviderError):
    """The vendor's own limit of sends to this number; the last code still works."""


class TooManyChecks(ProviderError):
    """The vendor's own limit of guesses for this code."""


class Gone(ProviderError):
    """The verification is over at the vendor: expired, used, or cancelled."""


class Busy(ProviderError):
    """Not processed for now (rate, concurrency, our own bound): safe to ask again."""


class Misconfigured(ProviderError):
    """Credentials, service or sender are wrong: the operator must act."""


class Unreachable(ProviderError):
    """No usable answer. ``maybe_sent`` tells a refused connection from an answer that got lost."""

    def __init__(self, detail: str = "", *, maybe_sent: bool, **rest: object) -> None:
        super().__init__(detail, **rest)  # type: ignore[arg-type]
        self.maybe_sent = maybe_sent
