"""The owner's endpoint for webhooks, by the Standard Webhooks specification.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from webapp.providers import Gone, ProviderError, SetupFault
from webapp.providers.answers import Answer, error_from
from webapp.providers.client import VendorClient

TIMEOUT = 15.0  # seconds that one call may take: the specification asks for 15 to 30
VARIABLE = "WEBHOOK_URL"


class WebhookEndpoint:
    """Posts events to one URL, each signed."""

    def __init__(
        self, url: str, secret: str, client: VendorClient, clock: Callable[[], datetime]
    ) -> None:
        """``secret``: the key of the signatures, ``whsec_…``; ``clock`` is in UTC."""
        from standardwebhooks import Webhook  # noqa: PLC0415 - most sites have none

        self._url, self._client, self._clock = url, client, clock
        self._signatures = Webhook(secret)

    async def post(self, event_id: str, body: str) -> int:
        """Post an event, whose ``event_id`` is the same for every attempt: the answer's status.

        Raises ``Gone`` where the endpoint wants no more of it, or another ``ProviderError``.
        """
        now = self._clock()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signatures.sign(event_id, now, body),
        }
        answer = await self._client.call(
            "POST event",
            "POST",
            self._url,
            parse_error=_error,
            content=body.encode(),
            headers=headers,
        )
        return answer.status

    async def examine(self, event_id: str, body: str) -> list[SetupFault]:
        """Post a test event and say what came back, if that is not well."""
        try:
            await self.post(event_id, body)
        except ProviderError as error:
            detail = error.detail.partition(": ")[2] or type(error).__name__
            return [SetupFault(VARIABLE, f"the test event came back with {detail}")]
        return []


def _error(answer: Answer) -> ProviderError | None:
    if answer.status // 100 == HTTPStatus.OK // 100:
        return None
    if answer.status == HTTPStatus.GONE:
        return Gone(f"webhook: HTTP {answer.status}")
    return error_from("webhook", answer, None, {})
