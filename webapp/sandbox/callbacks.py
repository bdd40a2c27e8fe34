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
    """One form post that the sender of a text is owed."""

    url: str
    fields: Mapping[str, str]
    token: str  # the auth token that signs it

    @property
    def headers(self) -> dict[str, str]:
        signature = RequestValidator(self.token).compute_signature(self.url, self.fields)
        return {"X-Twilio-Signature": signature}


class Callbacks:
    """The callbacks that were not posted yet, in the order in which they came to be."""

    def __init__(self) -> None:
        self.owed: deque[Callback] = deque(maxlen=MOST)

    def owe(self, url: str, token: str, statuses: Mapping[str, str], **fields: str) -> None:
        """Owe one callback a status; each comes with its error code, or none."""
        for status, error in statuses.items():
            told = {**fields, "MessageStatus": status, "SmsStatus": status}
            if error:
                told["ErrorCode"] = error
            self.owed.append(Callback(url, told, token))

    async def post(self, client: httpx.AsyncClient) -> list[int]:
        """Post all that are owed: how each was answered."""
        return [await self._post(client, self.owed.popleft()) for _ in range(len(self.owed))]

    async def _post(self, client: httpx.AsyncClient, callback: Callback) -> int:
        fields = dict(callback.fields)
        answer = await client.post(callback.url, data=fields, headers=callback.headers)
        return answer.status_code

    async def play(self, client: httpx.AsyncClient) -> None:
        """Post them again and again, as a network does, until this task is cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.post(client)
