"""The home URL, and the two health checks that platforms call."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from webapp.accounts.people.sessions import Stage
from webapp.pages import state
from webapp.pages.step import (
    ACCOUNT,
    SIGNIN_CODE,
    VERIFICATION,
    find_visitor,
    go,
    is_done,
    require_visitor,
)
from webapp.web import front_door


async def show(request: Request) -> Response:
    """Redirect to the step where this browser is."""
    if await find_visitor(request, Stage.SIGN_IN):
        return go(SIGNIN_CODE)
    return go(ACCOUNT if is_done(await require_visitor(request)) else VERIFICATION)


async def healthz(request: Request) -> Response:
    """200 while the process serves; our own doctor learns how its request arrived."""
    site = state.site(request)
    if front_door.is_signed(request.headers, site.secret_key, site.clock()):
        return JSONResponse(front_door.arrival(request.scope))
    return PlainTextResponse("ok")


async def readyz(request: Request) -> Response:
    """200 when the database answers and has every migration."""
    if await state.readiness(request).ready():
        return PlainTextResponse("ok")
    return PlainTextResponse("the database is away, or migrations are missing", 503)
