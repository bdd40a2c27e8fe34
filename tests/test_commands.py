"""The commands as a person and a platform run them: words, and exit status."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.mail import mail_server
from tests.people import CONFIRMATION, NUMBER, sign_up, verify
from tests.phone import Phone
from tests.postgres import free_port
from tests.rows import Rows
from tests.servers import ROOT, Deployment, Process, command, procfile, production_environ, wait_for
from tests.visitor import Visitor
from webapp.sandbox import Sandbox

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


# keys


def test_keys_are_rotated_by_a_command_and_their_names_told(database_url: str) -> None:
    environ = production_environ(database_url)
    rows = Rows(database_url)
    for arguments, retired in ((("rotate",), 0), (("rotate",), 1), (("rotate", "--at-once"), 2)):
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


# doctor


@ON_SQLITE
async def test_the_doctor_finds_nothing_wrong_with_a_good_deployment(
    deployment: Deployment, database_url: str
) -> None:
    status, words = await doctor(deployment, database_url)
    assert status == 0
    assert words.splitlines() == [
        "All is well.",
        "SMTP_URL: is not set, so no email is sent, and what needs one is not offered",
    ]


@ON_SQLITE
async def test_the_doctor_finds_nothing_wrong_with_a_mail_server_that_takes_our_emails(
    deployment: Deployment, database_url: str
) -> None:
    with mail_server() as server:
        emails = {"SMTP_URL": f"smtp://127.0.0.1:{server.port}", "MAIL_FROM": "a@example.com"}
        assert await doctor(deployment, database_url, **emails) == (0, "All is well.\n")


@ON_SQLITE
async def test_the_doctor_names_a_mail_server_that_does_not_answer(
    deployment: Deployment, database_url: str
) -> None:
    away = {"SMTP_URL": f"smtp://127.0.0.1:{free_port()}", "MAIL_FROM": "a@example.com"}
    status, words = await doctor(deployment, database_url, **away)
    assert status == 1
    assert words.startswith("SMTP_URL: the mail server says Unreachable")


@ON_SQLITE
async def test_the_doctor_names_migrations_that_are_missing(
    deployment: Deployment, empty_database_url: str
) -> None:
    status, words = await doctor(deployment, empty_database_url)
    assert status == 1
    assert "DATABASE_URL" in words
    assert "0001_initial" in words


async def test_the_doctor_names_a_database_that_is_away(deployment: Deployment) -> None:
    away = f"postgres://nobody@127.0.0.1:{free_port()}/app"
    status, words = await doctor(deployment, away)
    assert status == 1
    assert words.startswith("DATABASE_URL: ")
    assert len(words.splitlines()) == 1


@pytest.mark.parametrize("provider", ["twilio", "codes", "authy"])
@ON_SQLITE
async def test_the_doctor_names_credentials_that_the_vendor_refuses(
    deployment: Deployment, database_url: str, vendor: Sandbox, provider: str
) -> None:
    vendor.fail("60001" if provider == "authy" else "20003", 1)
    status, words = await doctor(deployment, database_url, VERIFY_PROVIDER=provider)
    assert status == 1
    assert words.startswith("AUTHY_API_KEY: " if provider == "authy" else "TWILIO_AUTH_TOKEN: ")
    assert len(words.splitlines()) == 1


@ON_SQLITE
async def test_the_doctor_names_a_verify_service_that_there_is_not(
    deployment: Deployment, database_url: str, vendor: Sandbox
) -> None:
    vendor.fail("20404")
    status, words = await doctor(deployment, database_url)
    assert (status, "no such Verify service" in words) == (1, True)


@ON_SQLITE
async def test_the_doctor_names_a_redis_that_does_not_answer(
    deployment: Deployment, database_url: str
) -> None:
    away = f"redis://127.0.0.1:{free_port()}"
    status, words = await doctor(deployment, database_url, REDIS_URL=away)
    assert (status, len(words.splitlines())) == (1, 1)
    assert words.startswith("REDIS_URL: ")


@ON_SQLITE
async def test_the_doctor_names_a_vendor_that_does_not_answer(
    database_url: str, tmp_path: Path
) -> None:
    with Deployment(tmp_path, f"http://127.0.0.1:{free_port()}") as deployment:
        status, words = await doctor(deployment, database_url)
    assert status == 1
    assert {line.split(":")[0] for line in words.splitlines()} == {
        "VERIFY_PROVIDER",
        "MESSENGER",
    }


@ON_SQLITE
@pytest.mark.parametrize(
    ("base_url", "hops"), [("https://example.com", "0"), ("http://localhost:8000", "1")]
)
async def test_the_doctor_names_proxy_hops_that_do_not_fit(
    deployment: Deployment, database_url: str, base_url: str, hops: str
) -> None:
    status, words = await doctor(
        deployment, database_url, BASE_URL=base_url, TRUSTED_PROXY_HOPS=hops
    )
    assert status == 1
    assert words.startswith("TRUSTED_PROXY_HOPS: ")


async def doctor(deployment: Deployment, database_url: str, **settings: str) -> tuple[int, str]:
    """Its exit status and what it printed."""
    environ = deployment.environ(database_url, **settings)
    done = await asyncio.to_thread(command, "doctor", environ=environ)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


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


# What a platform reads


def test_the_procfile_has_the_three_processes() -> None:
    assert procfile().keys() == {"release", "web", "worker"}
    assert procfile()["release"] == "python -m webapp migrate"
    assert procfile()["worker"] == "python -m webapp worker"
    assert procfile()["web"] == "python -m webapp web"
