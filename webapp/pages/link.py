"""What the pages behind links in emails share.

The token is in the path, so these pages send no path as a referrer, and the log has the route
instead of the path.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.journeys.email_link import LinkOver

GONE = 410
# Not no-referrer, under which browsers send "Origin: null" with the form; and not the same-origin
# of other pages, under which our own pages and what stands before them would be told the token.
REFERRER_POLICY = {"Referrer-Policy": "strict-origin"}
Handler = Callable[[Request], Awaitable[Response]]


def behind_link(over: Callable[[Request], Response]) -> Callable[[Handler], Handler]:
    """Decorate a handler below such a path: ``over`` answers where it raises ``LinkOver``."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def handle(request: Request) -> Response:
            try:
                return without_referrer(await handler(request))
            except LinkOver:
                return without_referrer(over(request))

        return handle

    return decorate


def token_of(request: Request) -> str:
    return str(request.path_params["token"])


def url_below(path: str, request: Request) -> str:
    """The URL of ``path`` with the token, in which one of a stranger's making is encoded again."""
    return f"{path}/{quote(token_of(request), safe='')}"


def without_referrer(response: Response) -> Response:
    """``response`` as an answer at such a URL."""
    response.headers.update(REFERRER_POLICY)
    return response
