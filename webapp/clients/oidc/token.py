"""The second half of a sign-in: the application's server changes the code for tokens."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webapp.accounts.people.sessions import Session
from webapp.clients.access import access
from webapp.clients.oidc import grants, id_tokens
from webapp.clients.oidc.client_secrets import authenticate
from webapp.clients.oidc.errors import NO_STORE, OAuthError
from webapp.clients.oidc.grants import CODE_LIFETIME, TOKEN_LIFETIME, Grant
from webapp.clients.oidc.parameters import Parameters, form, once
from webapp.settings.clients import Client

log = structlog.get_logger(__name__)
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, 4.1


async def submit(request: Request) -> Response:
    """An access token and an ID token for a code, once."""
    parameters = await form(request)
    client = authenticate(request, parameters)
    if once(parameters, "grant_type") != "authorization_code":
        raise OAuthError("unsupported_grant_type")
    grant, token = await _redeem(request, client, parameters)
    session = await Session.get_or_none(token_hash=grant.session_id).select_related("user")
    if session is None:
        raise OAuthError("invalid_grant", "the person has just signed out")
    log.info("token_issued", client_id=client.client_id, user=session.user_id)
    answer = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(TOKEN_LIFETIME.total_seconds()),
        "scope": grant.scope,
        "id_token": await id_tokens.write(
            access(request), grant, session.user, session.created_at, token
        ),
    }
    return JSONResponse(answer, headers=NO_STORE)


async def _redeem(request: Request, client: Client, parameters: Parameters) -> tuple[Grant, str]:
    """Use the code up first, then check it: a wrong client, URI or verifier ends it for everybody.

    Raises ``OAuthError``.
    """
    code, now = once(parameters, "code"), access(request).clock()
    redirect_uri = once(parameters, "redirect_uri")
    verifier = once(parameters, "code_verifier")
    if not (code and redirect_uri and verifier):
        raise OAuthError("invalid_request", "code, redirect_uri and code_verifier are needed")
    redeemed = await grants.redeem(code, now)
    if redeemed is None:
        raise OAuthError("invalid_grant", "the code is unknown, used, or its person signed out")
    grant, token = redeemed
    if why := _refusal(grant, client, redirect_uri, verifier):
        await grants.revoke(grant, now)
        log.warning("code_refused", client_id=client.client_id, why=why)
        raise OAuthError("invalid_grant", why)
    if grant.created_at <= now - CODE_LIFETIME:
        await grants.revoke(grant, now)
        raise OAuthError("invalid_grant", "the code is too old")
    return grant, token


def _refusal(grant: Grant, client: Client, redirect_uri: str, verifier: str) -> str:
    if grant.client_id != client.client_id:
        return "the code was issued to another client"
    if grant.redirect_uri != redirect_uri:
        return "redirect_uri differs from the authorization request's"
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    if VERIFIER.fullmatch(verifier) and hmac.compare_digest(
        challenge, grant.code_challenge.encode()
    ):
        return ""
    return "code_verifier does not match code_challenge"
