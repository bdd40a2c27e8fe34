"""Starts the product's commands as forks of a process that has imported it.

A start takes a second of a processor, nearly all of it to import; a fork takes a fiftieth. In all
else it is a process as any: it has a command line, an environment, a folder, files, a session and
an exit status of its own. `test_deploy` and `test_commands` start Python itself.
"""

import atexit
import gc
import json
import os
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
PYTHON_M_WEBAPP = ["python", "-m", "webapp"]


class Fork:
    """A forked process, with as much of ``subprocess.Popen`` as the tests use."""

    def __init__(self, pid: int, ended: socket.socket) -> None:
        self.pid, self.ended = pid, ended
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""
        return self._status(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has one. Raises ``subprocess.TimeoutExpired``."""
        status = self._status(timeout)
        if status is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(PYTHON_M_WEBAPP, timeout)
        return status

    def _status(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self.ended], [], [], timeout)[0]:
            self.returncode = int(self.ended.recv(64))
            self.ended.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    command: str, environ: Mapping[str, str], out: IO[Any], err: IO[Any], cwd: Path = ROOT
) -> Fork:
    """Start ``python -m webapp …`` in a session of its own."""
    program, arguments = shlex.split(command)[:3], shlex.split(command)[3:]
    assert program == PYTHON_M_WEBAPP, command
    order = json.dumps([arguments, dict(environ), str(cwd)]).encode()
    ended, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with theirs, Path(os.devnull).open() as nothing:
        files = [nothing.fileno(), out.fileno(), err.fileno(), theirs.fileno()]
        socket.send_fds(parent(), [len(order).to_bytes(4, "big") + order], files)
    return Fork(int(ended.recv(64)), ended)


@cache
def parent() -> socket.socket:
    """What takes orders for forks; it ends with this process."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forks", str(theirs.fileno())],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    atexit.register(process.wait, 10)
    atexit.register(ours.close)
    return ours


# In the parent of the forks


def main(orders: socket.socket) -> None:
    """Fork for each order, and tell each fork's end, until nobody is there to order."""
    import webapp.__main__  # noqa: F401, PLC0415 - what all of this is for

    del sys.modules["webapp.__main__"]  # each fork runs it, as what it then is: the main module
    woken, wakeup = socket.socketpair()
    wakeup.setblocking(False)
    signal.set_wakeup_fd(wakeup.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.collect()
    gc.freeze()
    running: dict[int, socket.socket] = {}
    while True:
        readable, _, _ = select.select([orders, woken], [], [])
        if woken in readable:
            woken.recv(4096)
            tell_ends(running)
        if orders in readable:
            head, files, _, _ = socket.recv_fds(orders, 4, 4)
            if not head:
                return
            order = orders.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
            pid = os.fork()
            if not pid:
                for other in (orders, woken, wakeup, *running.values()):
                    other.close()
                become(*json.loads(order), files=files)
                return
            for file in files[:3]:
                os.close(file)
            running[pid] = socket.socket(fileno=files[3])
            running[pid].send(str(pid).encode())


def tell_ends(running: dict[int, socket.socket]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as teller:
                teller.send(str(os.waitstatus_to_exitcode(status)).encode())


def become(arguments: list[str], environ: dict[str, str], cwd: str, *, files: list[int]) -> None:
    """Be ``python -m webapp`` with these ``arguments``, to the end."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(cwd)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    sys.argv[1:] = arguments
    runpy.run_module("webapp", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
