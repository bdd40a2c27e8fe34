"""The product as deployed, at this revision or another, on a PostgreSQL of the bench's own."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

from bench.machine import CORES
from tests import postgres
from tests.postgres import Postgres, free_port
from tests.servers import ROOT, Process, answers, production_environ

LIMITS = (
    "SIGNUPS_PER_IP",
    "CHECKS_PER_IP",
    "RESENDS_PER_IP",
    "SENDS_PER_PHONE",
    "SENDS_PER_HOUR",
    "PREFIX_BRAKE",
)
OFF = dict.fromkeys(LIMITS, "off")  # all visitors come from one address, and in one hour


@dataclass(frozen=True)
class Site:
    """A running deployment."""

    url: str
    pid: int
    cold_start: float  # seconds from the command to the first page


@contextlib.contextmanager
def database() -> Iterator[Postgres]:
    """A server for the length of a ``with`` block."""
    binaries = postgres.find_binaries()
    if binaries is None:
        sys.exit("There is no PostgreSQL: set POSTGRES_BIN to where its programs are.")
    with postgres.running(binaries) as server:
        yield server


@contextlib.contextmanager
def revision(name: str | None) -> Iterator[Path]:
    """The files of a revision, or those that lie here."""
    if name is None:
        yield ROOT
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", directory, name], check=True, capture_output=True)
        try:
            yield Path(directory)
        finally:
            subprocess.run([*git, "remove", "--force", directory], check=True)


@contextlib.contextmanager
def deployed(files: Path, database_url: str, vendor_url: str) -> Iterator[Site]:
    """The Procfile's ``web``, after its ``release``, for the length of a ``with`` block."""
    vendors = {"TWILIO_BASE_URL": vendor_url, "AUTHY_BASE_URL": vendor_url}
    environ = production_environ(database_url, **vendors, **OFF)
    lines = (files / "Procfile").read_text().splitlines()
    commands = {name: line.strip() for name, line in (line.split(":", 1) for line in lines)}
    release = ["/bin/sh", "-c", commands["release"]]
    subprocess.run(release, cwd=files, env=environ, check=True, stdout=subprocess.DEVNULL)
    log = Path(tempfile.gettempdir()) / f"bench-{uuid4().hex}.log"
    began = time.perf_counter()
    process = Process(commands["web"], environ, log, cwd=files)
    try:
        _wait_for_page(process)
        yield Site(process.url, process.popen.pid, time.perf_counter() - began)
    except BaseException:
        print(f"The log of the deployment: {log}", file=sys.stderr)
        raise
    finally:
        process.stop()
    log.unlink()


def _wait_for_page(process: Process) -> None:
    while process.popen.poll() is None:
        with contextlib.suppress(OSError), urlopen(f"{process.url}/signup", timeout=10):
            return
        time.sleep(0.005)
    sys.exit(f"The web process ended:\n{process.log.read_text()}")


@contextlib.contextmanager
def plain() -> Iterator[str]:
    """A Starlette that says hello, by a uvicorn worker for each core: its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "uvicorn", "bench.machine:plain", f"--port={port}",
               f"--workers={CORES}", "--no-access-log", "--log-level=warning"]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT) as server:
        try:
            while not answers(url):
                time.sleep(0.01)
            yield url
        finally:
            server.terminate()
