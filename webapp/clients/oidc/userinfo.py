"""What an application may know of the person who signed in to it."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webapp.clients.access import access, claims
from webapp.clients.oidc import grants
from webapp.clients.oidc.errors import NO_STORE, OAuthError
from webapp.clients.oidc.parameters import form, once

OF_SCOPE = {  # OpenID Connect Core 1.0, 5.4
    "openid": ("sub",),
    "profile": ("name",),
    "email": ("email", "email_verified"),
    "phone": ("phone_number", "phone_number_verified"),
}
BEARER = 'Bearer realm="oidc"'


async def show(request: Request) -> Response:
    """The claims of the scopes that the access token was given for."""
    return await _answer(request, _from_header(request))


async def submit(request: Request) -> Response:
    """The same by POST, with the token in the header or in the form (RFC 6750, 2.1 and 2.2)."""
    tokens = [_from_header(request)]
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        tokens.append(once(await form(request), "access_token"))
    if all(tokens) and len(tokens) > 1:
        raise OAuthError("invalid_request", "the access token was sent in two ways")
    return await _answer(request, next(filter(None, tokens), ""))


async def _answer(request: Request, token: str) -> Response:
    if not token:
        raise OAuthError("", "", 401, {"WWW-Authenticate": BEARER})
    holder = await grants.holder(token, access(request).clock())
    if holder is None:
        challenge = f'{BEARER}, error="invalid_token"'
        raise OAuthError("invalid_token", "", 401, {"WWW-Authenticate": challenge})
    person = claims(holder.user)
    known = [name for scope in OF_SCOPE if scope in holder.scopes for name in OF_SCOPE[scope]]
    return JSONResponse({name: person[name] for name in known}, headers=NO_STORE)


def _from_header(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
