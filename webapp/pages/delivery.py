"""What became of the last code: whether the network delivered it, told while a person waits."""

from collections.abc import Mapping, Set
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.verifications import Status, Verification
from webapp.providers import Channel, DeliveryState
from webapp.web.templates import render, respond

TEMPLATE = "partials/delivery.html"
NAMES = {
    DeliveryState.ON_ITS_WAY: "sent",
    DeliveryState.FAILED: "failed",
    DeliveryState.DELIVERED: "delivered",
}
ASKED_FOR = timedelta(seconds=90)  # after a send; later the page learns no more by itself
NO_CONTENT = 204


def news(request: Request, shown: Mapping[str, Any]) -> Response:
    """The piece of the step that tells, for a page that asks; ``shown`` is the step's context."""
    if shown["asks_for_receipt"]:
        return no_news()
    return respond(request, render(request, TEMPLATE, polled=True, **shown))


def no_news() -> Response:
    """The page stays as it is."""
    return Response(status_code=NO_CONTENT)


def context(verification: Verification, now: datetime, channels: Set[Channel]) -> dict[str, Any]:
    """What the step and the piece of it need: what became of the code, and whether to ask on."""
    delivery = DeliveryState(verification.delivery)
    waiting = verification.status(now) is Status.WAITING and bool(verification.message)
    asks = waiting and delivery is DeliveryState.ON_ITS_WAY and _is_fresh(verification, now)
    return {
        "delivery": NAMES[delivery],
        "asks_for_receipt": asks,
        "can_call": Channel.CALL in channels and not verification.never_sent,
    }


def _is_fresh(verification: Verification, now: datetime) -> bool:
    sent_at = verification.sent_at
    return sent_at is not None and now < sent_at + ASKED_FOR
