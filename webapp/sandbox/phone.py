"""The inbox of every phone there is."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

VERIFY_SENDER = "22395"


@dataclass(frozen=True, slots=True)
class Message:
    """A text, or a call with the words spoken."""

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
    """The last messages, to whatever number."""

    def __init__(self, clock: Callable[[], datetime], kept: int) -> None:
        self._clock, self.kept = clock, kept
        self._messages: deque[Message] = deque(maxlen=kept)

    def deliver(
        self, to: str, body: str, *, sender: str = VERIFY_SENDER, channel: str = "sms"
    ) -> None:
        """Let a message arrive; six digits on their own in it are a code."""
        code = re.search(r"(?<![0-9])[0-9]{6}(?![0-9])", body)
        at = self._clock().isoformat(timespec="seconds")
        self._messages.appendleft(Message(to, sender, body, code and code[0], channel, at))

    def messages(self, to: str = "") -> list[dict[str, Any]]:
        """What arrived, newest first; at one number or at all."""
        return [message.public() for message in self._messages if to in ("", message.to)]
