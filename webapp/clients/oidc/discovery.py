"""What an application's library reads to set itself up (OpenID Connect Discovery 1.0)."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webapp.clients.access import access
from webapp.clients.oidc.authorization import PROMPTS, SCOPES
from webapp.clients.oidc.client_secrets import METHODS
from webapp.clients.oidc.userinfo import OF_SCOPE

TOKEN_CLAIMS = ("iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash")


async def show(request: Request) -> Response:
    issuer = access(request).issuer
    return JSONResponse(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/oidc/authorize",
            "token_endpoint": f"{issuer}/oidc/token",
            "userinfo_endpoint": f"{issuer}/oidc/userinfo",
            "jwks_uri": f"{issuer}/oidc/jwks",
            "end_session_endpoint": f"{issuer}/oidc/logout",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": METHODS,
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": SCOPES,
            "claims_supported": [*sum(OF_SCOPE.values(), ()), *TOKEN_CLAIMS],
            "prompt_values_supported": PROMPTS,
            "authorization_response_iss_parameter_supported": True,
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        }
    )


async def keys(request: Request) -> Response:
    """The public keys (RFC 7517)."""
    published = await access(request).keys.published()
    return JSONResponse({"keys": [json.loads(key) for key in published]})
