"""What became of the last code: whether the network delivered it, told while a person waits."""

from collections.abc import Set
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.verifications import Status, Verification
from webapp.accounts.people.sessions import Stage
from webapp.pages import state
from webapp.pages.step import PHONE, SIGNIN_CODE, VERIFICATION, find_visitor, is_done
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
RESEND = {VERIFICATION: "/verification/resend", SIGNIN_CODE: "/signin/resend"}


async def of_sign_up(request: Request) -> Response:
    """For the code of a sign-up."""
    visitor = await find_visitor(request)
    if visitor is None or is_done(visitor):
        return Response(status_code=NO_CONTENT)
    return _news(request, visitor.verification, VERIFICATION, change_url=PHONE)


async def of_sign_in(request: Request) -> Response:
    """For the code of a sign-in."""
    visitor = await find_visitor(request, Stage.SIGN_IN)
    if visitor is None:
        return Response(status_code=NO_CONTENT)
    return _news(request, visitor.verification, SIGNIN_CODE)


def _news(request: Request, verification: Verification, url: str, change_url: str = "") -> Response:
    """The piece of the step that tells; nothing while there is no news, and the page asks again."""
    site = state.site(request)
    shown = context(verification, site.clock(), site.verifier.channels)
    if shown["asks_for_receipt"]:
        return Response(status_code=NO_CONTENT)
    return respond(
        request,
        render(
            request,
            TEMPLATE,
            polled=True,
            url=url,
            change_url=change_url,
            resend_url=RESEND[url],
            **shown,
        ),
    )


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
