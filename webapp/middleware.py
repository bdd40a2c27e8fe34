"""What every request passes before its handler, outermost first."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from webapp.clients import session
from webapp.clients.oidc import OPEN_PATHS
from webapp.pages import email, hooks, reset
from webapp.pages.errors import error_app
from webapp.pages.step import LOST_PHONE_LINK, STOP_PHONE
from webapp.settings import Settings
from webapp.web.client import Clients
from webapp.web.deadline import Deadline
from webapp.web.headers import SecurityHeaders
from webapp.web.log import RequestLog
from webapp.web.security import (
    HEALTH,
    AllowedHost,
    AllowedMethods,
    Https,
    SameOrigin,
    host_of,
    origin_of,
)

WITH_TOKEN = (email.CONFIRM, reset.RESET, LOST_PHONE_LINK, STOP_PHONE, hooks.TWILIO, hooks.VONAGE)
SECRET_BELOW = tuple(f"{path}/" for path in WITH_TOKEN)  # where a path goes on with a token
LARGEST_BODY = 65_536  # bytes; the longest of our forms has a few hundred


def middleware(settings: Settings) -> list[Middleware]:
    origin = origin_of(settings.base_url)
    behind_tls = settings.https and settings.trusted_proxy_hops > 0
    return [
        Middleware(SecurityHeaders, https=settings.https),
        Middleware(
            RequestLog,
            on_error=error_app,
            client=Clients(settings.trusted_proxy_hops),
            secret_below=SECRET_BELOW,
        ),
        Middleware(Deadline, on_error=error_app),
        Middleware(
            AllowedHost,
            hosts=_hosts(settings),
            on_error=error_app,
            exempt=(*HEALTH, *session.PATHS),  # a proxy asks by the name it knows us by
        ),
        *([Middleware(Https, origin=origin)] if behind_tls else []),
        Middleware(AllowedMethods, on_error=error_app),
        Middleware(
            SameOrigin,
            origin=origin,
            on_error=error_app,
            exempt=(hooks.HOOKS, *(("/sandbox/",) if settings.development else ())),
            exempt_paths=OPEN_PATHS,
        ),
        Middleware(RequestBodyLimitMiddleware, max_body_size=LARGEST_BODY),
    ]


def _hosts(settings: Settings) -> Iterable[str]:
    host = host_of(settings.base_url)
    if not settings.development:
        return [host]
    port = urlsplit(settings.base_url).port
    suffix = f":{port}" if port else ""
    return [host, f"localhost{suffix}", f"127.0.0.1{suffix}"]
