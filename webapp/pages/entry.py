"""The front door, and the two questions that platforms ask."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from webapp.pages.step import ACCOUNT, SIGNUP, VERIFICATION, email_taken, go, visitor


async def show(request: Request) -> Response:
    """To the step where this browser is."""
    there = await visitor(request)
    if there is None:
        return go(SIGNUP)
    done = there.user.verified_at or email_taken(there.verification)
    return go(ACCOUNT if done else VERIFICATION)


async def healthz(_: Request) -> Response:
    return PlainTextResponse("ok")


async def readyz(request: Request) -> Response:
    """200 when the database answers and has every migration."""
    if await request.app.state.database.ready():
        return PlainTextResponse("ok")
    return PlainTextResponse("the database is away, or migrations are missing", 503)
