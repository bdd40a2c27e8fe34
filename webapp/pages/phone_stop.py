"""The link that stops a change of number, which the old phone and the email address are sent.

To open it changes nothing, since mail programs open links by themselves.
"""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.journeys import lost_phone
from webapp.pages import state
from webapp.pages.link import GONE, behind_link, token_of, url_below
from webapp.pages.step import STOP_PHONE
from webapp.web.templates import page

TEMPLATE = "recovery/phone_stop.html"


def render_over(request: Request) -> Response:
    return render(request, "over", GONE)


@behind_link(render_over)
async def show(request: Request) -> Response:
    await lost_phone.can_stop(state.site(request), token_of(request))
    return render(request, "open")


@behind_link(render_over)
async def submit(request: Request) -> Response:
    await lost_phone.stop(state.site(request), token_of(request))
    return render(request, "stopped")


def render(request: Request, stage: str, status: int = 200) -> Response:
    url = url_below(STOP_PHONE, request)
    return page(request, TEMPLATE, url=url, status=status, state=stage, action=url)
