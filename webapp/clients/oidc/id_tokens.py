"""ID tokens: what an application believes about a sign-in, and shows us again later as a hint."""

import hashlib
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any

from webapp.accounts.people.users import User
from webapp.clients.access import Access
from webapp.clients.oidc.grants import Grant

LIFETIME = timedelta(minutes=10)  # it is looked at once, in the moment of signing in


async def write(
    access: Access, grant: Grant, user: User, signed_in_at: datetime, access_token: str
) -> str:
    """The signed token for the application of ``grant`` (OpenID Connect Core 1.0, 2).

    It names no name, email or phone: the application asks for those by its access token.
    """
    from webapp.clients.oidc import jose  # noqa: PLC0415

    now = access.clock()
    claims: dict[str, Any] = {
        "iss": access.issuer,
        "sub": user.subject,
        "aud": grant.client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
        "auth_time": int(signed_in_at.timestamp()),
        "at_hash": _left_half(access_token),
    }
    if grant.nonce:
        claims["nonce"] = grant.nonce
    return jose.sign(await access.keys.signing(), claims)


async def read(access: Access, token: str) -> dict[str, Any] | None:
    """The claims of a token that we issued to one of our applications, even if expired, or None."""
    from webapp.clients.oidc import jose  # noqa: PLC0415

    claims = jose.verify(token, await access.keys.known())
    if claims is None or claims.get("iss") != access.issuer or not claims.get("sub"):
        return None
    return claims if claims.get("aud") in access.clients else None


def _left_half(token: str) -> str:
    """``at_hash``: the left half of the hash (OpenID Connect Core 1.0, 3.1.3.6)."""
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).decode().rstrip("=")
