"""What others may want to hear of an account. Who they are, and how they hear it, is theirs."""

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
    """Hears of every event in the transaction in which it happens."""

    async def write(self, event: AccountEvent, user: User, at: datetime) -> None:
        """Note that this happened to ``user``, who is as they are after it."""

    async def warn(self, event: SiteEvent, about: Mapping[str, Any], at: datetime) -> None:
        """Note that this happened to the site; ``about`` is of what JSON knows."""


class Unheard:
    """For a site where nobody wants to know."""

    async def write(self, event: AccountEvent, user: User, at: datetime) -> None:
        """Do nothing."""

    async def warn(self, event: SiteEvent, about: Mapping[str, Any], at: datetime) -> None:
        """Do nothing."""
