"""The web process's family: one above, that serves nobody, and the workers below it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from tests.servers import ROOT, Deployment, Process, answers, production_environ, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["postgres"], indirect=True),
]


@pytest.fixture
def web(deployment: Deployment, database_url: str) -> Process:
    """Two workers, both there."""
    process = deployment.web(database_url)
    until(process, lambda: len(workers(process)) == 2)
    return process


def workers(process: Process) -> set[int]:
    """The ids of the processes that serve."""
    children = psutil.Process(process.popen.pid).children()
    return {child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE}


def until(process: Process, what: Callable[[], bool]) -> None:
    wait_for(what, process.popen, process.log)


def test_a_worker_that_dies_is_replaced(web: Process) -> None:
    before = workers(web)
    os.kill(min(before), signal.SIGKILL)
    until(web, lambda: len(workers(web) - {min(before)}) == 2)
    for _ in range(20):  # whichever of the two a connection comes to
        until(web, lambda: answers(f"{web.url}/healthz"))
    assert f"worker {min(before)} ended with -9" in web.log.read_text()


def test_all_of_them_end_with_a_sigterm_to_the_one_above(web: Process) -> None:
    below = workers(web)
    web.popen.send_signal(signal.SIGTERM)
    assert web.popen.wait(30) == 0
    assert not any(map(psutil.pid_exists, below))


def test_no_worker_outlives_the_one_above(web: Process) -> None:
    below = [psutil.Process(pid) for pid in workers(web)]
    web.popen.kill()
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == []


def test_faulty_settings_are_told_once_and_end_the_start(
    database_url: str,
) -> None:
    environ = production_environ(database_url, SECRET_KEY="short", WEB_CONCURRENCY="3")
    done = started(environ)
    assert done.returncode == 1
    assert done.stderr.count("SECRET_KEY") == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "many"),
        ("PORT", "65536"),
        ("WEB_CONCURRENCY", "0"),
        ("WEB_CONCURRENCY", "65"),
    ],
)
def test_a_number_that_is_none_is_a_faulty_setting(
    database_url: str, variable: str, value: str
) -> None:
    environ = production_environ(database_url) | {variable: value}
    done = started(environ)
    assert (done.returncode, variable in done.stderr) == (1, True)


def test_a_port_that_is_taken_ends_the_start(database_url: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        done = started(production_environ(database_url, PORT=str(port)))
    assert (done.returncode, done.stderr.startswith("PORT: cannot listen")) == (1, True)


def started(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The web process of settings with which it cannot serve."""
    command = [sys.executable, "-m", "webapp", "web"]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
