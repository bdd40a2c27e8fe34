"""Middleware that checks a request's host, scheme, method and origin."""

from collections.abc import Callable, Iterable
from urllib.parse import quote, urlsplit

import structlog
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ErrorApp = Callable[[int], ASGIApp]
"""Given a status, the ASGI app that answers with it (our error page)."""

METHODS = frozenset({"GET", "HEAD", "POST"})
READS = frozenset({"GET", "HEAD"})
HEALTH = ("/healthz", "/readyz")  # platforms ask for them under any host and without TLS
DEFAULT_PORTS = {"http": 80, "https": 443}
LOGGED = 100  # characters of a host that strangers name

log = structlog.get_logger(__name__)


class AllowedHost:
    """Answers 400 to requests for a host that is not ours."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str],
        on_error: ErrorApp,
        exempt: Iterable[str] = HEALTH,
    ) -> None:
        """``hosts``: ``name`` or ``name:port``; a default port may be left out or not."""
        self.app, self.on_error, self.exempt = app, on_error, frozenset(exempt)
        self.hosts = frozenset(
            spelling.encode() for host in hosts for spelling in host_spellings(host.lower())
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._ours(scope) or scope["path"] in self.exempt:
            await self.app(scope, receive, send)
        else:
            hosts = [value.decode("latin-1")[:LOGGED] for value in header_values(scope, b"host")]
            log.info("host_refused", hosts=hosts, ours=sorted(map(bytes.decode, self.hosts)))
            await self.on_error(400)(scope, receive, send)

    def _ours(self, scope: Scope) -> bool:
        values = header_values(scope, b"host")
        return len(values) == 1 and values[0].lower() in self.hosts


class Https:
    """Redirects plain http to https, where our cookie and forms work.

    The proxy says in ``X-Forwarded-Proto`` which scheme the visitor used. Browsers send
    ``Sec-Fetch-Site`` only over https, so a request that has it is never redirected: it would go
    round in circles where one proxy speaks plain http to the next.
    """

    def __init__(self, app: ASGIApp, origin: str, exempt: Iterable[str] = HEALTH) -> None:
        self.app, self.origin, self.exempt = app, origin, frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in READS or not self._plain(scope):
            await self.app(scope, receive, send)
        else:
            path, query = quote(scope["path"]), scope["query_string"].decode("latin-1")
            url = self.origin + path + (f"?{query}" if query else "")
            await RedirectResponse(url, 308)(scope, receive, send)

    def _plain(self, scope: Scope) -> bool:
        if scope["path"] in self.exempt or header_values(scope, b"sec-fetch-site"):
            return False
        came_by = b",".join(header_values(scope, b"x-forwarded-proto")).rpartition(b",")[2]
        return came_by.strip().lower() == b"http"


class AllowedMethods:
    """Answers 405 to every method that no page has, such as TRACE, OPTIONS and PUT.

    The router cannot: it names in ``Allow`` only the methods of the first route with that path.
    """

    def __init__(self, app: ASGIApp, on_error: ErrorApp) -> None:
        self.app, self.on_error = app, on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in METHODS:
            await self.app(scope, receive, send)
            return

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                allow = (b"allow", ", ".join(sorted(METHODS)).encode())
                message = {**message, "headers": [*message.get("headers", ()), allow]}
            await send(message)

        await self.on_error(405)(scope, receive, send_allowed)


class SameOrigin:
    """Answers 403 to writes that do not come from our own pages (CSRF, ASVS 3.5.1).

    ``Sec-Fetch-Site`` decides, or ``Origin`` where a browser is too old to send it. A request with
    neither is refused, and so are one with either header twice, ``same-site``, ``none`` and
    ``null``.
    """

    def __init__(
        self,
        app: ASGIApp,
        origin: str,
        on_error: ErrorApp,
        exempt: tuple[str, ...] = (),
        exempt_paths: Iterable[str] = (),
    ) -> None:
        """``origin``: ours, as ``origin_of`` returns it.

        Paths that begin with one of ``exempt``, or are one of ``exempt_paths``, are not checked:
        they authenticate otherwise, or are development's.
        """
        self.app, self.origin, self.on_error = app, origin.encode(), on_error
        self.exempt, self.exempt_paths = exempt, frozenset(exempt_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        free = scope["type"] != "http" or scope["method"] in READS
        if free or self._is_exempt(scope["path"]) or self._ours(scope):
            await self.app(scope, receive, send)
        else:
            await self.on_error(403)(scope, receive, send)

    def _is_exempt(self, path: str) -> bool:
        return path.startswith(self.exempt) or path in self.exempt_paths

    def _ours(self, scope: Scope) -> bool:
        sites, origins = header_values(scope, b"sec-fetch-site"), header_values(scope, b"origin")
        if sites:
            return sites == [b"same-origin"] and len(origins) <= 1
        return origins == [self.origin]


def origin_of(url: str) -> str:
    """The origin of ``url`` as browsers write it: lower case, punycode, no default port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host_of(url)}"


def host_of(url: str) -> str:
    """``name`` or ``name:port`` of ``url`` as browsers send it in ``Host``."""
    parts = urlsplit(url)
    name = (parts.hostname or "").encode("idna").decode()
    host = f"[{name}]" if ":" in name else name
    default = parts.port in (None, DEFAULT_PORTS.get(parts.scheme))
    return host if default else f"{host}:{parts.port}"


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """Every value of a header, as it came."""
    return [value for key, value in scope["headers"] if key == name]


def host_spellings(host: str) -> set[str]:
    """``name`` or ``name:port`` as clients may write it: a default port may be there or not."""
    name, _, port = host.rpartition(":")
    if host.endswith("]") or not name:
        return {host, f"{host}:80", f"{host}:443"}
    return {host, name} if port in ("80", "443") else {host}
