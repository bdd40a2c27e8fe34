"""Our own one-time codes over any messenger. They are derived, so none is stored."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from webapp.providers import Channel, Gone, Messenger, ProviderError, Receipt, Sent, SetupFault
from webapp.providers.failover import send_by_first_up

LIFETIME = timedelta(minutes=10)  # NIST SP 800-63B-4 allows 10 minutes for a code by phone
DIGITS = 6
PURPOSE = b"one-time code"


def _utcnow() -> datetime:
    return datetime.now(UTC)


class Codes:
    """A code is the HMAC of a challenge and the phone number, so a resend repeats it.

    The challenge is the verification's reference: the time it was made and random characters. It
    is not secret.
    """

    name = "codes"
    channels = frozenset({Channel.SMS})
    receipts_after: timedelta | None = None

    def __init__(
        self,
        messengers: Sequence[Messenger],
        secret_key: str,
        compose: Callable[[str], str],
        *,
        clock: Callable[[], datetime] = _utcnow,
    ) -> None:
        """``compose`` turns a code into the body of a text. The first of ``messengers`` sends it,
        and the next one where that is down.
        """
        self._messengers = messengers
        self._key = secret_key.encode()
        self._compose = compose
        self._clock = clock

    async def send(
        self,
        phone: str,
        *,
        email: str,  # noqa: ARG002
        channel: Channel,
        reference: str | None = None,
        account: str | None = None,  # noqa: ARG002
    ) -> Sent:
        """Text a code, the same as before within its 10 minutes. Raises ``ProviderError``."""
        if channel not in self.channels:
            raise ValueError(f"our own codes cannot be sent by {channel}")
        alive = reference and self._life_left(reference) > timedelta()
        challenge = reference if reference and alive else self._challenge()
        try:
            body = self._compose(self._code(challenge, phone))
            message = await send_by_first_up(
                self._messengers,
                phone,
                body,
                valid_for=self._life_left(challenge),
                is_code=True,
            )
        except ProviderError as error:
            error.reference = challenge  # if the text arrives after all, its code works
            raise
        return Sent(reference=challenge, message=message)

    async def check(self, phone: str, *, reference: str, code: str) -> bool:
        """Whether ``code`` belongs to ``reference``. Raises ``Gone`` after 10 minutes.

        The caller counts the checks and lets a right code be used only once.
        """
        if self._life_left(reference) <= timedelta():
            raise Gone("codes: expired")
        right = self._code(reference, phone).encode()
        return hmac.compare_digest(right, code.encode(errors="replace"))

    async def receipts(self, since: datetime, until: datetime) -> list[Receipt]:  # noqa: ARG002
        """None: the messengers have them."""
        return []

    async def report_success(self, message: str) -> None:
        """Tell all messengers; the one that sent the message acts. Raises ``ProviderError``."""
        for messenger in self._messengers:
            await messenger.report_success(message)

    async def examine(self, countries: frozenset[str]) -> list[SetupFault]:
        """What is wrong with the first messenger's account."""
        return await self._messengers[0].examine(countries)

    def _challenge(self) -> str:
        return f"{int(self._clock().timestamp())}.{secrets.token_urlsafe(16)}"

    def _life_left(self, challenge: str) -> timedelta:
        """How long the code of ``challenge`` will count; not at all if that is no challenge."""
        made = re.match(r"([0-9]{1,11})\.", challenge)
        if not made:
            return timedelta()
        return datetime.fromtimestamp(int(made[1]), UTC) + LIFETIME - self._clock()

    def _code(self, challenge: str, phone: str) -> str:
        message = b"\0".join((PURPOSE, challenge.encode(), phone.encode()))
        digest = hmac.digest(self._key, message, hashlib.sha256)
        return f"{int.from_bytes(digest) % 10**DIGITS:0{DIGITS}}"
