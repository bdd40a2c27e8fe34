"""Which person a browser is: random tokens in cookies, their hashes with us."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime
from secrets import token_urlsafe
from typing import NamedTuple

from webapp.accounts.models import Session, User, Verification
from webapp.accounts.policy.rules import SESSION_IDLE, SESSION_LIFETIME, SESSION_TOUCH
from webapp.accounts.statements import add, columns_of, loaded, run

TOKEN_BYTES = 32  # 256 bits (ASVS 7.2.3)


class Visitor(NamedTuple):
    """The person whose browser it is, and the verification that counts."""

    user: User
    verification: Verification


def token_hash(token: str) -> str:
    """What is stored of ``token``. It is random and long, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def derive_next_token(token: str, code: str, secret_key: str) -> str:
    """The token after ``token``, of the browser that proved a phone by ``code``.

    Derived rather than random, so that a browser which never got our answer can have it again.
    """
    purpose = f"session\0{token}\0{code}"
    digest = hmac.digest(secret_key.encode(), purpose.encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).decode().rstrip("=")


async def open_session(user_id: int, now: datetime, token: str = "") -> str:
    """A new session of this user: its token, for the cookie alone."""
    token = token or token_urlsafe(TOKEN_BYTES)
    await add(
        Session(token_hash=token_hash(token), user_id=user_id, created_at=now, last_seen_at=now)
    )
    return token


async def replace_sessions(user_id: int, now: datetime, token: str) -> str:
    """End every session of this user and open one (ASVS 7.2.4): its ``token``."""
    await run("DELETE FROM sessions WHERE user_id = $1", user_id)
    return await open_session(user_id, now, token)


async def opened_since(token: str, since: datetime) -> bool:
    """Whether ``token`` is that of a session no older."""
    return await Session.exists(token_hash=token_hash(token), created_at__gte=since)


async def close_session(token: str) -> None:
    """Sign this browser out."""
    await Session.filter(token_hash=token_hash(token)).delete()


async def visitor(token: str, now: datetime) -> Visitor | None:
    """Whose session ``token`` is, unless it idled or aged out (ASVS 7.3)."""
    rows = await run(
        f"SELECT users.*, {columns_of(Verification, 'latest')}, last_seen_at < $2 AS stale"  # noqa: S608
        " FROM sessions JOIN users ON users.id = sessions.user_id"
        " JOIN verifications latest ON latest.id ="
        " (SELECT id FROM verifications WHERE user_id = users.id ORDER BY id DESC LIMIT 1)"
        " WHERE token_hash = $1 AND last_seen_at >= $3 AND sessions.created_at >= $4",
        token_hash(token),
        now - SESSION_TOUCH,
        now - SESSION_IDLE,
        now - SESSION_LIFETIME,
    )
    if not rows:
        return None
    if rows[0]["stale"]:
        await Session.filter(token_hash=token_hash(token)).update(last_seen_at=now)
    return Visitor(loaded(User, rows[0]), loaded(Verification, rows[0], "latest_"))
