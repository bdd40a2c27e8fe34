"""The database from outside the processes: what is stored, and time passing for it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import psycopg
from tortoise import fields
from tortoise.models import Model

from webapp.database.config import MODELS

CENTURY = 3_155_760_000  # seconds
TABLES = [
    model
    for name in MODELS
    for model in vars(import_module(name)).values()
    if isinstance(model, type) and issubclass(model, Model) and model.__module__ == name
]


# A past, on PostgreSQL: {people} who verified, three verifications and guesses or sends each.
PAST = (
    """
    INSERT INTO users (name, email, claimed_email, country, phone, phone_changes, password_hash,
                       vendor_account, created_at, verified_at)
    SELECT 'Somebody', n || '@example.com', n || '@example.com', 'US', '+1415' || n, 0, 'hash', '',
           now() - n * interval '1 minute', now() - n * interval '1 minute'
    FROM generate_series(2000001, 2000000 + {people}) n
    """,
    """
    INSERT INTO verifications (user_id, purpose, phone, provider, reference, sends, checks, outcome,
                               created_at, next_send_at, expires_at)
    SELECT users.id, 'sign_up', phone, 'twilio', 'VE', 1, 1, 'approved',
           created_at, created_at, created_at
    FROM users, generate_series(1, 3)
    """,
    """
    INSERT INTO sessions (token_hash, user_id, stage, return_to, user_agent, created_at,
                          last_seen_at)
    SELECT md5(id::text), id, 'open', '', '', now() - random() * interval '20 days',
           now() - random() * interval '20 hours'
    FROM users
    """,
    """
    INSERT INTO entries (verification_id, code_hash, answer, entered_at)
    SELECT id, md5(id::text), 'right', now() - interval '2 hours' - random() * interval '20 hours'
    FROM verifications
    """,
    """
    INSERT INTO usage (key, started_at, newest_at, used)
    SELECT CASE mod(id, 2) WHEN 0 THEN 'phone ' ELSE 'checks ' END || phone || id, at, at, 1
    FROM (SELECT id, phone, now() - random() * interval '20 hours' AS at FROM verifications) AS used
    """,
    """
    INSERT INTO attempts (kind, phone, prefix, verification_id, proven, at)
    SELECT 'send', phone, left(phone, 5), id, true, now() - random() * interval '20 hours'
    FROM verifications
    """,
    """
    INSERT INTO usage (key, started_at, newest_at, used)
    SELECT key, at, at, {people} / 60
    FROM unnest(ARRAY['site ', 'prefix +14152']) AS key, generate_series(
        date_trunc('minute', now()) - interval '59 minutes', now(), interval '1 minute') AS at
    ON CONFLICT DO NOTHING
    """,
    "ANALYZE attempts",  # the former release's, which has no model any more
    """
    INSERT INTO links (token_hash, user_id, purpose, address, account_digest, created_at,
                       expires_at)
    SELECT md5(id::text), id, 'confirm_email', email, '', at, at + interval '1 day'
    FROM (SELECT id, email, now() - random() * interval '7 days' AS at FROM users) AS sent
    """,
    """
    INSERT INTO outbox ("to", body, state, attempts, reference, created_at, next_attempt_at,
                        tried_at, done_at)
    SELECT phone, 'Signup complete', 'sent', 1, 'SM', at, at, at, at
    FROM (SELECT phone, now() - random() * interval '6 days' AS at FROM users) AS done
    """,
)


class Rows:
    """One database, by SQL with ``?`` for each value, on SQLite and PostgreSQL alike."""

    def __init__(self, url: str) -> None:
        self.url, self.parts = url, urlsplit(url)

    @property
    def sqlite(self) -> bool:
        return self.parts.scheme == "sqlite"

    def all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows that ``sql`` finds."""
        with self._cursor() as cursor:
            cursor.execute(sql if self.sqlite else sql.replace("?", "%s"), values)
            return list(cursor.fetchall()) if cursor.description else []

    def one(self, sql: str, *values: object) -> Any:
        """The first value of the one row that ``sql`` finds."""
        [[value]] = self.all(sql, *values)
        return value

    def moment(self) -> object:
        """Now, as a value for this database."""
        now = datetime.now(UTC)
        return now.isoformat(" ") if self.sqlite else now

    def fill(self, people: int) -> None:
        """A past of so many people, and PostgreSQL's knowledge of it, by which it plans."""
        analyze = (f"ANALYZE {model._meta.db_table}" for model in TABLES)
        for statement in (*PAST, *analyze):
            self.all(statement.format(people=people))

    def age(self, seconds: float) -> None:
        """Let that time pass: every moment stored was so much earlier."""
        with self._cursor() as cursor:
            # First far into the past: on the way, no bucket of a limit may meet another.
            for model, step in product(TABLES, (CENTURY, seconds - CENTURY)):
                meta = model._meta
                moments = [
                    name
                    for name, field in meta.fields_map.items()
                    if isinstance(field, fields.DatetimeField)
                ]
                changes = ", ".join(self._earlier(name, step) for name in moments)
                if changes:  # totals by day have no moment
                    cursor.execute(f'UPDATE "{meta.db_table}" SET {changes}')

    def _earlier(self, name: str, seconds: float) -> str:
        if self.sqlite:
            return f'"{name}" = earlier("{name}", {seconds})'
        return f'"{name}" = "{name}" - interval \'{seconds} seconds\''

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        if not self.sqlite:
            with psycopg.connect(self.url) as connection:
                yield connection.cursor()
            return
        file = sqlite3.connect(self.parts.netloc + self.parts.path, timeout=30)
        file.create_function("earlier", 2, _earlier)
        with contextlib.closing(file), file:
            yield file.cursor()


def _earlier(moment: str | None, seconds: float) -> str | None:
    """A moment as Tortoise writes it into SQLite, moved."""
    if moment is None:
        return None
    return (datetime.fromisoformat(moment) - timedelta(seconds=seconds)).isoformat(" ")
