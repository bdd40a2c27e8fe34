"""The inbox of every phone and every email address in the sandbox."""

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

VERIFY_SENDER = "22395"


@dataclass(frozen=True, slots=True)
class Message:
    """A text, a call with its spoken words, or an email."""

    to: str
    sender: str
    body: str
    code: str | None
    channel: str
    at: str
    of_email: Mapping[str, str | None] = field(default_factory=dict)  # what only emails have

    def public(self) -> dict[str, Any]:
        """As messages.json and the phone's page have it."""
        return {
            "to": self.to,
            "from": self.sender,
            "body": self.body,
            "code": self.code,
            "channel": self.channel,
            "at": self.at,
            **self.of_email,
        }


class Inbox:
    """The last messages to all numbers and addresses."""

    def __init__(self, clock: Callable[[], datetime], kept: int) -> None:
        self._clock, self.kept = clock, kept
        self._messages: deque[Message] = deque(maxlen=kept)

    def deliver(
        self, to: str, body: str, *, sender: str = VERIFY_SENDER, channel: str = "sms"
    ) -> None:
        """Add a message. A run of exactly six digits in it is its code."""
        code = re.search(r"(?<![0-9])[0-9]{6}(?![0-9])", body)
        self._messages.appendleft(Message(to, sender, body, code and code[0], channel, self._now()))

    def receive_email(
        self, to: str, body: str, *, sender: str, subject: str, link: str | None
    ) -> None:
        """Add an email."""
        of_email = {"subject": subject, "link": link}
        self._messages.appendleft(Message(to, sender, body, None, "email", self._now(), of_email))

    def _now(self) -> str:
        return self._clock().isoformat(timespec="seconds")

    def messages(self, to: str = "") -> list[dict[str, Any]]:
        """The messages, newest first; those to one number or address, or all."""
        return [message.public() for message in self._messages if to in ("", message.to)]
