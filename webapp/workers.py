"""The supervisor: forks the processes that serve, and replaces each that dies or hangs.

It replaces uvicorn's own supervisor (0.54), which does worse here: its workers outlive a supervisor
that was killed and keep the port, it restarts workers for ever where a setting is faulty, and they
share no memory since each imports everything anew.
"""

import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import structlog

log = structlog.get_logger(__name__)

HEARTBEAT = 1  # seconds between two signs of life of a worker's event loop
SILENCE = 30.0  # seconds without one after which a worker is killed; gunicorn's default
PAUSE = 1.0  # seconds before a replacement: a worker that cannot live must not cost a whole core
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

Serve = Callable[["Lifeline"], None]
"""What a worker does; it has to call ``Lifeline.beat`` every ``HEARTBEAT`` while it is well."""


class Lifeline:
    """A worker's end of the connection to its supervisor."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        channel.setblocking(True)
        threading.Thread(target=self._end_with_supervisor, daemon=True).start()

    async def beat(self) -> None:
        """Tell the supervisor that the event loop runs. The first beat says: ready."""
        with suppress(OSError):  # a supervisor that does not read, or is gone
            self.channel.send(b".", socket.MSG_DONTWAIT)

    def _end_with_supervisor(self) -> None:
        """Stop as by SIGTERM when the supervisor is gone, however it ended: the port gets free."""
        with suppress(OSError):  # "connection reset", where it left beats unread
            self.channel.recv(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SILENCE)
        os.kill(os.getpid(), signal.SIGKILL)  # where the event loop hangs


@dataclass
class Worker:
    """A running worker, as its supervisor sees it."""

    pid: int
    heard_at: float  # of the monotonic clock


class Supervisor:
    """Keeps ``count`` workers at one listener.

    They share it, so that visitors come to whichever worker accepts: one that hangs takes nobody
    with it but those it was serving.
    """

    def __init__(
        self, listener: socket.socket, count: int, serve: Serve, *, silence: float = SILENCE
    ) -> None:
        self.listener, self.count, self.serve, self.silence = listener, count, serve, silence
        self.workers: dict[socket.socket, Worker] = {}  # by their channel
        self.was_ready = self.stopping = False
        self.looked_at = self.spawn_at = time.monotonic()
        self.signals, self.wakeup = socket.socketpair()
        self.wakeup.setblocking(False)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, which finish the requests in flight.

        Raises ``SystemExit`` if the first worker ends before it is ready: others would do the same.
        """
        signal.set_wakeup_fd(self.wakeup.fileno())
        for number in STOP_SIGNALS:
            signal.signal(number, _woken)
        self._spawn()
        while self.workers or not self.stopping:
            self._listen()
            self._kill_silent()
            if not self.stopping:
                self._fill()

    def _fill(self) -> None:
        """Start the workers that are missing; only one before it is known that they can start."""
        wanted = self.count if self.was_ready else 1
        while len(self.workers) < wanted and time.monotonic() >= self.spawn_at:
            self._spawn()

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        # A worker must not take a signal for its supervisor, nor we miss it in the list of workers.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        pid = os.fork()
        if not pid:
            ours.close()
            self._become_worker(theirs)
        theirs.close()
        self.workers[ours] = Worker(pid, time.monotonic())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _become_worker(self, channel: socket.socket) -> NoReturn:
        signal.set_wakeup_fd(-1)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for other in self.workers:  # or the others could not see the supervisor end
            other.close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        self.serve(Lifeline(channel))
        sys.exit(0)

    def _listen(self) -> None:
        """Wait up to a heartbeat for signals, signs of life, and ends of workers."""
        readable, _, _ = select.select([self.signals, *self.workers], [], [], HEARTBEAT)
        for source in readable:
            if not source.recv(64):
                source.close()
                self._reap(self.workers.pop(source))
            elif source is self.signals:
                self._stop()
            else:
                self.workers[source].heard_at = time.monotonic()
                self.was_ready = True

    def _stop(self) -> None:
        """Stop listening, and let the workers finish."""
        self.stopping = True
        self.listener.close()  # else the kernel would accept connections that nobody answers
        for worker in self.workers.values():
            os.kill(worker.pid, signal.SIGTERM)

    def _reap(self, worker: Worker) -> None:
        _, status = os.waitpid(worker.pid, 0)
        if self.stopping:
            return
        code = os.waitstatus_to_exitcode(status)
        if not self.was_ready:
            sys.exit(max(code, 1))
        log.error("worker_ended", worker=worker.pid, status=code)
        self.spawn_at = time.monotonic() + PAUSE

    def _kill_silent(self) -> None:
        """Kill the workers whose event loop stands still; they are replaced as if they had died."""
        now = time.monotonic()
        if now - self.looked_at > 2 * HEARTBEAT:  # we stood still ourselves, and they with us
            for worker in self.workers.values():
                worker.heard_at = now
        self.looked_at = now
        for worker in self.workers.values():
            if now - worker.heard_at > self.silence:
                log.error("worker_hangs", worker=worker.pid, seconds=self.silence)
                worker.heard_at = now
                os.kill(worker.pid, signal.SIGKILL)


def _woken(*_: object) -> None:
    """Nothing: the signal's number is in the socket that ``set_wakeup_fd`` names."""
