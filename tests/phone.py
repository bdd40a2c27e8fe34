"""The pretend phone, read as its owner reads it."""

import asyncio
import re
from dataclasses import dataclass

import httpx

PATIENCE = 10.0  # seconds in which a text must come


@dataclass(frozen=True)
class Text:
    """A text or call that reached the phone. Calls read their words aloud."""

    to: str
    body: str
    channel: str

    @property
    def code(self) -> str:
        """The six digits that a person would read out of it."""
        found = re.search(r"(?<!\d)\d{6}(?!\d)", self.body)
        assert found, f"No code in: {self.body}"
        return found.group()


class Phone:
    """Every message of the pretend network, by number. ``client`` reaches the sandbox."""

    def __init__(self, client: httpx.AsyncClient, path: str = "/sandbox/messages.json") -> None:
        self.client, self.path = client, path

    async def texts(self, to: str) -> list[Text]:
        """All that reached ``to``, newest first."""
        answer = await self.client.get(self.path, params={"to": to})
        return [Text(m["to"], m["body"], m["channel"]) for m in answer.raise_for_status().json()]

    async def code(self, to: str) -> str:
        """The code in the newest message that has one; waits for the first."""
        return (await self.text(to, r"\b\d{6}\b")).code

    async def text(self, to: str, pattern: str) -> Text:
        """The newest message to ``to`` that ``pattern`` is found in; waits for one to come."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for text in await self.texts(to):
                    if re.search(pattern, text.body):
                        return text
                await asyncio.sleep(0.05)
