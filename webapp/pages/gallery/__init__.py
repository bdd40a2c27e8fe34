"""Every state of every step, from the real templates, forms and words. Development only."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webapp.pages import errors
from webapp.pages.gallery.account import ACCOUNT, LINKS, OWN_PAGES
from webapp.pages.gallery.code import CODE, SIGNIN
from webapp.pages.gallery.emails import SAMPLES
from webapp.pages.gallery.passkeys import PASSKEYS
from webapp.pages.gallery.phones import PHONES
from webapp.pages.gallery.recovery import RECOVERY
from webapp.pages.gallery.signup import NUMBER, SIGNUP
from webapp.pages.gallery.state import State
from webapp.web.headers import CONTENT_SECURITY_POLICY
from webapp.web.templates import page, render, respond

DIRECTIONS = ("ltr", "rtl")
# Only here, in development, may our own page frame our own pages.
FRAMED = (
    CONTENT_SECURITY_POLICY.replace("ancestors 'none'", "ancestors 'self'") + "; frame-src 'self'"
)


def _error(status: int) -> State:
    title, text = errors.WORDS[status]
    context = {"title": title, "text": text, "request_id": "3f9a1c7e52d04b86"}
    return State(f"{status}: {title}", "errors/error.html", lambda: context)


PIECES = {"pieces": State("What more pages can be made of", "sandbox/pieces.html", dict)}
ERRORS = {f"error-{status}": _error(status) for status in errors.WORDS}

GROUPS = {
    "Sign-up": SIGNUP,
    "Code": CODE,
    "Another number": NUMBER,
    "Sign in": SIGNIN,
    "Forgotten passwords": RECOVERY,
    "Numbers and recovery codes": PHONES,
    "Account": ACCOUNT,
    "The account’s own pages": OWN_PAGES,
    "Passkeys": PASSKEYS,
    "Links in emails": LINKS,
    "Errors": ERRORS,
    "Pieces": PIECES,
}
STATES = {name: state for group in GROUPS.values() for name, state in group.items()}


# --- the pages -------------------------------------------------------------------------------


async def index(request: Request) -> Response:
    """What there is to look at."""
    return respond(request, render(request, "sandbox/gallery.html", groups=GROUPS, emails=SAMPLES))


async def show(request: Request) -> Response:
    """One state, whole, as a visitor meets it; ``?dir=rtl`` from right to left."""
    state = _state(request)
    asked = request.query_params.get("dir", "")
    direction = asked if asked in DIRECTIONS else DIRECTIONS[0]
    return _framed(page(request, state.template, dir=direction, **state.context()))


async def side_by_side(request: Request) -> Response:
    """One state as a phone and a desk show it, light and dark, from both sides."""
    names, state = list(STATES), _state(request)
    at = names.index(request.path_params["state"])
    around = {"before": names[at - 1], "name": names[at], "after": names[(at + 1) % len(names)]}
    return _framed(
        respond(request, render(request, "sandbox/side_by_side.html", state=state, **around))
    )


def _state(request: Request) -> State:
    state = STATES.get(request.path_params["state"])
    if state is None:
        raise HTTPException(404)
    return state


def _framed(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = FRAMED
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
