"""What stands between strangers and the handlers: response headers, host, methods, origin."""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import structlog
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ErrorApp = Callable[[int], ASGIApp]
"""Given a status, the ASGI app that answers with it (our error page)."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)

# Only names that browsers know: an unknown one is a warning in every visitor's console.
PERMISSIONS_POLICY = (
    "otp-credentials=(self), "  # WebOTP fills in the code
    "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), clipboard-read=(), "
    "display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), "
    "idle-detection=(), magnetometer=(), microphone=(), midi=(), payment=(), "
    "picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), "
    "xr-spatial-tracking=()"
)

HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: under it a browser sends "Origin: null" with our own forms (Fetch standard,
    # "append a request Origin header"), and those too old for Sec-Fetch-Site would be locked out.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": PERMISSIONS_POLICY,
    "cache-control": "no-store",
}
STRICT_TRANSPORT_SECURITY = "max-age=63072000; includeSubDomains"  # two years

METHODS = frozenset({"GET", "HEAD", "POST"})
READS = frozenset({"GET", "HEAD"})
HEALTH = ("/healthz", "/readyz")  # asked for by platforms, under any name and without TLS
DEFAULT_PORTS = {"http": 80, "https": 443}
LOGGED = 100  # characters of a host that strangers name

log = structlog.get_logger(__name__)


class SecurityHeaders:
    """Gives every response the security headers, except those it has set for itself."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        """``https``: whether the site is served over TLS, and so may demand it (HSTS)."""
        self.app = app
        headers = HEADERS | (
            {"strict-transport-security": STRICT_TRANSPORT_SECURITY} if https else {}
        )
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._completed(message.get("headers", ()))}
            await send(message)

        await self.app(scope, receive, send_secured)

    def _completed(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        completed = list(headers)
        own = {name for name, _ in completed}
        completed += [header for header in self.headers if header[0] not in own]
        return completed


class AllowedHost:
    """Answers 400 to requests for a host that is not ours."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str],
        on_error: ErrorApp,
        exempt: Iterable[str] = HEALTH,
    ) -> None:
        """``hosts``: ``name`` or ``name:port``; default ports may be there or not."""
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
    """Sends a visitor who came by plain http on to https, where our cookie and forms work.

    A proxy of ours tells by ``X-Forwarded-Proto`` how they came. Browsers send ``Sec-Fetch-Site``
    over https alone: one that does is there already, and would be sent round in circles if only
    one proxy speaks plain http to another.
    """

    def __init__(self, app: ASGIApp, origin: str, exempt: Iterable[str] = HEALTH) -> None:
        self.app, self.origin, self.exempt = app, origin, frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in READS or not self._plain(scope):
            await self.app(scope, receive, send)
        else:
            await RedirectResponse(self.origin + scope["path"], 308)(scope, receive, send)

    def _plain(self, scope: Scope) -> bool:
        if scope["path"] in self.exempt or header_values(scope, b"sec-fetch-site"):
            return False
        came_by = b",".join(header_values(scope, b"x-forwarded-proto")).rpartition(b",")[2]
        return came_by.strip().lower() == b"http"


class AllowedMethods:
    """Answers 405 to every method that no page has: TRACE, OPTIONS, PUT and whatever comes."""

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

    ``Sec-Fetch-Site`` decides; where a browser is too old to send it, ``Origin`` does. Neither,
    or any of them twice, is a refusal, and so are ``same-site``, ``none`` and ``null``.
    """

    def __init__(
        self,
        app: ASGIApp,
        origin: str,
        on_error: ErrorApp,
        exempt: tuple[str, ...] = (),
        exempt_paths: Iterable[str] = (),
    ) -> None:
        """``origin``: as a browser writes it, see ``origin_of``.

        ``exempt``: below these paths anybody may write, or is authenticated otherwise;
        ``exempt_paths``: the same at exactly these.
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
