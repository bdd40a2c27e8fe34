"""Structured logs: one line a request, and no phone number, email, code or password in any."""

import logging
import re
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import TextIO

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.types import Processor

from webapp.web.redaction import fingerprint, key_fingerprints, redact, scrub

log = structlog.get_logger()

QUIET = ("aiosqlite", "asyncpg", "httpcore", "httpx", "tortoise", "twilio", "uvicorn.access")
REQUEST_ID = re.compile(rb"[A-Za-z0-9-]{8,64}")
CLIENT_LEFT = 499  # nginx's status for a client that closed the connection before a response

PLAIN_500 = PlainTextResponse("Something went wrong on our side. Please try again.", 500)


def configure(format: str = "json", *, secret: str = "", stream: TextIO | None = None) -> None:  # noqa: A002
    """Send structlog's and the standard library's logs through one pipeline to ``stream``.

    ``format`` is ``json`` or ``console``. ``secret`` keys the fingerprints, so that all processes
    of a site make the same ones. ``stream`` is standard output by default.
    """
    if secret:
        key_fingerprints(secret)
    stream = stream or sys.stdout
    lines = LineHandler(stream)
    begin: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.add_log_level,
    ]
    end: list[Processor] = [structlog.processors.format_exc_info, redact, _renderer(format, stream)]
    structlog.configure(
        processors=[*begin, *end],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_name: lines,
    )
    _configure_standard_library(begin, end, lines)


def _renderer(format: str, stream: TextIO) -> Processor:  # noqa: A002
    if format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(),
        # The other formatters print the values of variables.
        exception_formatter=structlog.dev.plain_traceback,
    )


def _configure_standard_library(
    begin: list[Processor], end: list[Processor], lines: "LineHandler"
) -> None:
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, LineHandler):
            root.removeHandler(handler)
    named = [*begin, structlog.stdlib.add_logger_name]
    bare = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=named, processors=[bare, *end])
    )
    root.addHandler(lines)
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # may have handlers of their own
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in QUIET:  # below WARNING they log URLs, statements and parameters
        logging.getLogger(name).setLevel(logging.WARNING)


class LineHandler(logging.Handler):
    """Writes the log lines of structlog and of the standard library.

    Errors of writing (a full disk, a closed pipe) are ignored, so that no request fails for them.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream

    def msg(self, line: str) -> None:
        """Write a formatted line."""
        with suppress(OSError, ValueError):
            self.stream.write(f"{line}\n")
            self.stream.flush()

    debug = info = warning = error = critical = msg

    def emit(self, record: logging.LogRecord) -> None:
        """Format and write a record of the standard library."""
        self.msg(self.format(record))


class RequestLog:
    """Gives every request an id and a log line, and handles exceptions that nothing else handled.

    The id is in ``scope["request_id"]``, in every line logged meanwhile, and in the response's
    ``X-Request-ID``. ``scope["networks"]`` says who asks, see ``client_networks``: found out once,
    before anything of the body is read. An exception that nothing else has handled is logged and
    answered with the error page, or in plain words where even that fails.
    """

    def __init__(
        self,
        app: ASGIApp,
        on_error: Callable[[int], ASGIApp],
        client: Callable[[Scope], tuple[str, ...]],
        secret_below: Sequence[str] = (),
    ) -> None:
        """``on_error``: given 500, the app that answers with it.

        ``client``: tells who asks. The log has the fingerprint of the narrowest network.

        ``secret_below``: the log has no more of a path that begins so, since a token follows.
        """
        self.app, self.on_error, self.client = app, on_error, client
        self.secret_below = secret_below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, answer = perf_counter(), _ResponseTap(send, _request_id(scope))
        scope["request_id"], scope["networks"] = answer.request_id.decode(), self.client(scope)
        with structlog.contextvars.bound_contextvars(request_id=scope["request_id"]):
            try:
                await self.app(scope, receive, answer.send)
            except Exception:
                log.exception("unhandled exception")
                if answer.status:  # the response has begun: only the server can abort it
                    raise
                await self._send_error_page(scope, receive, answer)
            finally:
                self._log_request(scope, answer.status or CLIENT_LEFT, perf_counter() - began)

    async def _send_error_page(
        self, scope: Scope, receive: Receive, answer: "_ResponseTap"
    ) -> None:
        try:
            await self.on_error(500)(scope, receive, answer.send)
        except Exception:
            log.exception("the error page failed")
            if answer.status:
                raise
            await PLAIN_500(scope, receive, answer.send)

    def _log_request(self, scope: Scope, status: int, seconds: float) -> None:
        log.info(
            "request",
            method=scope["method"],
            path=self._path(scope["path"]),  # no query: strangers and other sites' links fill it
            status=status,
            ms=round(seconds * 1000, 1),
            client=fingerprint(scope["networks"][0]),
        )

    def _path(self, path: str) -> str:
        found = next((start for start in self.secret_below if path.startswith(start)), None)
        return f"{found}[token]" if found else path


class _ResponseTap:
    """Wraps ``send`` for one request: adds the request id, remembers the status."""

    __slots__ = ("_send", "request_id", "status")

    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send, self.request_id, self.status = send, request_id, 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self.request_id)]
            message = {**message, "headers": headers}
        await self._send(message)


def _request_id(scope: Scope) -> bytes:
    """The proxy's ``X-Request-ID``, or a new one where that has another form or personal data."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return value if scrub(value.decode()) == value.decode() else _new_id()
    return _new_id()


def _new_id() -> bytes:
    return secrets.token_hex(8).encode()
