"""How uvicorn serves the application: the listening socket, one process or several."""

import errno
import gc
import socket
import sys
import time
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from webapp.web.connection import BoundedProtocol
from webapp.workers import HEARTBEAT, SILENCE, Lifeline, Supervisor

# Seconds that a connection without a request stays open. A proxy has to be the one that closes it:
# a request that it sends while we do is lost, and its visitor told 502. Proxies keep connections
# for 60 seconds (nginx from 1.29.7), 90 (Heroku's router, Traefik) or 120 (Caddy).
KEEP_ALIVE = 130
OPTIONS: dict[str, Any] = {
    "loop": "uvloop",
    "http": BoundedProtocol,
    "timeout_keep_alive": KEEP_ALIVE,
    "ws": "none",
    "lifespan": "on",
    "access_log": False,  # our own is without personal data
    "log_config": None,
    "proxy_headers": False,  # we count the proxies ourselves
    "server_header": False,
}
EVERY_ADDRESS = ""
BACKLOG = 2048  # connections that wait to be accepted
FREED_WITHIN = 2.0  # seconds in which the workers of a supervisor that was killed leave the port


def listen(port: int, host: str = EVERY_ADDRESS) -> socket.socket:
    """A socket that listens at ``port``, by IPv6 as well as IPv4 unless ``host`` is of one of them.

    Ends the process with a line, before anything else is said, where the port cannot be had.
    """
    deadline = time.monotonic() + FREED_WITHIN
    while True:
        try:
            return _bound(port, host)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                sys.exit(f"PORT: cannot listen at {port}: {_reason(error)}")
        time.sleep(0.1)


def _bound(port: int, host: str) -> socket.socket:
    dual = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual or ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program does. Stop it, or set PORT to another number"
    return error.strerror or str(error)


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve from this process, for development, until SIGTERM or SIGINT."""
    config = uvicorn.Config(app, **OPTIONS, timeout_graceful_shutdown=5)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run([listener])


def serve_by_workers(
    app: ASGIApp, listener: socket.socket, count: int, *, silence: float = SILENCE
) -> None:
    """Serve from ``count`` worker processes, until SIGTERM or SIGINT.

    They are forked from this one, which has imported everything, and share that memory with it.
    A worker whose event loop stands still for ``silence`` seconds is replaced.
    """
    config = uvicorn.Config(
        app,
        **OPTIONS,
        timeout_graceful_shutdown=25,  # a platform kills after 30 seconds
        timeout_notify=HEARTBEAT,
    )
    config.load()
    gc.collect()
    gc.freeze()  # a collection would write to the objects that are there, and so copy their memory
    Supervisor(listener, count, partial(_work, config, listener), silence=silence).run()


def _work(config: uvicorn.Config, listener: socket.socket, lifeline: Lifeline) -> None:
    config.callback_notify = lifeline.beat
    uvicorn.Server(config).run([listener])
