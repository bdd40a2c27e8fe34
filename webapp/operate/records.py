"""What is stored of one person, as values for machines and as a story for people."""

import re
from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter
from typing import Any

from tortoise.models import Model

from webapp.accounts.people.users import User
from webapp.accounts.sending import outbox
from webapp.accounts.sending.outbox import OutboxMessage

# Columns that could let somebody in (hashes, keys; `network` is a hash too), or tell nothing (ids).
HIDDEN = re.compile(
    "id|.*_id|network|.*(hash|digest|key|token|secret|sealed)|claimed_email|sign_count"
)
SENTENCES = {
    "verifications": "code to {phone} for {purpose} by {provider}: {sends} sent, {checks} checked, "
    "{outcome}",
    "sessions": "session ({stage}) in {user_agent}, last seen {last_seen_at}",
    "remembered_browsers": "browser remembered, so that it needs no code",
    "links": "link for {purpose} sent to {address}, used {used_at}",
    "passkeys": "passkey {name}, last used {last_used_at}",
    "messages": "{channel} {subject} to {to}: {state} after {attempts} attempts",
}


def brief(user: User) -> dict[str, Any]:
    """Who the person is: the columns of the view `verified_people`, and when they signed up."""
    return {
        "sub": user.subject,
        "name": user.name,
        "email": user.email,
        "email_confirmed": user.email_confirmed_at is not None,
        "phone": user.phone,
        "country": user.country,
        "created_at": user.created_at,
        "verified_at": user.verified_at,
    }


async def whole(user: User) -> dict[str, Any]:
    """Everything that is stored of the person but for secrets, the rows by their table."""
    rows = {name: [values(row) for row in await found] for name, found in belongings(user)}
    return {**brief(user), **rows, "messages": [message(row) for row in await messages(user)]}


def belongings(user: User) -> Iterator[tuple[str, Any]]:
    """The name and the query of every table that refers to the user; the rows go with it."""
    for name in sorted(User._meta.backward_fk_fields):  # noqa: SLF001
        yield name, getattr(user, name).all()


async def messages(user: User) -> list[OutboxMessage]:
    """The texts and emails to the person that are still in the outbox, sent or not."""
    texts, emails = outbox.texts_to(user.phone), outbox.emails_to(user.email)
    return [*await texts.order_by("id"), *await emails.order_by("id")]


def values(row: Model) -> dict[str, Any]:
    """The columns of a row, without those of ``HIDDEN``."""
    columns = type(row)._meta.fields_db_projection  # noqa: SLF001
    return {name: getattr(row, name) for name in columns if not HIDDEN.fullmatch(name)}


def message(row: OutboxMessage) -> dict[str, Any]:
    """The columns of a message; its words may hold a link that still works, see ``kept_words``."""
    body, html = outbox.kept_words(row)
    return values(row) | {"body": body, "html": html}


async def story(user: User) -> list[str]:
    """What happened, the oldest first, a line each; then what the account is like now."""
    rows = await whole(user)
    events = [(user.created_at, f"signed up with {user.email} and {user.phone}")]
    events += [(user.verified_at, "phone verified")] if user.verified_at else []
    events += [(user.email_confirmed_at, "email confirmed")] if user.email_confirmed_at else []
    for table, found in rows.items():
        if isinstance(found, list):
            events += [(_moment(row), _sentence(table, row)) for row in found]
    return [
        f"{user.name}, {user.email}, {user.phone}, sub {user.subject} (times in UTC)",
        *(f"  {at:%Y-%m-%d %H:%M:%S}  {words}" for at, words in sorted(events, key=itemgetter(0))),
        "verified" if user.verified_at else "not verified: deleted a day after the sign-up",
    ]


def _moment(row: dict[str, Any]) -> datetime:
    moments = [value for value in row.values() if isinstance(value, datetime)]
    return row.get("created_at") or min(moments)


def _sentence(table: str, row: dict[str, Any]) -> str:
    said = {name: _said(value) for name, value in row.items()}
    if table in SENTENCES:
        return SENTENCES[table].format(**said)
    return f"{table}: " + ", ".join(f"{name} {value}" for name, value in said.items())


def _said(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return "never" if value is None else str(value)
