"""The web process's workers, and the supervisor above them, which serves nobody itself."""

import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.postgres import free_port
from tests.servers import (
    Deployment,
    Process,
    answers,
    command,
    production_environ,
    wait_for,
)
from tests.supervised import SILENCE

pytestmark = pytest.mark.slow
ON_POSTGRES = pytest.mark.parametrize("database", ["postgres"], indirect=True)


@pytest.fixture
def web(deployment: Deployment, database_url: str) -> Process:
    """The product with two workers, both there."""
    return with_two_workers(deployment.web(database_url))


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Process]:
    """An application that can be made to hang, with two workers, both there."""
    process = supervise(tmp_path)
    try:
        process.wait_until("/")
        yield with_two_workers(process)
    finally:
        process.close()


def supervise(directory: Path, *arguments: str) -> Process:
    port = free_port()
    environ = {"PATH": os.environ["PATH"], "BASE_URL": f"http://127.0.0.1:{port}"}
    line = f"{shlex.quote(sys.executable)} -m tests.supervised {port} {' '.join(arguments)}"
    return Process(line, environ, directory / "supervised.log")


def with_two_workers(process: Process) -> Process:
    until(process, lambda: len(workers(process)) == 2)
    return process


def workers(process: Process) -> set[int]:
    """The ids of the processes that serve."""
    children = psutil.Process(process.popen.pid).children()
    return {child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE}


def until(process: Process, what: Callable[[], bool]) -> None:
    wait_for(what, process.popen, process.log)


def answered(url: str, visitors: int = 20) -> int:
    """How many of so many visitors who come at once are answered within seconds."""
    with ThreadPoolExecutor(visitors) as pool:
        return sum(pool.map(lambda _: answers(url), range(visitors)))


# Workers that die or hang


@ON_POSTGRES
def test_a_worker_that_dies_is_replaced(web: Process) -> None:
    before = workers(web)
    os.kill(min(before), signal.SIGKILL)
    until(web, lambda: len(workers(web) - {min(before)}) == 2)
    assert answered(f"{web.url}/healthz") == 20
    assert f'"worker": {min(before)}' in web.log.read_text()


@ON_POSTGRES
def test_a_stopped_worker_takes_no_visitor_with_it(web: Process) -> None:
    os.kill(min(workers(web)), signal.SIGSTOP)
    assert answered(f"{web.url}/healthz") == 20


def test_a_blocked_event_loop_takes_no_visitor_with_it_and_is_replaced(supervised: Process) -> None:
    before = workers(supervised)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{supervised.url}/block", timeout=0.5, verify=False)
    assert answered(f"{supervised.url}/") == 20
    until(supervised, lambda: len(workers(supervised) & before) == 1)
    until(supervised, lambda: len(workers(supervised)) == 2)
    assert answered(f"{supervised.url}/") == 20


def test_a_deployment_that_stood_still_as_a_whole_keeps_its_workers(supervised: Process) -> None:
    before = workers(supervised)
    supervised.signal(signal.SIGSTOP)
    time.sleep(SILENCE + 1)
    supervised.signal(signal.SIGCONT)
    until(supervised, lambda: answers(f"{supervised.url}/"))
    time.sleep(2)  # in which the supervisor has looked twice
    assert workers(supervised) == before


# The end


@ON_POSTGRES
def test_all_of_them_end_with_a_sigterm_to_the_supervisor(web: Process) -> None:
    below = workers(web)
    web.popen.send_signal(signal.SIGTERM)
    assert web.popen.wait(30) == 0
    assert not any(map(psutil.pid_exists, below))


@ON_POSTGRES
def test_no_worker_outlives_the_supervisor_and_the_next_one_gets_the_port(
    web: Process, deployment: Deployment, database_url: str
) -> None:
    below = [psutil.Process(pid) for pid in workers(web)]
    web.popen.kill()
    with_two_workers(deployment.web(database_url, PORT=web.url.rpartition(":")[2]))
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == []


# The start


NOWHERE = "sqlite://nowhere.sqlite3"  # the start ends before it is looked for


def test_faulty_settings_are_told_once_and_end_the_start() -> None:
    environ = production_environ(NOWHERE, SECRET_KEY="short", WEB_CONCURRENCY="3")
    done = command("web", environ=environ)
    assert done.returncode == 1
    assert done.stderr.count("SECRET_KEY") == 1


def test_a_worker_that_cannot_start_ends_the_start(tmp_path: Path) -> None:
    process = supervise(tmp_path, "fail")
    try:
        assert process.popen.wait(30) not in {0, None}
    finally:
        process.close()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "many"),
        ("PORT", "65536"),
        ("WEB_CONCURRENCY", "0"),
        ("WEB_CONCURRENCY", "65"),
    ],
)
def test_a_number_that_is_none_is_a_faulty_setting(variable: str, value: str) -> None:
    done = command("web", environ=production_environ(NOWHERE) | {variable: value})
    assert (done.returncode, variable in done.stderr) == (1, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_port_that_is_taken_ends_the_start(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as other:
        port = other.getsockname()[1]
        done = command("web", environ=production_environ(NOWHERE, PORT=str(port)))
    assert (done.returncode, done.stderr.startswith("PORT: cannot listen")) == (1, True)
    assert done.stdout == ""


@ON_POSTGRES
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_both_kinds_of_address_are_listened_at(web: Process, host: str) -> None:
    assert answers(f"http://{host}:{web.url.rpartition(':')[2]}/healthz")
