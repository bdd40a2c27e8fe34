"""Step 3: the account, and the way out of it."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.people import phones, sessions
from webapp.accounts.people.users import User
from webapp.pages.step import ACCOUNT, SIGNUP, cookie, email_taken, go, visitor
from webapp.web.templates import page


async def show(request: Request) -> Response:
    there = await visitor(request)
    return render_step(request, *there) if there else go(SIGNUP)


def render_step(request: Request, user: User, verification: Verification) -> Response:
    """The account as it stands: verified, not yet, or its email somebody else's."""
    return page(
        request,
        "steps/account.html",
        url=ACCOUNT,
        name=user.name,
        email=user.email,
        phone=phones.readable(user.phone),
        verified=user.verified_at is not None,
        email_taken=user.verified_at is None and email_taken(verification),
    )


async def sign_out(request: Request) -> Response:
    token = cookie(request).read(request)
    if token:
        await sessions.close_session(token)
    response = go(SIGNUP)
    cookie(request).clear(response)
    return response
