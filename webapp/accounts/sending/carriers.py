"""Who delivers the messages of a channel, and how often that is tried."""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from webapp.accounts.history.reasons import Reason, reason_of
from webapp.accounts.history.recorder import History
from webapp.accounts.policy import blocks, limits, usage
from webapp.accounts.policy.blocks import BlockedByOperator, Subject
from webapp.accounts.policy.money import Money
from webapp.accounts.policy.rules import SpendingLimits
from webapp.accounts.policy.usage import Reservation
from webapp.accounts.sending import outbox
from webapp.accounts.sending.outbox import OutboxMessage
from webapp.providers import (
    Blocked,
    CountryNotServed,
    Email,
    InvalidAddress,
    InvalidNumber,
    Mailer,
    Messenger,
    NotFound,
    NotMobile,
    OptedOut,
    ProviderError,
)
from webapp.providers.failover import send_by_first_up

NOTICE = "notice"  # in the history: the channel of a text that is no code
CLOCK_SKEW = timedelta(minutes=1)  # between us and the vendor, when its list is asked
TEXT_VALID_FOR = timedelta(hours=4)  # in the vendor's queue; later it would only wake people
SETTLED_AFTER = timedelta(seconds=30)  # a vendor may still act on a call after we hung up


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a message that could not be delivered is tried again."""

    final: tuple[type[ProviderError], ...]  # after these it is not tried again
    first: timedelta = timedelta(seconds=5)  # doubled each time
    longest: timedelta = timedelta(minutes=15)
    give_up_after: timedelta = timedelta(days=1)
    jitter: float = 0.0  # a pause is longer by up to this part of it, at random

    def pause(self, attempts: int, error: ProviderError) -> timedelta:
        """The time before the next attempt, after ``attempts`` that failed, the last by ``error``.

        It is never shorter than the vendor asks for.
        """
        pause = min(self.first * 2.0 ** min(attempts, 20), self.longest)
        pause += pause * random.uniform(0, self.jitter)  # noqa: S311 - no secret
        if error.maybe_sent:
            pause = max(pause, SETTLED_AFTER)
        return max(pause, timedelta(seconds=error.retry_after or 0))

    def is_over(self, message: OutboxMessage, error: ProviderError, now: datetime) -> bool:
        """Whether the message is not tried again after this error."""
        return isinstance(error, self.final) or now - message.created_at > self.give_up_after


class Carrier(ABC):
    """Delivers the messages of one channel. The methods that most carriers share are here."""

    retries: RetryPolicy

    async def reserve(
        self,
        message: OutboxMessage,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
    ) -> Reservation | None:
        """Reserve what one attempt costs. Raises ``LimitExceeded`` while it has to wait."""
        return None

    async def refund(self, reserved: Reservation | None) -> None:  # noqa: B027 - most cost nothing
        """The attempt cost nothing after all."""

    async def find(self, message: OutboxMessage) -> str | NotFound:  # noqa: ARG002
        """Whether the receiver has a message whose last attempt ended without an answer.

        A carrier that cannot ask says ``NEVER_ACCEPTED`` to have the message sent again. Raises
        ``ProviderError``.
        """
        return NotFound.NEVER_ACCEPTED

    @abstractmethod
    async def send(self, message: OutboxMessage) -> str:
        """Deliver the message: the reference to keep. Raises ``ProviderError``."""


class TextCarrier(Carrier):
    """Texts, by the first of the messengers that is not down. Only texts cost money."""

    retries = RetryPolicy(final=(InvalidNumber, NotMobile, CountryNotServed, Blocked, OptedOut))

    def __init__(
        self,
        messengers: Sequence[Messenger],
        spending: SpendingLimits,
        money: Money,
        history: History,
    ) -> None:
        self._messengers, self._history = messengers, history
        self._spending, self._money = spending, money

    async def reserve(self, message: OutboxMessage, now: datetime) -> Reservation:
        try:
            await blocks.refuse(Subject.of_phone(message.to), now)
        except BlockedByOperator as error:
            self._history.record(error.reason, message.to, channel=NOTICE)
            raise
        money = await self._money.limits(message.to, known=True)
        reserved = await limits.reserve_confirmation(self._spending, now, money)
        await self._money.warn(reserved)
        return reserved

    async def refund(self, reserved: Reservation | None) -> None:
        if reserved:
            await usage.refund(reserved)

    async def find(self, message: OutboxMessage) -> str | NotFound:
        assert message.tried_at  # noqa: S101
        since = message.tried_at - CLOCK_SKEW
        first = self._messengers[0]
        named = {messenger.name: messenger for messenger in self._messengers}
        if messenger := named.get(message.vendor or first.name):
            return await messenger.find(message.to, message.body, since)
        return NotFound.CANNOT_TELL

    async def send(self, message: OutboxMessage) -> str:
        if message.vendor:
            await outbox.record_vendor(message, "")
        try:
            reference = await send_by_first_up(
                self._messengers,
                message.to,
                message.body,
                valid_for=TEXT_VALID_FOR,
                switch=lambda messenger: outbox.record_vendor(message, messenger.name),
            )
        except ProviderError as error:
            self._history.record(reason_of(error), message.to, channel=NOTICE, detail=error.code)
            raise
        price = await self._money.price(message.to)
        self._history.record(Reason.SENT, message.to, channel=NOTICE, money=price)
        return reference


class EmailCarrier(Carrier):
    """Emails, by a mailer.

    No mail server can be asked whether it has an email, so one that ended without an answer is
    sent again: two are better than none, since people wait for the link in it. Its Message-ID is
    the same, by which many mailboxes show the two as one.
    """

    retries = RetryPolicy(final=(InvalidAddress, Blocked))

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def send(self, message: OutboxMessage) -> str:
        email = Email(message.subject, message.body, message.html)
        await self._mailer.send(message.to, email, message.uid)
        return message.uid
