"""The product as deployed, at this revision or another, on a PostgreSQL of the bench's own."""

import contextlib
import os
import signal
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

# All visitors come from one address, in one hour, with numbers of one area. The limits count as
# ever, and let them through.
RAISED = {
    "SIGNUPS_PER_IP": "1000000/hour",
    "CHECKS_PER_IP": "1000000/10minutes",
    "RESENDS_PER_IP": "1000000/hour",
    "SENDS_PER_PHONE": "10000000",
    "SENDS_PER_HOUR": "10000000",
    "PREFIX_BRAKE": "10000000",
}
OFF = dict.fromkeys(RAISED, "off")


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
def deployed(
    files: Path, database_url: str, vendor_url: str, limits: dict[str, str]
) -> Iterator[Site]:
    """The Procfile's ``web``, after its ``release``, for the length of a ``with`` block."""
    vendors = {"TWILIO_BASE_URL": vendor_url, "AUTHY_BASE_URL": vendor_url}
    environ = production_environ(database_url, **vendors, **limits)
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
def workers(app: str, path: str, **environ: str) -> Iterator[Site]:
    """Another application, by a uvicorn worker for each core. ``app``: as ``module:name``."""
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", app, f"--port={port}", f"--workers={CORES}",
               "--loop=uvloop", "--http=h11", "--no-access-log", "--log-level=warning"]  # fmt: skip
    began = time.perf_counter()
    environ = {**os.environ, **environ}
    with subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True) as server:
        try:
            while not answers(site + path):
                time.sleep(0.01)
            yield Site(site, server.pid, time.perf_counter() - began)
        finally:  # at once: what it still asks the vendor, our own event loop would have to answer
            os.killpg(server.pid, signal.SIGKILL)
