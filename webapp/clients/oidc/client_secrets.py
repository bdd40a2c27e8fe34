"""Authenticates an application by its secret, in the header or in the form (RFC 6749, 2.3.1)."""

import base64
import hmac
from urllib.parse import unquote_plus

from starlette.requests import Request

from webapp.clients.access import access
from webapp.clients.oidc.errors import OAuthError
from webapp.clients.oidc.parameters import Parameters, once
from webapp.settings.clients import Client

METHODS = ("client_secret_basic", "client_secret_post")
NOBODY = Client("", "", ())
CHALLENGE = {"WWW-Authenticate": 'Basic realm="oidc", charset="UTF-8"'}


def authenticate(request: Request, parameters: Parameters) -> Client:
    """The application that knows its secret. Raises ``OAuthError``."""
    in_header, in_form = _from_header(request), once(parameters, "client_secret")
    if in_header and in_form:
        raise OAuthError("invalid_request", "the client secret was sent in two ways")
    client_id, secret = in_header or (once(parameters, "client_id"), in_form)
    if in_header and once(parameters, "client_id") not in {"", client_id}:
        raise OAuthError("invalid_request", "client_id differs from the Authorization header's")
    client = access(request).clients.get(client_id, NOBODY)
    # Both are looked at, and an unknown client's too: the time tells nothing (ASVS 11.2.4).
    right = _same(client.secret, secret) | _same(client.secret, unquote_plus(secret))
    if not (right and client.secret):
        raise OAuthError("invalid_client", "", 401, CHALLENGE)
    return client


def _from_header(request: Request) -> tuple[str, str] | None:
    """Id and secret. The id has no letter that encoding changes; not every client encodes both."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(credentials.strip(), validate=True).decode()
    except ValueError:
        raise OAuthError("invalid_client", "", 401, CHALLENGE) from None
    client_id, _, secret = pair.partition(":")
    return unquote_plus(client_id), secret


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
