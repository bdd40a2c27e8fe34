"""The schema is what the migrations make of nothing, and they make what the models say."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tortoise.migrations.autodetector import MigrationAutodetector

from tests import servers
from tests.servers import ROOT, production_environ
from webapp.database import APPS, Database

NAMES = sorted(path.stem for path in (ROOT / "migrations").glob("0*.py"))


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[Database]:
    connected = Database(empty_database_url)
    await connected.open()
    yield connected
    await connected.close()


async def test_migrations_go_forward_from_an_empty_database(empty: Database) -> None:
    assert await empty.missing_migrations() == NAMES
    assert await empty.migrate() == NAMES
    assert await empty.missing_migrations() == []


async def test_migrating_again_changes_nothing(empty: Database) -> None:
    await empty.migrate()
    assert await empty.migrate() == []


async def test_no_model_changes_without_a_migration(empty: Database) -> None:
    assert empty.context.apps
    writers = await MigrationAutodetector(empty.context.apps, APPS).changes()
    assert [writer.operations for writer in writers] == []


async def test_every_model_can_be_read_from_the_migrated_schema(empty: Database) -> None:
    await empty.migrate()
    assert empty.context.apps
    for model in empty.context.apps["accounts"].values():
        assert await model.all() == []


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
