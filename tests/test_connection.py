"""Our server and what a stranger may do with a connection to it, by raw bytes."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from webapp.server import OPTIONS, listen
from webapp.web.connection import BoundedProtocol

PATIENCE = 0.5  # seconds that our server waits for a request here
WELL_BEYOND = 4 * PATIENCE


class Impatient(BoundedProtocol):
    head_within = PATIENCE


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what was understood of the request, its headers as they are after its body."""
    request = Request(scope, receive)
    body = await request.body()
    told = {"path": request.url.path, "body": body.decode(), "headers": dict(request.headers)}
    await JSONResponse(told)(scope, receive, send)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where our server serves ``tell``."""
    assert issubclass(Impatient, OPTIONS["http"])
    options = OPTIONS | {"http": Impatient, "lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(tell, **options))
    with listen(0, "127.0.0.1") as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def stranger(port: int) -> Iterator[socket.socket]:
    """A connection to it."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        yield connection


def answer(connection: socket.socket) -> dict[str, object]:
    """What the server tells of one request."""
    with closing(connection.makefile("rb")) as lines:
        status = lines.readline()
        assert b" 200 " in status, status
        headers = dict(line.split(b": ", 1) for line in iter(lines.readline, b"\r\n"))
        told: dict[str, object] = json.loads(lines.read(int(headers[b"content-length"])))
        return told


def ends(connection: socket.socket) -> tuple[bytes, float]:
    """What is left to read until the server ends the connection, and the seconds until then."""
    began, rest = time.monotonic(), b""
    with suppress(ConnectionError):
        while read := connection.recv(65_536):
            rest += read
    return rest, time.monotonic() - began


CHUNKED = (
    b"POST /signup HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-For: 192.0.2.1\r\n"
    b"Transfer-Encoding: chunked\r\nTrailer: X-Forwarded-For\r\n\r\n4\r\nbody\r\n"
)
TRAILERS = b"0\r\nX-Forwarded-For: 198.51.100.1\r\nSec-Fetch-Site: same-origin\r\n\r\n"


@pytest.mark.parametrize("pause", [0.0, 0.1], ids=["at once", "later"])
def test_the_trailers_of_a_body_are_no_headers(stranger: socket.socket, pause: float) -> None:
    if pause:
        stranger.sendall(CHUNKED)
        time.sleep(pause)
        stranger.sendall(TRAILERS)
    else:
        stranger.sendall(CHUNKED + TRAILERS)
    told = answer(stranger)
    assert told["body"] == "body"
    assert told["headers"] == {
        "host": "example.com",
        "x-forwarded-for": "192.0.2.1",
        "transfer-encoding": "chunked",
        "trailer": "X-Forwarded-For",
    }


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_a_request_that_asks_for_another_protocol_keeps_its_body(
    stranger: socket.socket, protocol: bytes
) -> None:
    body = b"GET /smuggled HTTP/1.1\r\nHost: example.com\r\n\r\n"
    stranger.sendall(
        b"POST /signup HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
        b"Upgrade: %s\r\nContent-Length: %d\r\n\r\n%s" % (protocol, len(body), body)
    )
    assert (told := answer(stranger))["body"] == body.decode()
    stranger.sendall(b"GET /next HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert [told["path"], answer(stranger)["path"]] == ["/signup", "/next"]


def test_a_body_of_two_lengths_is_refused(stranger: socket.socket) -> None:
    stranger.sendall(
        b"POST /signup HTTP/1.1\r\nHost: example.com\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    rest, _ = ends(stranger)
    assert rest.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "piece",
    [b"X-Long: " + b"x" * 1000 + b"\r\n", b"x" * 1000],
    ids=["many headers", "one header"],
)
def test_a_head_without_end_is_refused(stranger: socket.socket, piece: bytes) -> None:
    stranger.sendall(b"GET / HTTP/1.1\r\nHost: example.com\r\nX-Begin: x")
    sent = 0
    with suppress(ConnectionError):
        while sent < 10_000_000:
            sent += stranger.send(piece)
    assert sent < 10_000_000


@pytest.mark.parametrize(
    "beginning", [b"", b"GET / HTTP/1.1\r\nHost: exam"], ids=["nothing", "half a head"]
)
def test_a_connection_on_which_no_request_comes_is_broken_off(
    stranger: socket.socket, beginning: bytes
) -> None:
    stranger.sendall(beginning)
    rest, after = ends(stranger)
    assert (rest, after < WELL_BEYOND) == (b"", True)


def test_bytes_that_trickle_in_do_not_keep_a_connection(stranger: socket.socket) -> None:
    stranger.sendall(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\nGET")
    assert answer(stranger)["path"] == "/"
    began = time.monotonic()
    with suppress(ConnectionError):
        while time.monotonic() - began < WELL_BEYOND:
            stranger.sendall(b" ")
            time.sleep(PATIENCE / 10)
    assert time.monotonic() - began < WELL_BEYOND


def test_a_connection_is_kept_for_the_next_request_longer_than_a_request_may_take_to_come(
    stranger: socket.socket,
) -> None:
    for pause in (2 * PATIENCE, 0):
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert answer(stranger)["path"] == "/"
        time.sleep(pause)


def test_a_connection_is_kept_longer_than_any_common_proxy_keeps_it() -> None:
    """It must be the proxy that closes it: a request that crosses our closing is lost."""
    idle = {"nginx": 60, "Heroku's router": 90, "Traefik": 90, "Caddy": 120}
    config = uvicorn.Config(tell, **OPTIONS)
    assert config.timeout_keep_alive > max(idle.values())


def test_a_request_that_takes_long_is_not_broken_off(stranger: socket.socket) -> None:
    stranger.sendall(b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 4\r\n\r\nbo")
    time.sleep(2 * PATIENCE)
    stranger.sendall(b"dy")
    assert answer(stranger)["body"] == "body"
