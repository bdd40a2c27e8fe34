"""The table of authorization codes: each is used once, and gives one access token."""

import hashlib
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import NamedTuple

import structlog
from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.people.sessions import Session
from webapp.accounts.people.users import User
from webapp.accounts.statements import add, loaded, run

log = structlog.get_logger(__name__)
CODE_LIFETIME = timedelta(minutes=1)  # ASVS 10.4.3, level 3
TOKEN_LIFETIME = timedelta(minutes=10)  # enough to ask for the person once, after signing in
TOKEN_BYTES = 32


class Grant(Model):
    """What one sign-in gave one application.

    It belongs to the session by which the person is signed in here, and goes with it: signing out
    ends the access token too.
    """

    code_hash = fields.CharField(max_length=64, primary_key=True)
    session: fields.ForeignKeyRelation[Session] = fields.ForeignKeyField(
        "accounts.Session", related_name="grants"
    )
    session_id: str
    client_id = fields.CharField(max_length=64)
    redirect_uri = fields.CharField(max_length=2048)
    scope = fields.CharField(max_length=64)
    nonce = fields.CharField(max_length=512)
    code_challenge = fields.CharField(max_length=43)
    created_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)
    token_hash = fields.CharField(max_length=64, null=True, unique=True)
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "oidc_grants"
        indexes = (Index(fields=("session_id",)), Index(fields=("created_at",)))


class Holder(NamedTuple):
    """Whom an access token is about, and what it lets its bearer know of them."""

    user: User
    scopes: frozenset[str]


def hashed(secret: str) -> str:
    """What is stored of a code or a token: they are random and long, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def issue(grant: Grant) -> str:
    """Save ``grant``, which has no code yet: the code, for the application alone."""
    code = token_urlsafe(TOKEN_BYTES)
    grant.code_hash = hashed(code)
    await add(grant)
    return code


async def redeem(code: str, now: datetime) -> tuple[Grant, str] | None:
    """Use a code up: what it stands for, and the access token. None if it is unknown or used.

    The caller decides whether the code was this client's, and revokes the grant if not. What a code
    gave is revoked when it comes a second time: one of the two had stolen it (RFC 6749, 4.1.2).
    """
    token = token_urlsafe(TOKEN_BYTES)
    rows = await run(
        "UPDATE oidc_grants SET used_at = $2, token_hash = $3"
        " WHERE code_hash = $1 AND used_at IS NULL RETURNING *",
        hashed(code),
        now,
        hashed(token),
    )
    if rows:
        return loaded(Grant, rows[0]), token
    await _revoke(hashed(code), now)
    return None


async def revoke(grant: Grant, now: datetime) -> None:
    """Revoke the access token of ``grant``."""
    await _revoke(grant.code_hash, now)


async def _revoke(code_hash: str, now: datetime) -> None:
    rows = await run(
        "UPDATE oidc_grants SET revoked_at = $2"
        " WHERE code_hash = $1 AND revoked_at IS NULL RETURNING client_id",
        code_hash,
        now,
    )
    for row in rows:
        log.warning("grant_revoked", client_id=row["client_id"])


async def holder(token: str, now: datetime) -> Holder | None:
    """Whom an access token is about, while it and their session last."""
    rows = await run(
        "SELECT users.*, oidc_grants.scope FROM oidc_grants"
        " JOIN sessions ON sessions.token_hash = oidc_grants.session_id"
        " JOIN users ON users.id = sessions.user_id"
        " WHERE oidc_grants.token_hash = $1 AND oidc_grants.used_at > $2"
        " AND oidc_grants.revoked_at IS NULL AND users.verified_at IS NOT NULL",
        hashed(token),
        now - TOKEN_LIFETIME,
    )
    return Holder(loaded(User, rows[0]), frozenset(rows[0]["scope"].split())) if rows else None
