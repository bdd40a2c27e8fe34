"""The page that a link to confirm an email address opens, and asking for another link.

The token is in the path, so these pages send no path as a referrer, and the log has the route
instead of the path. To open the page changes nothing, since mail programs open links by themselves.
"""

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.links import LIFETIMES, Purpose
from webapp.accounts.journeys.confirm_email import (
    Confirmation,
    LinkStatus,
    confirm,
    read_link,
    send_link,
)
from webapp.pages import account, state
from webapp.pages.link import token_of, url_below, without_referrer
from webapp.pages.step import (
    ACCOUNT,
    HOME,
    Redirect,
    find_visitor,
    go,
    go_on,
    require_visitor,
    throttle,
)
from webapp.pages.words import USER_ERRORS, Told, problem
from webapp.web.templates import is_fragment, page

CONFIRM = "/email/confirm"
HOUR = timedelta(hours=1)
TEMPLATE = "steps/confirm_email.html"
STATUSES = {Confirmation.OVER: 410, Confirmation.TAKEN: 409}  # those of links that did nothing


async def show(request: Request) -> Response:
    return await render(request, await read_link(state.site(request), token_of(request)))


async def submit(request: Request) -> Response:
    link = await confirm(state.site(request), token_of(request))
    if link.confirmation in STATUSES or is_fragment(request):
        return await render(request, link)
    return without_referrer(go(url_of(request)))


def url_of(request: Request) -> str:
    return url_below(CONFIRM, request)


async def render(request: Request, link: LinkStatus) -> Response:
    """The page as the link stands; its ways on depend on who is signed in at this browser."""
    visitor, url = await find_visitor(request), url_of(request)
    response = page(
        request,
        TEMPLATE,
        url=url,
        status=STATUSES.get(link.confirmation, 200),
        **context(link, url, signed_in=bool(visitor and visitor.user.verified_at)),
    )
    return without_referrer(response)


def context(link: LinkStatus, url: str, *, signed_in: bool) -> dict[str, Any]:
    """What the template needs; ``url`` is the page's own."""
    return {
        "state": link.confirmation,
        "address": link.address,
        "action": url,
        "hours": LIFETIMES[Purpose.CONFIRM_EMAIL] // HOUR,
        "signed_in": signed_in,
    }


async def resend(request: Request) -> Response:
    visitor = await require_visitor(request)
    if not visitor.user.verified_at:
        raise Redirect(HOME)
    try:
        await throttle(request, "resends")
        await send_link(state.site(request), visitor.user)
    except USER_ERRORS as error:
        return await account.render(request, *visitor, problem=problem(error))
    return await go_on(request, state.cookie(request).read(request), ACCOUNT, Told.LINK_SENT)
