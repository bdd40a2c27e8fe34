"""Webhooks: events of an account, told to the owner's application by the outbox."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from webapp.accounts.events import AccountEvent, SiteEvent
from webapp.accounts.people.users import User
from webapp.accounts.sending.carriers import Carrier, RetryPolicy
from webapp.accounts.sending.delivery import Outbox
from webapp.accounts.sending.outbox import MessageChannel, OutboxMessage
from webapp.clients.access import claims
from webapp.providers import Gone
from webapp.providers.webhook import WebhookEndpoint

TEST = "doctor.test"  # what `doctor` sends; it is about nobody


class Webhooks:
    """Writes events into the outbox, where `WEBHOOK_URL` names an endpoint."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def write(self, event: AccountEvent, user: User, at: datetime) -> None:
        """Put the event into the transaction that is open here; it is posted after the commit."""
        body = payload(event, data(event, user), at)
        await self._outbox.write(MessageChannel.WEBHOOK, to="", subject=event.value, body=body)

    async def warn(self, event: SiteEvent, about: Mapping[str, Any], at: datetime) -> None:
        """Write an event that is about no person."""
        body = payload(event, about, at)
        await self._outbox.write(MessageChannel.WEBHOOK, to="", subject=event.value, body=body)


def payload(event: str, about: Mapping[str, Any], at: datetime) -> str:
    """The body of an event. Its type is its version: another meaning is another type."""
    return json.dumps({"type": event, "timestamp": at.isoformat(), "data": dict(about)})


def data(event: AccountEvent, user: User) -> dict[str, Any]:
    """What is told of the person: the claims of OpenID Connect; of who left, the ``sub`` alone."""
    if event is AccountEvent.DELETED:
        return {"sub": user.subject}
    return {**claims(user), "phone_number_verified": True}  # before that nothing is told


class WebhookCarrier(Carrier):
    """Posts events. One that ends without an answer comes again with the same id."""

    retries = RetryPolicy(
        final=(Gone,),
        longest=timedelta(hours=6),
        give_up_after=timedelta(days=3),
        jitter=0.2,
    )

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        self._endpoint = endpoint

    async def send(self, message: OutboxMessage) -> str:
        await self._endpoint.post(event_id(message), message.body)
        return event_id(message)


def event_id(message: OutboxMessage) -> str:
    return f"msg_{message.uid}"
