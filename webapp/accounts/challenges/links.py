"""The table of emailed links. Each can be used once.

A link carries a random token; the table has only its hash. It works for one purpose, and for the
account as it was when the link was made: a change of password, email or phone invalidates it.
"""

import hashlib
import json
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_urlsafe
from typing import NamedTuple

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.people import users
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import PHONE_CHANGE_WAITS
from webapp.accounts.statements import add, add_for, loaded, run
from webapp.database import serialise

TOKEN_BYTES = 32  # 256 bits


class Purpose(StrEnum):
    """What a link is for."""

    CONFIRM_EMAIL = "confirm_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - no password
    LOST_PHONE = "lost_phone"
    STOP_PHONE_CHANGE = "stop_phone_change"
    CHANGE_EMAIL = "change_email"  # ``address`` is the new one


# How long a link works. NIST SP 800-63B-4 (4.2.1.2) gives what is sent by email 24 hours.
LIFETIMES = {
    Purpose.CONFIRM_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.LOST_PHONE: timedelta(minutes=30),
    Purpose.STOP_PHONE_CHANGE: PHONE_CHANGE_WAITS,
    Purpose.CHANGE_EMAIL: timedelta(hours=24),
}


class Link(Model):
    """A link that was emailed to ``address``."""

    token_hash = fields.CharField(max_length=64, primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "accounts.User", related_name="links"
    )
    user_id: int
    purpose = fields.CharEnumField(Purpose, "", max_length=24)
    address = fields.CharField(max_length=254)
    account_digest = fields.CharField(max_length=64)  # see ``digest_of``
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "links"
        indexes = (
            Index(fields=("user_id", "purpose", "created_at")),
            Index(fields=("expires_at",)),
        )


class Opened(NamedTuple):
    """A link found by its token, and the account that it is about."""

    link: Link
    user: User

    def works(self, now: datetime) -> bool:
        """Whether the link can be used."""
        unused = self.link.used_at is None and now < self.link.expires_at
        return unused and self.link.account_digest == digest_of(self.user)


def new_token() -> str:
    """A token for a new link. It goes into the email and nowhere else."""
    return token_urlsafe(TOKEN_BYTES)


def digest_of(user: User) -> str:
    """A digest of the columns whose change invalidates all links of a user."""
    columns = json.dumps([user.password_hash, user.email, user.phone])
    return hashlib.sha256(columns.encode()).hexdigest()


async def insert(token: str, user: User, purpose: Purpose, address: str, now: datetime) -> Link:
    """Save the link with ``token`` that is emailed to ``address``.

    ``user`` is as the transaction that is open here sees it.
    """
    link = _link(token, user, purpose, address, now)
    await add(link)
    return link


def _link(token: str, user: User, purpose: Purpose, address: str, now: datetime) -> Link:
    return Link(
        token_hash=_hash(token),
        user_id=user.id,
        purpose=purpose,
        address=address,
        account_digest=digest_of(user),
        created_at=now,
        expires_at=now + LIFETIMES[purpose],
    )


async def insert_if_there(
    token: str, user: User, purpose: Purpose, address: str, now: datetime
) -> bool:
    """Save a link as ``insert`` does, if the user exists. Returns whether it did.

    The statement is the same for a made-up ``user``, so that its time tells nothing.
    """
    return await add_for(user.id, _link(token, user, purpose, address, now))


async def find(token: str, *purposes: Purpose) -> Opened | None:
    """The link with this token, used or not; None where there is none for one of these purposes."""
    found = Link.get_or_none(token_hash=_hash(token), purpose__in=purposes)
    link = await found.select_related("user")
    return Opened(link, link.user) if link else None


async def latest(user: User, purpose: Purpose) -> Link | None:
    """The newest link of this user for this purpose."""
    return await Link.filter(user_id=user.id, purpose=purpose).order_by("-created_at").first()


async def made_since(user: User, purpose: Purpose, since: datetime) -> list[datetime]:
    """When links of this user for this purpose were made, from ``since`` on, the oldest first."""
    made = Link.filter(user_id=user.id, purpose=purpose, created_at__gt=since)
    return [link.created_at for link in await made.order_by("created_at").only("created_at")]


async def use(token: str, purpose: Purpose, now: datetime) -> Opened | None:
    """Use the link, in the caller's transaction. Returns None where the link does not work.

    Of several requests at once exactly one gets it. The user's row stays locked until the
    transaction ends, so nobody changes the password, email or phone meanwhile.
    """
    await serialise(f"link {_hash(token)}")
    found = await find(token, purpose)
    if found is None:
        return None
    user = await users.get_for_update(found.user.id)
    if user is None:
        return None
    rows = await run(
        "UPDATE links SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL"
        " AND expires_at > $2 AND account_digest = $3 RETURNING *",
        _hash(token),
        now,
        digest_of(user),
    )
    return Opened(loaded(Link, rows[0]), user) if rows else None


async def end_all(user_id: int, now: datetime, *purposes: Purpose) -> None:
    """Invalidate the open links of this user: for these purposes, or for all if none is given."""
    which = {"purpose__in": purposes} if purposes else {}
    open_links = Link.filter(user_id=user_id, used_at=None, expires_at__gt=now, **which)
    await open_links.update(expires_at=now)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
