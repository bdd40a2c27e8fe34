"""What the gallery's states are made of: a page, a person, a code, a form with an error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.forms import Form
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import CODE_LIFETIME, COOL_DOWNS
from webapp.pages.step import form_context
from webapp.pages.words import UserError, problem

COUNTRY, PHONE = "GB", "+447400123456"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVERY_COUNTRY: frozenset[str] = frozenset()
TYPED = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "country": COUNTRY,
    "phone": "07400 123456",
    "password": "seven quiet herons",
}
SECONDS, MINUTES, LONGER = timedelta(seconds=5), timedelta(minutes=8), timedelta(minutes=25)
READY: dict[str, Any] = {"next_send_at": NOW}
UNSENT = READY | {"reference": "", "sends": 0}
EXPIRED = READY | {"expires_at": NOW}


@dataclass(frozen=True)
class State:
    """One page as it can come to be: its words for the index, and what its template is given."""

    words: str
    template: str
    context: Callable[[], Mapping[str, Any]]


def person(**unusual: Any) -> User:
    """Ada, but for what is ``unusual``."""
    usual = {"name": TYPED["name"], "email": TYPED["email"], "phone": PHONE}
    return User(**usual | unusual)


def sent_code(**unusual: Any) -> Verification:
    """One whose code was sent at this moment."""
    usual = {
        "phone": PHONE,
        "reference": "a vendor's",
        "sends": 1,
        "next_send_at": NOW + COOL_DOWNS[0],
        "expires_at": NOW + CODE_LIFETIME,
    }
    return Verification(**usual | unusual)


def with_error(form: Form, error: UserError | None, *, checking: bool = False) -> dict[str, Any]:
    """What a form's template is given, with the words for ``error``."""
    return form_context(form, problem(error, checking=checking, has_code=True) if error else None)
