"""The inbox of every phone in the sandbox."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

VERIFY_SENDER = "22395"


@dataclass(frozen=True, slots=True)
class Message:
    """A text, or a call with its spoken words."""

    to: str
    sender: str
    body: str
    code: str | None
    channel: str
    at: str

    def public(self) -> dict[str, Any]:
        """As messages.json and the phone's page have it."""
        fields = asdict(self)
        return {"to": fields.pop("to"), "from": fields.pop("sender"), **fields}


class Inbox:
    """The last messages to all numbers."""

    def __init__(self, clock: Callable[[], datetime], kept: int) -> None:
        self._clock, self.kept = clock, kept
        self._messages: deque[Message] = deque(maxlen=kept)

    def deliver(
        self, to: str, body: str, *, sender: str = VERIFY_SENDER, channel: str = "sms"
    ) -> None:
        """Add a message. A run of exactly six digits in it is its code."""
        code = re.search(r"(?<![0-9])[0-9]{6}(?![0-9])", body)
        at = self._clock().isoformat(timespec="seconds")
        self._messages.appendleft(Message(to, sender, body, code and code[0], channel, at))

    def messages(self, to: str = "") -> list[dict[str, Any]]:
        """The messages, newest first; those to one number, or all."""
        return [message.public() for message in self._messages if to in ("", message.to)]
