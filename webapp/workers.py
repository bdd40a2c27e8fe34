"""Processes that serve one port together, and one above them that replaces any that dies.

uvicorn has a supervisor as well. It imports the server for itself, and then starts interpreters
that import everything anew: 45 MB more than this one, which forks before it has imported anything.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import NoReturn

PAUSE = 1.0  # seconds before a worker that died is replaced: one that cannot live must cost little
READY = signal.SIGUSR1  # from a worker to its supervisor
SIGNALS = {READY, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


def listeners(port: int, count: int) -> list[socket.socket]:
    """A socket for each worker, all on one port, between which the system shares visitors out.

    Of one socket for all a single worker took three in four of those who came at once. Raises
    ``OSError`` where the port is somebody else's.
    """
    with _bound(port):
        pass  # sockets that share would take the port with whoever shares it already
    return [_bound(port, socket.SO_REUSEPORT) for _ in range(count)]


def _bound(port: int, *options: int) -> socket.socket:
    listener = socket.socket()
    for option in (socket.SO_REUSEADDR, *options):
        listener.setsockopt(socket.SOL_SOCKET, option, 1)
    listener.bind(("0.0.0.0", port))  # noqa: S104 - a platform's router comes from outside
    return listener


class Supervisor:
    """Keeps a worker at each listener, where it does ``work``; they begin one after the other.

    By the time that the first is ready the settings are known to be good. If it ends before, so
    does the supervisor, with its status: faults are told once, and not for ever. Visitors of a
    worker that died wait at its listener for the next.
    """

    def __init__(
        self,
        listeners: list[socket.socket],
        work: Callable[["Supervisor", socket.socket], None],
    ) -> None:
        self.idle, self.work, self.process = listeners, work, os.getpid()
        self.workers: dict[int, socket.socket] = {}
        self.was_ready = self.stopping = False

    def run(self) -> NoReturn:
        """Until SIGTERM or SIGINT, which the workers are passed on."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._begin()
        while self.workers:
            match signal.sigwait(SIGNALS):
                case signal.SIGCHLD:
                    self._bury()
                case signal.SIGUSR1:
                    self.was_ready = True
                    if self.idle and not self.stopping:
                        self._begin()
                case _:
                    self._stop()
        sys.exit(0)

    async def ready(self) -> None:
        """For a worker to call every few seconds while it serves; ends it with its supervisor."""
        alone = os.getppid() != self.process
        os.kill(*((os.getpid(), signal.SIGTERM) if alone else (self.process, READY)))

    def _begin(self) -> None:
        listener = self.idle.pop()
        worker = os.fork()
        if worker:
            self.workers[worker] = listener
            return
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        self.work(self, listener)
        sys.exit(0)

    def _stop(self) -> None:
        self.stopping = True
        for worker in self.workers:
            os.kill(worker, signal.SIGTERM)

    def _bury(self) -> None:
        """Take leave of the workers that have ended, and see to it that others do their work."""
        for worker in list(self.workers):
            ended, status = os.waitpid(worker, os.WNOHANG)
            if not ended:
                continue
            self.idle.append(self.workers.pop(worker))
            if self.stopping:
                continue
            code = os.waitstatus_to_exitcode(status)
            if not self.was_ready:
                sys.exit(code if code >= 0 else 1)
            sys.stderr.write(f"worker {worker} ended with {code}; another takes its place\n")
            time.sleep(PAUSE)
            self._begin()
