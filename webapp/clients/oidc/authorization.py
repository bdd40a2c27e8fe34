"""An authorization request, read and checked (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from webapp.clients.oidc.errors import OAuthError, UntrustedRequest
from webapp.clients.oidc.parameters import Parameters, once
from webapp.settings.clients import Client

SCOPES = ("openid", "profile", "email", "phone")
PROMPTS = ("none", "login", "create")
LONGEST = {"state": 2048, "nonce": 512, "login_hint": 254}  # characters
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits, as S256 gives them
SECONDS = re.compile(r"[0-9]{1,12}")
UNSUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
SIGNED_IN_SINCE = "signed_in_since"  # ours: in the address that a person comes back to
NOT_AGAIN = frozenset({"prompt", "max_age", "login_hint"})  # is done by the time they come back


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the answer goes. It is checked first: errors are sent there too."""

    client: Client
    redirect_uri: str
    state: str

    @classmethod
    def read(cls, parameters: Parameters, clients: Mapping[str, Client]) -> "Destination":
        """Raises ``UntrustedRequest``."""
        try:
            client = clients.get(once(parameters, "client_id"))
            redirect_uri = once(parameters, "redirect_uri")
            state = once(parameters, "state")
        except OAuthError as error:
            raise UntrustedRequest(error.description) from None
        if client is None:
            raise UntrustedRequest("we do not know its client_id")
        if redirect_uri not in client.redirect_uris:
            raise UntrustedRequest("its redirect_uri is not registered")
        return cls(client, redirect_uri, state)

    def url(self, issuer: str, **answer: str) -> str:
        """The redirect URI with an answer. It names us, against mix-ups (RFC 9207)."""
        fields = {**answer, "iss": issuer} | ({"state": self.state} if self.state else {})
        return self.redirect_uri + ("&" if "?" in self.redirect_uri else "?") + urlencode(fields)


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What an application asks for."""

    scope: str  # those of ours that were asked for
    nonce: str
    code_challenge: str
    prompts: frozenset[str]
    max_age: timedelta | None
    login_hint: str
    id_token_hint: str
    signed_in_since: int  # seconds since 1970; the person had to sign in after it

    @classmethod
    def read(cls, parameters: Parameters) -> "AuthorizationRequest":
        """Raises ``OAuthError``, which the application is told at its redirect URI."""
        given = {name: once(parameters, name) for name in parameters}
        _check_kind(given)
        return cls(
            scope=_scope(given.get("scope", "")),
            nonce=given.get("nonce", ""),
            code_challenge=_challenge(given),
            prompts=_prompts(given.get("prompt", "")),
            max_age=_max_age(given.get("max_age", "")),
            login_hint=given.get("login_hint", ""),
            id_token_hint=given.get("id_token_hint", ""),
            signed_in_since=int(_seconds(SIGNED_IN_SINCE, given.get(SIGNED_IN_SINCE, "")) or 0),
        )

    @property
    def silent(self) -> bool:
        """Whether nothing may be shown to the person."""
        return "none" in self.prompts

    @property
    def creates(self) -> bool:
        """Whether a person without an account is to make one rather than to sign in."""
        return "create" in self.prompts


def again(path: str, parameters: Parameters, signed_in_since: int) -> str:
    """The same request as an address of ours, for a person who comes back signed in.

    That they had to sign in anew stays in it: who follows it unchanged has to all the same.
    """
    kept = {name: once(parameters, name) for name in parameters if name not in NOT_AGAIN}
    if signed_in_since:
        kept[SIGNED_IN_SINCE] = str(signed_in_since)
    return f"{path}?{urlencode(kept)}"


def _check_kind(given: Mapping[str, str]) -> None:
    for name, code in UNSUPPORTED.items():
        if name in given:
            raise OAuthError(code)
    if not given.get("response_type"):
        raise OAuthError("invalid_request", "response_type is missing")
    if given["response_type"] != "code":
        raise OAuthError("unsupported_response_type", "only code is supported")
    if given.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "only response_mode=query is supported")
    for name, most in LONGEST.items():
        if len(given.get(name, "")) > most:
            raise OAuthError("invalid_request", f"{name} is longer than {most}")


def _scope(text: str) -> str:
    asked = text.split()
    if "openid" not in asked:
        raise OAuthError("invalid_scope", "scope must include openid")
    return " ".join(scope for scope in SCOPES if scope in asked)


def _challenge(given: Mapping[str, str]) -> str:
    """PKCE by S256, from every client (ASVS 10.4.6); a missing method would mean ``plain``."""
    challenge = given.get("code_challenge", "")
    if not challenge:
        raise OAuthError("invalid_request", "code_challenge is missing: PKCE is required")
    if given.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "code_challenge_method must be S256")
    if not CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "code_challenge is not one of S256")
    return challenge


def _prompts(text: str) -> frozenset[str]:
    """Values that we do not know are left out: there is no consent to ask for."""
    asked = frozenset(text.split())
    if "none" in asked and len(asked) > 1:
        raise OAuthError("invalid_request", "prompt=none allows no other value")
    return asked & frozenset(PROMPTS)


def _max_age(text: str) -> timedelta | None:
    seconds = _seconds("max_age", text)
    return None if seconds is None else timedelta(seconds=seconds)


def _seconds(name: str, text: str) -> int | None:
    if text and not (text.isascii() and SECONDS.fullmatch(text)):
        raise OAuthError("invalid_request", f"{name} must be whole seconds")
    return int(text) if text else None
