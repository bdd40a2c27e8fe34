"""The schema is what the migrations make of nothing, and they make what the models say."""

import ast
import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

from tests import servers
from tests.rows import Rows
from tests.servers import ROOT, production_environ
from webapp.accounts.people import emails
from webapp.database import Database
from webapp.database.config import APP, APPS

NAMES = sorted(path.stem for path in (ROOT / "migrations").glob("0*.py"))


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[Database]:
    connected = Database(empty_database_url)
    await connected.open()
    yield connected
    await connected.close()


@pytest.fixture
async def whole(own_database_url: str) -> AsyncIterator[Database]:
    """One that the command has migrated."""
    connected = Database(own_database_url)
    await connected.open()
    yield connected
    await connected.close()


async def test_migrations_go_forward_from_an_empty_database(empty: Database) -> None:
    assert await empty.missing_migrations() == NAMES
    assert await empty.migrate() == NAMES
    assert await empty.missing_migrations() == []


async def test_migrating_again_changes_nothing(whole: Database) -> None:
    assert await whole.migrate() == []


async def test_no_model_changes_without_a_migration(empty: Database) -> None:
    assert empty.context.apps
    writers = await MigrationAutodetector(empty.context.apps, APPS).changes()
    assert [writer.operations for writer in writers] == []


async def test_every_model_can_be_read_from_the_migrated_schema(whole: Database) -> None:
    assert whole.context.apps
    for model in whole.context.apps["accounts"].values():
        assert await model.all() == []


async def test_claimed_emails_are_folded_anew_and_nobody_loses_theirs(
    empty: Database, empty_database_url: str
) -> None:
    old = {  # the email, and its fold by NFKC and casefold()
        "Ada@example.com": "ada@example.com",
        "Straße@example.com": "strasse@example.com",
        "παυλος@example.com": "παυλοσ@example.com",
        "e\ufe0fva@example.com": "e\ufe0fva@example.com",
        "éva@example.com": "éva@example.com",
        "é\u034fva@example.com": "é\u034fva@example.com",
    }
    await migrate_to(empty, "0001_initial")
    rows = Rows(empty_database_url)
    for email, fold in old.items():
        insert_user(rows, email, fold)
    await empty.migrate()
    new = old | {
        "Straße@example.com": "straße@example.com",
        "παυλος@example.com": "παυλος@example.com",
        "e\ufe0fva@example.com": "eva@example.com",
    }
    assert dict(rows.all("SELECT email, claimed_email FROM users")) == new
    assert {email: emails.fold(email) for email in new} == new | {
        "é\u034fva@example.com": "éva@example.com",  # which the account before it has
    }


async def test_everybody_has_a_subject_of_their_own_also_from_processes_before_it(
    empty: Database, empty_database_url: str
) -> None:
    await migrate_to(empty, "0002_claimed_email_fold")
    rows = Rows(empty_database_url)
    for number in range(3):
        insert_user(rows, f"before{number}@example.com")
    await empty.migrate()
    subjects = dict(rows.all("SELECT email, subject FROM users"))
    for number in range(3):
        insert_user(rows, f"after{number}@example.com")
    everybody = dict(rows.all("SELECT email, subject FROM users"))
    assert everybody | subjects == everybody
    assert len(set(everybody.values())) == 6
    assert all(re.fullmatch("[0-9a-f]{32}", subject) for subject in everybody.values())


def insert_user(rows: Rows, email: str, claimed: str | None = None) -> None:
    """As a process of the first release does."""
    rows.all(
        "INSERT INTO users (name, email, claimed_email, country, phone, phone_changes,"
        " password_hash, vendor_account, created_at, verified_at)"
        " VALUES ('', ?, ?, 'US', '', 0, '', '', ?, ?)",
        *(email, claimed, rows.moment(), rows.moment()),
    )


async def migrate_to(database: Database, name: str) -> None:
    executor = MigrationExecutor(database.connection, APPS)
    await executor.migrate([MigrationTarget(app_label=APP, name=name)])


@pytest.mark.slow
async def test_two_releases_at_once_leave_one_whole_schema(empty_database_url: str) -> None:
    environ = production_environ(empty_database_url)
    releases = [asyncio.to_thread(servers.command, "migrate", environ=environ) for _ in range(2)]
    first, second = await asyncio.gather(*releases)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert servers.command("migrate", environ=environ).returncode == 0


def test_every_migration_is_named_by_its_number() -> None:
    numbers = [name[:4] for name in NAMES]
    assert numbers == [f"{number:04}" for number in range(1, len(NAMES) + 1)]
    assert Path(ROOT / "migrations" / "__init__.py").exists()


def test_a_migration_runs_the_same_whatever_becomes_of_the_application() -> None:
    for path in (ROOT / "migrations").glob("0*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [getattr(node, "module", None) or ""]
            names += [alias.name for alias in getattr(node, "names", [])]
            assert not any(name.startswith("webapp") for name in names), path.name


async def test_processes_of_the_release_before_write_sessions_and_verifications(
    own_database_url: str,
) -> None:
    rows = Rows(own_database_url)
    insert_user(rows, "ada@example.com", "ada@example.com")
    user, now = rows.one("SELECT max(id) FROM users"), rows.moment()
    rows.all(
        "INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at) VALUES (?, ?, ?, ?)",
        "hash",
        user,
        now,
        now,
    )
    rows.all(
        "INSERT INTO verifications (user_id, phone, provider, reference, sends, checks, outcome,"
        " created_at, next_send_at, expires_at) VALUES (?, '+1', 'twilio', '', 0, 0, 'pending',"
        " ?, ?, ?)",
        user,
        now,
        now,
        now,
    )
    assert rows.one("SELECT stage FROM sessions") == "open"
    assert rows.one("SELECT purpose FROM verifications") == "sign_up"
