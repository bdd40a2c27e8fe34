"""The table of sessions: which person a browser is, by a random token in its cookie."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime
from enum import StrEnum
from secrets import token_urlsafe
from typing import NamedTuple

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.challenges.verifications import Purpose, Verification
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import (
    CODE_LIFETIME,
    HALF_SIGNED_IN,
    RECENT_PROOF,
    RETURN_LIFETIME,
    SESSION_TOUCH,
    SessionLife,
)
from webapp.accounts.statements import add, add_unless_there, columns_of, loaded, run

TOKEN_BYTES = 32  # 256 bits (ASVS 7.2.3)
USER_AGENT_LENGTH = 200
NOTICE_LENGTH = 32


class Stage(StrEnum):
    """How far the person of a session is."""

    OPEN = "open"  # signing up, or signed in if the account is verified
    SIGN_IN = "sign_in"  # the password was right, the code is still to be entered


PURPOSE = {Stage.OPEN: Purpose.SIGN_UP, Stage.SIGN_IN: Purpose.SIGN_IN}


class Session(Model):
    """One browser. The cookie holds the token, the table only its hash.

    An open session of a verified account was signed in at ``created_at``. ``proved_at`` is when
    the person last proved who they are, with the password, a code or a passkey.
    """

    token_hash = fields.CharField(max_length=64, primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "accounts.User", related_name="sessions"
    )
    user_id: int
    stage = fields.CharEnumField(Stage, "", max_length=8, default=Stage.OPEN, db_default="open")
    user_agent = fields.CharField(max_length=USER_AGENT_LENGTH, default="", db_default="")
    return_to = fields.TextField(
        default="", db_default=""
    )  # where the person goes on to; checked when it came
    created_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()
    proved_at = fields.DatetimeField(null=True)
    # What the next page says once, by its name in the words of the pages
    notice = fields.CharField(max_length=NOTICE_LENGTH, default="", db_default="")

    class Meta:
        table = "sessions"
        indexes = (
            Index(fields=("user_id",)),
            Index(fields=("last_seen_at",)),
            Index(fields=("created_at",)),
        )


class Browser(NamedTuple):
    """What a session remembers of the browser that opens it, and where it asks from."""

    user_agent: str = ""
    return_to: str = ""  # where it goes on to
    network: str = ""  # by which the limits count it; no session remembers it


UNKNOWN_BROWSER = Browser()


class Visitor(NamedTuple):
    """The user of a session, and the newest verification for what the session is at."""

    user: User
    verification: Verification
    session: Session


class Owner(NamedTuple):
    """The person who is signed in at a browser, and by which session."""

    user: User
    session: Session
    token: str  # of the session, as the cookie has it

    def proved_recently(self, now: datetime) -> bool:
        """Whether changes of the account need no password now."""
        proved_at = self.session.proved_at
        return proved_at is not None and now - proved_at < RECENT_PROOF


def token_hash(token: str) -> str:
    """What is stored of ``token``: it is random and long, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def derive_next_token(token: str, code: str, secret_key: str) -> str:
    """Derive the next session token from the current one and the code that verified the phone.

    Not random, so that a browser which lost our response can send the code again and gets the
    same token.
    """
    purpose = f"session\0{token}\0{code}"
    digest = hmac.digest(secret_key.encode(), purpose.encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).decode().rstrip("=")


async def open_session(
    user_id: int,
    now: datetime,
    token: str = "",
    *,
    stage: Stage = Stage.OPEN,
    browser: Browser = UNKNOWN_BROWSER,
) -> str:
    """Open a session for this user and return its token, random unless it is given."""
    token = token or token_urlsafe(TOKEN_BYTES)
    await add(
        Session(
            token_hash=token_hash(token),
            user_id=user_id,
            stage=stage,
            user_agent=browser.user_agent[:USER_AGENT_LENGTH],
            return_to=browser.return_to,
            created_at=now,
            last_seen_at=now,
            proved_at=now,
        )
    )
    return token


async def join_session(user_id: int, now: datetime, token: str) -> None:
    """Open a session with ``token``, unless another request has opened it."""
    hashed = token_hash(token)
    session = Session(
        token_hash=hashed, user_id=user_id, created_at=now, last_seen_at=now, proved_at=now
    )
    await add_unless_there(session)


async def complete_sign_in(token: str, next_token: str, now: datetime) -> bool:
    """Turn a session at sign-in into an open one under ``next_token`` (ASVS 7.2.4).

    False if there is none: it was signed out, or completed by a request beside this one.
    """
    return bool(
        await run(
            "UPDATE sessions SET token_hash = $2, stage = $3, created_at = $4, last_seen_at = $4,"
            " proved_at = $4 WHERE token_hash = $1 AND stage = $5 RETURNING user_id",
            token_hash(token),
            token_hash(next_token),
            Stage.OPEN,
            now,
            Stage.SIGN_IN,
        )
    )


async def browser_of(token: str) -> Browser:
    """What the session with this token remembers of its browser."""
    session = await Session.get_or_none(token_hash=token_hash(token))
    return Browser(session.user_agent, session.return_to) if session else UNKNOWN_BROWSER


def return_to(session: Session, now: datetime) -> str:
    """Where the browser with this session goes on to, if it came from somewhere not long ago."""
    return session.return_to if session.created_at > now - RETURN_LIFETIME else ""


async def replace_sessions(user_id: int, now: datetime, former: str, token: str) -> str:
    """End every session of this user and open one with ``token`` (ASVS 7.2.4).

    It remembers of the browser what the session with the token ``former`` did.
    """
    ended = await run(
        "DELETE FROM sessions WHERE user_id = $1 RETURNING token_hash, user_agent, return_to",
        user_id,
    )
    browsers = {row["token_hash"]: Browser(row["user_agent"], row["return_to"]) for row in ended}
    browser = browsers.get(token_hash(former), UNKNOWN_BROWSER)
    return await open_session(user_id, now, token, browser=browser)


async def opened_lately(token: str, now: datetime) -> bool:
    """Whether a session with this token was opened within the life of a code.

    Its token tells that the code which leads to it was entered rightly.
    """
    since = now - CODE_LIFETIME
    return await Session.exists(token_hash=token_hash(token), created_at__gte=since)


async def renew(token: str, next_token: str, now: datetime) -> bool:
    """Give a session the token ``next_token``: its person has proven again who they are.

    The former token is dead (ASVS 7.2.4), and what applications got by the session ends with it.
    False where there is no such session any more.
    """
    rows = await run("DELETE FROM sessions WHERE token_hash = $1 RETURNING *", token_hash(token))
    if not rows:
        return False
    session = loaded(Session, rows[0])
    session.token_hash, session.proved_at = token_hash(next_token), now
    session.last_seen_at = now
    await add(session)
    return True


async def end_all(user_id: int, *, but: str = "") -> None:
    """End the sessions of this user, at every stage, but the one with the token ``but``."""
    await Session.filter(user_id=user_id).exclude(token_hash=token_hash(but)).delete()


async def of_user(user_id: int, now: datetime, life: SessionLife) -> list[Session]:
    """The sessions in which this user is signed in, the one seen last first."""
    alive = Session.filter(
        user_id=user_id,
        stage=Stage.OPEN,
        last_seen_at__gte=now - life.idle,
        created_at__gte=now - life.absolute,
    )
    return await alive.order_by("-last_seen_at")


def handle_of(hashed: str) -> str:
    """By what a page names a session or remembered browser: it says nothing of its token."""
    return hashlib.sha256(f"handle\0{hashed}".encode()).hexdigest()[:32]


async def leave_notice(token: str, notice: str) -> None:
    """Have the next page of this session say ``notice``."""
    await Session.filter(token_hash=token_hash(token)).update(notice=notice)


async def take_notice(session: Session) -> str:
    """The notice that was left for this session, once; nothing where there is none."""
    if not session.notice:
        return ""
    left = Session.filter(token_hash=session.token_hash, notice=session.notice)
    return session.notice if await left.update(notice="") else ""


async def is_there(token: str) -> bool:
    """Whether there is a session with this token."""
    return await Session.exists(token_hash=token_hash(token))


async def proved_since(token: str, since: datetime) -> bool:
    """Whether there is a session with this token, whose person proved who they are since then."""
    return await Session.exists(token_hash=token_hash(token), proved_at__gte=since)


async def close_session(token: str) -> None:
    """Sign this browser out."""
    await Session.filter(token_hash=token_hash(token)).delete()


async def undo_signup(user: User, token: str) -> None:
    """Delete a sign-up whose code was refused, unless a browser without ``token`` joined it."""
    await run(
        "DELETE FROM users WHERE id = $1 AND verified_at IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM sessions WHERE user_id = $1 AND token_hash <> $2)",
        user.id,
        token_hash(token),
    )


async def visitor(
    token: str, now: datetime, life: SessionLife, stage: Stage = Stage.OPEN
) -> Visitor | None:
    """The user whose session at ``stage`` has ``token``.

    None if it is unknown, at another stage, or idle or old beyond ``life`` (ASVS 7.3). One that
    waits for the code of a sign-in lives half an hour.
    """
    life = HALF_SIGNED_IN if stage is Stage.SIGN_IN else life
    rows = await run(
        f"SELECT users.*, {columns_of(Verification, 'latest')},"  # noqa: S608
        f" {columns_of(Session, 'sessions')}"
        " FROM sessions JOIN users ON users.id = sessions.user_id"
        " JOIN verifications latest ON latest.id ="
        " (SELECT id FROM verifications WHERE user_id = users.id AND purpose = $5"
        " ORDER BY id DESC LIMIT 1)"
        " WHERE sessions.token_hash = $1 AND sessions.last_seen_at >= $2"
        " AND sessions.created_at >= $3 AND sessions.stage = $4",
        token_hash(token),
        now - life.idle,
        now - life.absolute,
        stage,
        PURPOSE[stage],
    )
    if not rows:
        return None
    session = loaded(Session, rows[0], "sessions_")
    if session.last_seen_at < now - SESSION_TOUCH:
        await Session.filter(token_hash=session.token_hash).update(last_seen_at=now)
    return Visitor(loaded(User, rows[0]), loaded(Verification, rows[0], "latest_"), session)


async def owner(token: str, now: datetime, life: SessionLife) -> Owner | None:
    """The person who is signed in by ``token``; None for nobody and for who only signs up."""
    found = await visitor(token, now, life)
    return Owner(found.user, found.session, token) if found and found.user.verified_at else None
