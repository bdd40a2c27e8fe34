"""What the pages behind links in emails share.

The token is in the path, so these pages send no path as a referrer, and the log has the route
instead of the path.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

GONE = 410
# Not no-referrer, under which browsers send "Origin: null" with the form; and not the same-origin
# of other pages, under which our own pages and what stands before them would be told the token.
REFERRER_POLICY = {"Referrer-Policy": "strict-origin"}


def token_of(request: Request) -> str:
    return str(request.path_params["token"])


def url_below(path: str, request: Request) -> str:
    """The URL of ``path`` with the token, in which one of a stranger's making is encoded again."""
    return f"{path}/{quote(token_of(request), safe='')}"


def without_referrer(response: Response) -> Response:
    """``response`` as an answer at such a URL."""
    response.headers.update(REFERRER_POLICY)
    return response
