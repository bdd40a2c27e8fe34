"""The table of browsers that an account was used with lately.

Some are remembered: they need no code to sign in. The others are only known: nobody is notified of
their sign-ins. The cookie holds a random token of its own, the table its hash. It outlives sessions
and ends after 30 days, with a new password, or when its owner ends it.
"""

from datetime import datetime
from secrets import token_urlsafe

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.people.sessions import TOKEN_BYTES, USER_AGENT_LENGTH, token_hash
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import BROWSER_REMEMBERED
from webapp.accounts.statements import add, run


class RememberedBrowser(Model):
    """A browser that proved the phone of one account lately."""

    token_hash = fields.CharField(max_length=64, primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "accounts.User", related_name="remembered_browsers"
    )
    user_id: int
    user_agent = fields.CharField(max_length=USER_AGENT_LENGTH, default="", db_default="")
    asks_code = fields.BooleanField(default=False, db_default=False)
    created_at = fields.DatetimeField()

    class Meta:
        table = "remembered_browsers"
        indexes = (Index(fields=("user_id",)), Index(fields=("created_at",)))


async def remember(user_id: int, user_agent: str, now: datetime, *, asks_code: bool = False) -> str:
    """Remember a browser for this account: its token, for the cookie alone.

    With ``asks_code`` it is only known, and still needs a code.
    """
    token = token_urlsafe(TOKEN_BYTES)
    browser = RememberedBrowser(
        token_hash=token_hash(token),
        user_id=user_id,
        user_agent=user_agent[:USER_AGENT_LENGTH],
        asks_code=asks_code,
        created_at=now,
    )
    await add(browser)
    return token


async def of_user(user_id: int, now: datetime) -> list[RememberedBrowser]:
    """The browsers that need no code for this account, the newest first."""
    since = now - BROWSER_REMEMBERED
    browsers = RememberedBrowser.filter(user_id=user_id, created_at__gt=since, asks_code=False)
    return await browsers.order_by("-created_at")


async def is_remembered(token: str, user_id: int, now: datetime) -> bool:
    """Whether the browser with ``token`` needs no code for this account, and for no other."""
    return await _asks_code(token, user_id, now) is False


async def is_known(token: str, user_id: int, now: datetime) -> bool:
    """Whether the browser with ``token`` signed in to this account lately."""
    return await _asks_code(token, user_id, now) is not None


async def _asks_code(token: str, user_id: int, now: datetime) -> bool | None:
    rows = await run(
        "SELECT asks_code FROM remembered_browsers"
        " WHERE token_hash = $1 AND user_id = $2 AND created_at > $3",
        token_hash(token),
        user_id,
        now - BROWSER_REMEMBERED,
    )
    return bool(rows[0]["asks_code"]) if rows else None


async def forget(token: str) -> None:
    """Forget the one browser."""
    await run("DELETE FROM remembered_browsers WHERE token_hash = $1", token_hash(token))


async def forget_all(user_id: int, *, but: str = "") -> None:
    """Forget every browser of this account but the one with the token ``but``."""
    await run(
        "DELETE FROM remembered_browsers WHERE user_id = $1 AND token_hash <> $2",
        user_id,
        token_hash(but),
    )
