"""What all integrations of the owner's applications share: who is signed in, and settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from webapp.accounts.people import sessions
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import SessionLife
from webapp.clients.oidc.keys import Keyring
from webapp.settings import Settings
from webapp.settings.clients import Client
from webapp.web import return_to
from webapp.web.cookies import TokenCookie
from webapp.web.security import origin_of

SIGNIN, SIGNUP = "/signin", "/signup"


@dataclass(frozen=True, slots=True)
class Access:
    """The settings of this room, as ``app.state.access``."""

    issuer: str  # our origin, which is also who signs the tokens
    clients: Mapping[str, Client]  # by id
    return_origins: frozenset[str]  # as browsers write them
    cookie: TokenCookie
    browser_cookie: TokenCookie
    keys: Keyring
    clock: Callable[[], datetime]
    session_life: SessionLife

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        cookie: TokenCookie,
        browser_cookie: TokenCookie,
        clock: Callable[[], datetime],
    ) -> "Access":
        """What the settings say of the owner's applications."""
        return cls(
            issuer=origin_of(settings.base_url),
            clients={client.client_id: client for client in settings.oidc_clients},
            return_origins=frozenset(map(origin_of, settings.return_origins)),
            cookie=cookie,
            browser_cookie=browser_cookie,
            keys=Keyring(settings.secret_key, clock),
            clock=clock,
            session_life=SessionLife(settings.session_idle, settings.session_lifetime),
        )

    def may_return_to(self, url: str) -> str:
        """``url`` as a browser may follow it, or nothing."""
        return return_to.allowed(url, self.issuer, self.return_origins)


def access(request: Request) -> Access:
    return request.app.state.access  # type: ignore[no-any-return]


def session_token(request: Request) -> str:
    """The token of this browser's session, or nothing."""
    return access(request).cookie.read(request)


async def signed_in(request: Request) -> User | None:
    """Who is signed in: the one place that decides what that means. A proven phone is needed."""
    token, here = session_token(request), access(request)
    visitor = await sessions.visitor(token, here.clock(), here.session_life) if token else None
    return visitor.user if visitor and visitor.user.verified_at else None


def way_in(page: str, return_to: str, **query: str) -> str:
    """The URL of the page ``SIGNIN`` or ``SIGNUP``, from where a person comes to ``return_to``."""
    query = {"return_to": return_to, **{name: value for name, value in query.items() if value}}
    return f"{page}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())


def claims(user: User) -> dict[str, Any]:
    """What an application may know of a person, by the names that OpenID Connect gives it."""
    return {
        "sub": user.subject,
        "name": user.name,
        "email": user.email,
        "email_verified": user.email_confirmed_at is not None,
        "phone_number": user.phone,
        "phone_number_verified": user.verified_at is not None,
    }
