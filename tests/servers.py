"""The product as deployed: the Procfile's processes over loopback, against a stand-in vendor."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Protocol, Self

import httpx
import redis
import uvicorn
from starlette.types import ASGIApp

from tests import forks
from tests.postgres import free_port

ROOT = Path(__file__).resolve().parent.parent
# What every production start needs; made up, and of the form that the vendors' have.
PRODUCTION = {
    "SECRET_KEY": "Zk3v9Qx7Lr2Wm8Yb5Tn1Hc6Jd4Fs0GpKe7Ua3Xi",
    "TWILIO_ACCOUNT_SID": "AC" + "0123456789abcdef" * 2,
    "TWILIO_AUTH_TOKEN": "b7d0c2e4f6a8b9d1c3e5f7a9b0d2c4e6",
    "TWILIO_VERIFY_SERVICE_SID": "VA" + "0123456789abcdef" * 2,
    "TWILIO_NUMBER": "+15005550006",
    "AUTHY_API_KEY": "c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6",
    "VONAGE_API_KEY": "a1b2c3d4",
    "VONAGE_API_SECRET": "Q7w8e9r0t1y2u3i4",
    "VONAGE_NUMBER": "+15005550009",
    "PWNED_PASSWORDS_URL": "off",
}


def production_environ(database_url: str, **more: str) -> dict[str, str]:
    """A whole production environment, and of this process's own only where programs are."""
    port = more.get("PORT") or str(free_port())
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "PORT": port,
        "BASE_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": database_url,
        "WEB_CONCURRENCY": "2",
        **PRODUCTION,
        **more,
    }


def command(*arguments: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run ``python -m webapp …`` to its end."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = forks.start(shlex.join(["python", "-m", "webapp", *arguments]), environ, out, err)
        status = process.wait(60)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, status, out.read(), err.read())


def migrate(database_url: str) -> None:
    """Bring a database up to date as a release does."""
    done = command("migrate", environ=production_environ(database_url))
    assert done.returncode == 0, done.stdout + done.stderr


class Running(Protocol):
    """A process that was started: ``subprocess.Popen`` or a fork."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def kill(self) -> None: ...


Start = Callable[[str, Mapping[str, str], IO[bytes], IO[bytes], Path], Running]


def start_by_shell(
    command: str, environ: Mapping[str, str], out: IO[bytes], err: IO[bytes], cwd: Path
) -> subprocess.Popen[bytes]:
    """Start ``command`` as a platform does, in a session of its own."""
    return subprocess.Popen(
        ["/bin/sh", "-c", f"exec {command}"],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,
    )


def wait_for(what: Callable[[], bool], process: Running, log: Path) -> None:
    """Poll until ``what`` holds; fails with the log if the process ends or a minute passes."""
    deadline = time.monotonic() + 60
    while not what():
        assert process.poll() is None, f"It ended with {process.returncode}:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"It is not up after a minute:\n{log.read_text()}"
        time.sleep(0.05)


def procfile() -> dict[str, str]:
    """The Procfile's commands by the name of their process."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, command in (line.split(":", 1) for line in lines)}


class Process:
    """One running process of the deployment, with its children."""

    def __init__(
        self,
        command: str,
        environ: Mapping[str, str],
        log: Path,
        *,
        cwd: Path = ROOT,
        start: Start = start_by_shell,
    ) -> None:
        self.log, self.url = log, environ["BASE_URL"]
        with log.open("ab") as out:
            self.popen = start(command, environ, out, out, cwd)

    def signal(self, number: signal.Signals) -> None:
        """To every process of it, as a platform does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)

    def stop(self) -> int:
        """Ask it to end: its exit status."""
        self.signal(signal.SIGTERM)
        return self.popen.wait(30)

    def close(self) -> None:
        self.signal(signal.SIGKILL)
        self.popen.wait(10)

    def wait_until(self, path: str) -> None:
        """Until ``path`` answers 200."""
        wait_for(lambda: answers(self.url + path), self.popen, self.log)


def answers(url: str) -> bool:
    # Not for trust: to read the authorities' certificates costs 50 ms, and loopback shows none.
    try:
        return httpx.get(url, timeout=5, verify=False).is_success
    except httpx.TransportError:
        return False


class Deployment:
    """Starts processes by their names in the Procfile, with production's settings."""

    def __init__(self, directory: Path, vendor_url: str, start: Start = forks.start) -> None:
        self.directory, self.vendor_url, self.start = directory, vendor_url, start
        self.processes: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.close()

    def environ(self, database_url: str, **more: str) -> dict[str, str]:
        """The environment of one process here."""
        vendors = dict.fromkeys(
            ("TWILIO_BASE_URL", "AUTHY_BASE_URL", "VONAGE_BASE_URL"), self.vendor_url
        )
        return production_environ(database_url, **{**vendors, **more})

    def release(self, database_url: str) -> None:
        """Migrate, to the end."""
        process = self._start("release", self.environ(database_url))
        assert process.popen.wait(60) == 0, process.log.read_text()

    def web(self, database_url: str, *, until: str = "/readyz", **settings: str) -> Process:
        """A web process, once ``until`` answers."""
        process = self._start("web", self.environ(database_url, **settings))
        process.wait_until(until)
        return process

    def worker(self, database_url: str, **settings: str) -> Process:
        return self._start("worker", self.environ(database_url, **settings))

    def _start(self, name: str, environ: Mapping[str, str]) -> Process:
        log = self.directory / f"{name}-{len(self.processes)}.log"
        process = Process(procfile()[name], environ, log, start=self.start)
        self.processes.append(process)
        return process


@contextlib.contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """An ASGI application over loopback HTTP, in a thread of this process: its URL."""
    port = free_port()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, lifespan="off", interface="asgi3"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "The stand-in vendor did not start."
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def redis_server(program: str) -> Iterator[str]:
    """A Redis server that keeps nothing: its URL."""
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        log = Path(directory) / "log"
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory]
        process = subprocess.Popen([program, *options, "--logfile", str(log)])
        try:
            wait_for(lambda: _pings(url), process, log)
            yield url
        finally:
            process.terminate()
            process.wait(10)


def _pings(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as connection:
            return bool(connection.ping())
    except redis.ConnectionError:
        return False
