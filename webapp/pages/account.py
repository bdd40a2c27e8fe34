"""Step 3: the account, and the way out of it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.verifications import Outcome, Verification
from webapp.accounts.people import phones, sessions
from webapp.accounts.people.users import User
from webapp.pages import state
from webapp.pages.step import ACCOUNT, SIGNUP, go, require_visitor
from webapp.web.templates import page

TEMPLATE = "steps/account.html"


async def show(request: Request) -> Response:
    return render(request, *await require_visitor(request))


def render(request: Request, user: User, verification: Verification) -> Response:
    """The account as it stands: verified, not yet, or its email somebody else's."""
    return page(request, TEMPLATE, url=ACCOUNT, **context(user, verification))


def context(user: User, verification: Verification) -> dict[str, Any]:
    """What the template needs; ``user`` is there for whatever else a designer shows of a person."""
    verified = user.verified_at is not None
    return {
        "user": user,
        "phone": phones.readable(user.phone),
        "verified": verified,
        "email_taken": not verified and verification.outcome is Outcome.EMAIL_TAKEN,
    }


async def sign_out(request: Request) -> Response:
    cookie = state.cookie(request)
    if token := cookie.read(request):
        await sessions.close_session(token)
    response = go(SIGNUP)
    cookie.clear(response)
    return response
