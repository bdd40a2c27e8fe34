"""A real PgBouncer in transaction mode before a PostgreSQL server."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.postgres import Postgres, free_port
from tests.servers import wait_for

# Few sessions in turn, so that nearly no transaction gets the session of the one before it.
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
min_pool_size = 4
server_round_robin = 1
{more}
"""


@contextlib.contextmanager
def running(program: str, server: Postgres, **settings: str) -> Iterator[int]:
    """A PgBouncer before ``server``: its port."""
    port = free_port()
    more = "\n".join(f"{name} = {value}" for name, value in settings.items())
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # it refuses to run as root, and reads its file as somebody else
        file, log = directory / "pgbouncer.ini", directory / "log"
        file.write_text(CONFIGURATION.format(server=server.port, port=port, more=more))
        user = "nobody" if os.geteuid() == 0 else None
        with log.open("wb") as out:
            process = subprocess.Popen([program, file], user=user, stdout=out, stderr=out)
        try:
            wait_for(lambda: _answers(port), process, log)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def _answers(port: int) -> bool:
    url = f"postgres://postgres@127.0.0.1:{port}/postgres"
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
        return True
    return False
