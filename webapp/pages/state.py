"""What the application keeps for its pages, with its types: ``app.state`` has none."""

from collections.abc import Callable
from typing import cast

from starlette.requests import Request

from webapp.accounts.history.recorder import History
from webapp.accounts.journeys.site import Site
from webapp.accounts.people.sessions import Browser
from webapp.accounts.sending.receipts import Receipts
from webapp.providers import ReceiptReader
from webapp.web.cookies import TokenCookie
from webapp.web.readiness import Readiness
from webapp.web.templates import PageCache
from webapp.web.throttle import Throttle


def site(request: Request) -> Site:
    return cast(Site, request.app.state.site)


def history(request: Request) -> History:
    return cast(History, request.app.state.history)


def cookie(request: Request) -> TokenCookie:
    return cast(TokenCookie, request.app.state.cookie)


def browser_cookie(request: Request) -> TokenCookie:
    """The cookie by which a browser is remembered for an account."""
    return cast(TokenCookie, request.app.state.browser_cookie)


def return_to(request: Request, url: str) -> str:
    """``url`` as a browser may follow it after signing in, or nothing."""
    may_return_to = cast(Callable[[str], str], request.app.state.access.may_return_to)
    return may_return_to(url)


def continue_url(request: Request) -> str:
    """Where "Continue" leads those who came from nowhere in particular, if it is set."""
    return cast(str, request.app.state.settings.continue_url)


def throttle(request: Request) -> Throttle:
    return cast(Throttle, request.app.state.throttle)


def networks(request: Request) -> tuple[str, ...]:
    """Who asks, see ``client_networks``."""
    return cast(tuple[str, ...], request.scope["networks"])


def browser(request: Request, return_to: str) -> Browser:
    """The browser that asks. Its network is the widest that is counted, which one visitor has."""
    return Browser(request.headers.get("user-agent", ""), return_to, networks(request)[-1])


def empty_forms(request: Request) -> PageCache:
    return cast(PageCache, request.app.state.empty_forms)


def receipt_reader(request: Request, vendor: str) -> ReceiptReader:
    return cast(ReceiptReader, request.app.state.providers.receipts[vendor])


def receipts(request: Request) -> Receipts:
    return cast(Receipts, request.app.state.receipts)


def readiness(request: Request) -> Readiness:
    return cast(Readiness, request.app.state.readiness)
