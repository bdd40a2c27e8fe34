"""The commands as a person and a platform run them: words, and exit status."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.people import CONFIRMATION, NUMBER, sign_up, verify
from tests.phone import Phone
from tests.postgres import free_port
from tests.rows import Rows
from tests.servers import (
    PRODUCTION,
    ROOT,
    Deployment,
    Process,
    command,
    procfile,
    production_environ,
    wait_for,
)
from tests.visitor import Visitor

pytestmark = pytest.mark.slow
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


# migrate


def test_migrate_names_what_it_applied_and_then_has_nothing_to_do(empty_database_url: str) -> None:
    environ = production_environ(empty_database_url)
    first = command("migrate", environ=environ)
    assert (first.returncode, first.stderr) == (0, "")
    assert "0001_initial" in first.stdout
    again = command("migrate", environ=environ)
    assert again.returncode == 0
    assert "0001_initial" not in again.stdout


@pytest.mark.parametrize(
    "away", ["postgres://nobody@127.0.0.1:9/app", "sqlite:///nowhere/at/all/app.sqlite3"]
)
def test_migrate_says_in_a_line_that_the_database_is_away(away: str) -> None:
    done = command("migrate", environ=production_environ(away))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("DATABASE_URL: ")


def test_a_file_that_is_no_database_is_told_of_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look like one" * 100)
    done = command("migrate", environ=production_environ(f"sqlite://{tmp_path}/notes.txt"))
    assert done.returncode == 1
    assert done.stderr == ("DATABASE_URL: cannot migrate: DatabaseError: file is not a database\n")


FROM_THE_FUTURE = "9999_of_a_newer_version"


def moved_ahead(database_url: str) -> None:
    Rows(database_url).all(
        "INSERT INTO tortoise_migrations (app, name, applied_at)"
        f" VALUES ('accounts', '{FROM_THE_FUTURE}', CURRENT_TIMESTAMP)"
    )


def test_migrate_says_that_the_database_is_ahead(own_database_url: str) -> None:
    moved_ahead(own_database_url)
    done = command("migrate", environ=production_environ(own_database_url))
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1)
    assert f"DATABASE_URL: has {FROM_THE_FUTURE}, by a newer version" in done.stderr


def started(deployment: Deployment, name: str, database_url: str) -> Process:
    if name == "worker":
        return deployment.worker(database_url)
    return deployment.web(database_url, until="/healthz")


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_process_says_at_its_start_that_migrations_are_missing(
    deployment: Deployment, empty_database_url: str, name: str
) -> None:
    process = started(deployment, name, empty_database_url)
    said = "lacks 0001_initial"
    wait_for(lambda: said in process.log.read_text(), process.popen, process.log)
    assert "run python -m webapp migrate" in process.log.read_text()


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_process_says_at_its_start_that_the_database_is_ahead(
    deployment: Deployment, own_database_url: str, name: str
) -> None:
    moved_ahead(own_database_url)
    process = started(deployment, name, own_database_url)
    wait_for(lambda: FROM_THE_FUTURE in process.log.read_text(), process.popen, process.log)


# keys


def test_keys_are_rotated_by_a_command_and_their_names_told(database_url: str) -> None:
    environ = production_environ(database_url)
    rows = Rows(database_url)
    for arguments, retired in ((("rotate",), 0), (("rotate", "--at-once"), 1)):
        done = command("keys", *arguments, environ=environ)
        assert (done.returncode, done.stderr) == (0, "")
        [signing] = rows.all("SELECT kid FROM oidc_keys WHERE retired_at IS NULL")
        assert f"{signing[0]} signs from now on" in done.stdout
        assert rows.one("SELECT COUNT(*) FROM oidc_keys") == retired + 1


# Starts that are refused


@pytest.mark.parametrize("name", ["migrate", "worker", "doctor"])
def test_a_faulty_environment_stops_a_command_with_a_line_for_each_fault(name: str) -> None:
    environ = production_environ("mysql://localhost/app", SECRET_KEY="short", LOG_FORMAT="xml")
    done = command(name, environ=environ)
    assert done.returncode == 1
    assert faulty_variables(done.stderr) == {"DATABASE_URL", "SECRET_KEY", "LOG_FORMAT"}


@pytest.mark.parametrize("workers", ["1", "2"])
@ON_SQLITE
def test_a_faulty_environment_stops_the_web_process_too(
    database_url: str, tmp_path: Path, workers: str
) -> None:
    log = tmp_path / "web.log"
    environ = production_environ(
        database_url, VERIFY_PROVIDER="sandbox", SECRET_KEY="short", WEB_CONCURRENCY=workers
    )
    process = Process(procfile()["web"], environ, log)
    try:
        assert process.popen.wait(30) == 1
    finally:
        process.close()
    assert faulty_variables(log.read_text()) == {"VERIFY_PROVIDER", "SECRET_KEY"}


def faulty_variables(output: str) -> set[str]:
    """The variables that have a line of their own."""
    assert "Traceback" not in output
    names = {line.split(":")[0] for line in output.splitlines() if ": " in line}
    return {name for name in names if name.isupper()}


# worker


@ON_SQLITE
def test_a_worker_ends_at_once_and_well_on_sigterm(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    process = Process(procfile()["worker"], production_environ(database_url), log)
    try:
        wait_for(lambda: log.read_text() != "", process.popen, log)
        assert process.stop() == 0
    finally:
        process.close()


# dev


@pytest.fixture
def development(tmp_path: Path) -> Iterator[Process]:
    """``python -m webapp dev`` in a folder with nothing in it, with no settings at all."""
    port = str(free_port())
    home = tmp_path / "checkout"
    home.mkdir()
    for part in ("webapp", "templates", "static", "migrations"):
        (home / part).symlink_to(ROOT / part)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {"PATH": path, "PORT": port, "BASE_URL": f"http://localhost:{port}"}
    process = Process("python -m webapp dev", environ, tmp_path / "dev.log", cwd=home)
    try:
        process.wait_until("/readyz")
        yield process
    finally:
        process.close()


@pytest.fixture
async def client(development: Process) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=development.url, timeout=30, verify=False) as bare:
        yield bare


async def test_dev_needs_no_settings_and_no_account_anywhere(
    development: Process, visitor: Visitor, phone: Phone
) -> None:
    assert (await sign_up(visitor)).step == "verification"
    assert (await verify(visitor, phone)).verified is True
    await phone.text(NUMBER, CONFIRMATION)
    page = await visitor.visit("/sandbox/phone")
    assert NUMBER in page.response.text
    said = development.log.read_text()
    assert development.url in said
    assert "/sandbox/phone" in said
    development.signal(signal.SIGINT)
    assert await asyncio.to_thread(development.popen.wait, 15) in {0, 130}


def in_development(cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """A development server that cannot start."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "webapp", "dev"],
        cwd=cwd,
        env={"PATH": path, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_dev_says_nothing_but_that_its_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = in_development(tmp_path, PORT=str(other.getsockname()[1]))
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("PORT: cannot listen at ")
    assert list(tmp_path.glob("*.sqlite3")) == []


def test_dev_says_in_words_that_it_cannot_write_to_its_folder() -> None:
    done = in_development(Path("/proc"), PORT=str(free_port()))
    assert (done.returncode, done.stdout) == (1, "")
    assert "SECRET_KEY: cannot be kept in .secret_key: " in done.stderr
    assert "Traceback" not in done.stderr
    done = in_development(Path("/proc"), PORT=str(free_port()), SECRET_KEY=PRODUCTION["SECRET_KEY"])
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("DATABASE_URL: cannot migrate: ")


def test_dev_says_in_words_that_its_secret_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".secret_key").mkdir()
    done = in_development(tmp_path, PORT=str(free_port()))
    assert done.returncode == 1
    assert "SECRET_KEY: cannot be kept in .secret_key: " in done.stderr
    assert "Traceback" not in done.stderr


# What a platform reads


def test_the_procfile_has_the_three_processes() -> None:
    assert procfile().keys() == {"release", "web", "worker"}
    assert procfile()["release"] == "python -m webapp migrate"
    assert procfile()["worker"] == "python -m webapp worker"
    assert procfile()["web"] == "python -m webapp web"
