"""Who is asking, and which step is theirs."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webapp.accounts.challenges.verifications import Outcome, Verification
from webapp.accounts.journeys.flow import Flow
from webapp.accounts.people import sessions
from webapp.accounts.people.sessions import Visitor
from webapp.pages.words import Problem, throttled
from webapp.web.cookies import SessionCookie
from webapp.web.security import client_ip

SIGNUP, VERIFICATION, PHONE, ACCOUNT = "/signup", "/verification", "/verification/phone", "/account"


def flow(request: Request) -> Flow:
    return request.app.state.flow  # type: ignore[no-any-return]


def cookie(request: Request) -> SessionCookie:
    return request.app.state.cookie  # type: ignore[no-any-return]


async def visitor(request: Request) -> Visitor | None:
    """The person whose browser this is."""
    token = cookie(request).read(request)
    return await sessions.visitor(token, flow(request).clock()) if token else None


async def pending_visitor(request: Request) -> Visitor | Response:
    """The person at the code step, or the way to the step where this browser is."""
    there = await visitor(request)
    if there is None:
        return go(SIGNUP)
    return go(ACCOUNT) if there.user.verified_at or email_taken(there.verification) else there


def email_taken(verification: Verification) -> bool:
    """Whether the phone is proven, but the email was somebody else's already."""
    return verification.outcome is Outcome.EMAIL_TAKEN


def go(path: str) -> Response:
    """On to another step. fetch follows it with htmx's headers, and the page there answers them."""
    return RedirectResponse(path, 303)


async def throttle_visitor(request: Request, rule: str) -> Problem | None:
    """The problem of a visitor whose address did this too often; counts this time."""
    state: Any = request.app.state
    wait = await state.throttle.hit(
        rule, client_ip(request.scope, state.settings.trusted_proxy_hops)
    )
    return throttled(wait) if wait else None
