"""Security headers for every response."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)

# Only features that browsers know: an unknown one logs a warning in every visitor's console.
PERMISSIONS_POLICY = (
    "otp-credentials=(self), "  # WebOTP fills in the code
    "publickey-credentials-create=(self), publickey-credentials-get=(self), "  # passkeys
    "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), clipboard-read=(), "
    "display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), "
    "idle-detection=(), magnetometer=(), microphone=(), midi=(), payment=(), "
    "picture-in-picture=(), screen-wake-lock=(), serial=(), usb=(), "
    "xr-spatial-tracking=()"
)

HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: with it browsers send "Origin: null" with our own forms (Fetch standard,
    # "append a request Origin header"), so those without Sec-Fetch-Site could not post.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": PERMISSIONS_POLICY,
    "cache-control": "no-store",
}
STRICT_TRANSPORT_SECURITY = "max-age=63072000; includeSubDomains"  # two years


class SecurityHeaders:
    """Adds the security headers to every response, except those that it sets itself."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        """``https``: whether the site is served over TLS, so that HSTS may demand it."""
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
