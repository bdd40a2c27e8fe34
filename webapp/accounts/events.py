"""Events of accounts for other applications. Who receives them, and how, is decided elsewhere."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from webapp.accounts.people.users import User


class AccountEvent(StrEnum):
    """Something that happened to the account of a person."""

    VERIFIED = "account.verified"  # the phone is proven: there is a new account
    UPDATED = "account.updated"  # the name, email address or phone is another, or confirmed
    DELETED = "account.deleted"


class SiteEvent(StrEnum):
    """Something that happened to the site, and to no person."""

    SPEND_WARNING = "spend.warning"  # texts and calls have cost most of what they may


class Events(Protocol):
    """Receives every event, inside the transaction that causes it."""

    async def write(self, event: AccountEvent, user: User, at: datetime) -> None:
        """Record ``event`` for ``user``, who is passed as they are after it."""

    async def warn(self, event: SiteEvent, about: Mapping[str, Any], at: datetime) -> None:
        """Record ``event`` for the site; ``about`` consists of JSON values."""


class NoEvents:
    """Ignores every event: for a site without webhooks."""

    async def write(self, event: AccountEvent, user: User, at: datetime) -> None:
        """Do nothing."""

    async def warn(self, event: SiteEvent, about: Mapping[str, Any], at: datetime) -> None:
        """Do nothing."""
