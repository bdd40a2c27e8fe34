"""Status callbacks: what the simulated networks tell the sender of a text afterwards."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from twilio.request_validator import RequestValidator

EVERY = 1.0  # seconds between rounds of a network that plays by itself
MOST = 1000


@dataclass(frozen=True, slots=True)
class Callback:
    """One post that the sender of a text is owed: Twilio's signed form, or Vonage's JSON."""

    url: str
    fields: Mapping[str, str]
    token: str = ""  # Twilio's auth token that signs it

    async def post(self, client: httpx.AsyncClient) -> int:
        """Post it as its vendor does: the status of the answer."""
        if not self.token:
            return (await client.post(self.url, json=dict(self.fields))).status_code
        signature = RequestValidator(self.token).compute_signature(self.url, self.fields)
        headers = {"X-Twilio-Signature": signature}
        return (await client.post(self.url, data=dict(self.fields), headers=headers)).status_code


class Callbacks:
    """The callbacks that are still to be posted, the oldest first."""

    def __init__(self) -> None:
        self.owed: deque[Callback] = deque(maxlen=MOST)

    def owe(self, url: str, fields: Mapping[str, str], token: str = "") -> None:
        """Owe one callback."""
        self.owed.append(Callback(url, fields, token))

    async def post(self, client: httpx.AsyncClient) -> list[int]:
        """Post all that are owed: how each was answered."""
        return [await self.owed.popleft().post(client) for _ in range(len(self.owed))]

    async def play(self, client: httpx.AsyncClient) -> None:
        """Post them again and again, as a network does, until this task is cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.post(client)
