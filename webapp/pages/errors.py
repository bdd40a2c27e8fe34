"""Everything that is not a step: what happened, in words, and never a traceback."""

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from webapp.accounts.policy.rules import RETRY_AFTER, whole_seconds
from webapp.web.templates import is_fragment, page, render, respond

log = structlog.get_logger(__name__)

WORDS = {
    400: ("We couldn’t read that", "Check the address of the page and try again."),
    403: (
        "We couldn’t accept that",
        "It did not come from our own page. Go back, reload, and try again.",
    ),
    404: ("Page not found", "It may have moved, or the address has a typing error."),
    405: ("That can’t be done here", "Go back to where you were and try again."),
    413: (
        "That is too large",
        "What was sent is larger than any of our forms. Shorten it and try again.",
    ),
    500: (
        "Something went wrong",
        "It’s our fault, not yours, and we have been told. Try again in a moment.",
    ),
    503: ("We’re not ready just now", "Nothing that was saved is lost. Try again in a moment."),
}
INVALID, BROKEN, UNAVAILABLE = 422, 500, 503
RETRY_LATER = {"Retry-After": str(whole_seconds(RETRY_AFTER))}


def show(request: Request, status: int, headers: dict[str, str] | None = None) -> Response:
    """The page for ``status``."""
    title, text = WORDS.get(status, WORDS[400])
    response = page(
        request,
        "errors/error.html",
        status=status,
        title=title,
        text=text,
        request_id=request.scope.get("request_id", ""),
    )
    response.headers.update(headers or {})
    return response


def error_app(status: int) -> ASGIApp:
    """An ASGI app that answers with the page for ``status``, for middleware."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        headers = RETRY_LATER if status == UNAVAILABLE else None
        await show(Request(scope, receive), status, headers)(scope, receive, send)

    return answer


async def http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return show(request, error.status_code, dict(error.headers or {}))


async def client_left(request: Request, _: Exception) -> Response:
    """For a visitor who left while their form was read; nobody gets the answer."""
    return show(request, 400)


async def template_failed(request: Request, error: Exception) -> Response:
    """For designers, in development: which line of which template is wrong, and why."""
    log.error("template_failed", error=str(error), exc_info=error)
    swapped = is_fragment(request)
    html = render(request, "sandbox/template_error.html", error=error, fragment=swapped)
    response = respond(request, html, INVALID if swapped else BROKEN)  # app.js shows no 500
    response.headers["HX-Replace-Url"] = request.url.path
    return response


async def database_away(request: Request, error: Exception) -> Response:
    log.error("database_error", error=type(error).__name__, exc_info=error)
    return show(request, UNAVAILABLE, RETRY_LATER)
