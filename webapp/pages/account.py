"""The account: step 3 of signing up, later the page from which everything is changed."""

from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.links import Purpose
from webapp.accounts.challenges.verifications import Outcome, Verification
from webapp.accounts.journeys.change_email import new_address
from webapp.accounts.journeys.email_link import wait_for_link
from webapp.accounts.journeys.new_browser import sign_out as sign_out_of
from webapp.accounts.people import phones, sessions
from webapp.accounts.people.sessions import Session, Stage
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import whole_seconds
from webapp.pages import state
from webapp.pages.step import (
    ACCOUNT,
    SIGNIN,
    SIGNUP,
    find_visitor,
    go,
    require_visitor,
    take_notice,
)
from webapp.pages.words import Problem
from webapp.web.templates import page

TEMPLATE = "steps/account.html"
NEW = timedelta(hours=1)  # how long the account says that it is ready


async def show(request: Request) -> Response:
    visitor = await require_visitor(request)
    return await render(request, *visitor, notice=await take_notice(request, visitor.session))


async def render(
    request: Request,
    user: User,
    verification: Verification,
    session: Session,
    *,
    notice: str | None = None,
    problem: Problem | None = None,
) -> Response:
    """The account as it stands: verified, not yet, or its email somebody else's."""
    resend_in = await _wait_for_link(request, user)
    onward = _onward(request, session) if user.verified_at else ""
    site = state.site(request)
    new_email = await new_address(site, user) if user.verified_at and site.emails else ""
    return page(
        request,
        TEMPLATE,
        url=ACCOUNT,
        status=problem.status if problem else 200,
        retry_after=problem.retry_after if problem else None,
        problem=problem and problem.words,
        **context(user, verification, site.clock(), resend_in, notice, onward, new_email),
    )


async def _wait_for_link(request: Request, user: User) -> int | None:
    """Seconds until a link to confirm the email may be asked for; None where none is needed."""
    site = state.site(request)
    if site.emails is None or user.email_confirmed_at or not user.verified_at:
        return None
    return whole_seconds(await wait_for_link(user, Purpose.CONFIRM_EMAIL, site.clock()))


def _onward(request: Request, session: Session) -> str:
    """Where "Continue" leads: to where the person came from, or to the owner's application."""
    came_from = sessions.return_to(session, state.site(request).clock())
    return came_from or state.continue_url(request)


def context(
    user: User,
    verification: Verification,
    now: datetime,
    resend_in: int | None = None,
    notice: str | None = None,
    onward: str = "",
    new_email: str = "",
) -> dict[str, Any]:
    """What the template needs; ``user`` is there for whatever else a designer shows of a person."""
    verified = user.verified_at is not None
    return {
        "is_new": user.verified_at is not None and now - user.verified_at < NEW,
        "onward": onward,
        "new_email": new_email,
        "resend_in": resend_in,
        "notice": notice,
        "user": user,
        "phone": phones.readable(user.phone),
        "verified": verified,
        "email_taken": not verified and verification.outcome is Outcome.EMAIL_TAKEN,
    }


async def sign_out(request: Request) -> Response:
    """Sign out. A sign-in that waits for its code starts again, else the sign-up form follows."""
    cookie, known = state.cookie(request), state.browser_cookie(request)
    response = go(SIGNIN if await find_visitor(request, Stage.SIGN_IN) else SIGNUP)
    token, site = cookie.read(request), state.site(request)
    if token and (browser := await sign_out_of(site, token, known.read(request))):
        known.write(response, browser)
    cookie.clear(response)
    return response
