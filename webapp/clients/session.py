"""Who is signed in at this browser, for an application on our host and for the proxy before it."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from webapp.accounts.people.users import User
from webapp.clients.access import SIGNIN, access, claims, signed_in, way_in
from webapp.web.security import origin_of

PATHS = ("/session", "/session/gate")
CONTROLS = re.compile("[\x00-\x1f\x7f]")  # a server would write them into the response's headers
UNAUTHORIZED, FOUND = 401, 302


async def show(request: Request) -> Response:
    """200 with the person, or 401: for nobody and for a phone that is not proven yet."""
    user = await signed_in(request)
    return _person(user) if user else _nobody()


async def gate(request: Request) -> Response:
    """The same for proxies that hand our answer on to the browser: a way in instead of 401."""
    if user := await signed_in(request):
        return _person(user)
    url = access(request).may_return_to(_asked_for(request))
    if not url:
        return _nobody()
    return RedirectResponse(access(request).issuer + way_in(SIGNIN, url), FOUND)


def _person(user: User) -> Response:
    response = JSONResponse(claims(user))
    for name, value in (("user", user.subject), ("email", user.email), ("name", user.name)):
        # Bytes, because Starlette writes Latin-1 and names have every letter.
        header = f"remote-{name}".encode(), CONTROLS.sub(" ", value).encode()
        response.raw_headers.append(header)
    return response


def _nobody() -> Response:
    return JSONResponse({"error": "signed_out"}, UNAUTHORIZED)


def _asked_for(request: Request) -> str:
    """The URL that the proxy was asked for, or nothing where it does not say so clearly."""
    parts = [request.headers.getlist(f"x-forwarded-{name}") for name in ("proto", "host", "uri")]
    if any(len(values) != 1 for values in parts):
        return ""
    [proto], [host], [uri] = parts
    try:
        return origin_of(f"{proto}://{host}") + uri
    except ValueError:  # no host, or no port, that there can be
        return ""
