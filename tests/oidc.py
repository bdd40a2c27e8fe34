"""An application of the owner's, as its server and the browsers it sends are seen from here."""

import base64
import hashlib
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette

CALLBACK = "https://app.example.com/callback"
SECRET = "app-secret-of-forty-random-characters-Zk3v"
OTHER_CALLBACK = "https://other.example.com/callback?tenant=1"
OTHER_SECRET = "other-secret-of-forty-random-characters-9Qx"
CLIENTS = (
    f"app {SECRET} {CALLBACK} https://app.example.com/second\nother {OTHER_SECRET} {OTHER_CALLBACK}"
)
ISSUER = "http://localhost:8000"


def challenge(verifier: str) -> str:
    """S256 of RFC 7636."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass
class Application:
    """One client. ``server`` calls us without a browser's cookies."""

    server: httpx.AsyncClient
    client_id: str = "app"
    secret: str = SECRET
    callback: str = CALLBACK
    verifier: str = field(default_factory=lambda: token_urlsafe(32))
    state: str = field(default_factory=lambda: token_urlsafe(16))
    nonce: str = field(default_factory=lambda: token_urlsafe(16))

    def request(self, **changes: str | None) -> dict[str, str]:
        """The parameters of an authorization request; None leaves one out."""
        usual: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "response_type": "code",
            "scope": "openid profile email phone",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge(self.verifier),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}

    async def authorize(self, browser: httpx.AsyncClient, **changes: str | None) -> httpx.Response:
        """Send a browser to us."""
        return await browser.get("/oidc/authorize", params=self.request(**changes))

    def answer(self, response: httpx.Response) -> dict[str, str]:
        """What the browser brings back to the callback."""
        assert response.status_code == 303, response.text
        location = response.headers["Location"]
        assert location.startswith(self.callback), location
        return dict(parse_qsl(urlsplit(location).query))

    async def code(self, browser: httpx.AsyncClient, **changes: str | None) -> str:
        """A code for whoever is signed in."""
        answer = self.answer(await self.authorize(browser, **changes))
        assert (answer.get("state"), answer["iss"]) == (self.state, ISSUER)
        return answer["code"]

    async def redeem(self, code: str, **changes: str) -> httpx.Response:
        """Change a code for tokens, by client_secret_basic."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.callback,
            "code_verifier": self.verifier,
        }
        auth = (self.client_id, self.secret)
        return await self.server.post("/oidc/token", data={**fields, **changes}, auth=auth)

    async def tokens(self, browser: httpx.AsyncClient, **changes: str | None) -> dict[str, Any]:
        """The whole of it: sent, come back, changed."""
        answer = await self.redeem(await self.code(browser, **changes))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def claims(self, id_token: str) -> dict[str, Any]:
        """What an ID token says, by the keys that we publish."""
        keys = KeySet.import_key_set((await self.server.get("/oidc/jwks")).json())
        return jwt.decode(id_token, keys, algorithms=["RS256"]).claims

    async def userinfo(self, access_token: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {access_token}"}
        return await self.server.get("/oidc/userinfo", headers=headers)


def server(app: Starlette) -> httpx.AsyncClient:
    """What the application's server calls us with."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """The status and OAuth's code of a refusal."""
    return answer.status_code, answer.json().get("error", "")
