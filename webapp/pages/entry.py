"""The front door, and the two questions that platforms ask."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

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


async def show(request: Request) -> Response:
    """To the step where this browser is."""
    if await find_visitor(request, Stage.SIGN_IN):
        return go(SIGNIN_CODE)
    return go(ACCOUNT if is_done(await require_visitor(request)) else VERIFICATION)


async def healthz(_: Request) -> Response:
    return PlainTextResponse("ok")


async def readyz(request: Request) -> Response:
    """200 when the database answers and has every migration."""
    if await state.database(request).ready():
        return PlainTextResponse("ok")
    return PlainTextResponse("the database is away, or migrations are missing", 503)
