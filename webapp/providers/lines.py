"""One HTTP/1.1 connection to a vendor: a call at a time, kept for the next."""

import asyncio
import ssl
from typing import cast

import httptools
import httpx

LARGEST = 1 << 21  # bytes of one answer with its headers; the calls we make have 5 KB
INTERIM = range(100, 200)
BODILESS = {204, 304}


class Line(asyncio.Protocol):
    """Sends a request, and reads what comes back into a response.

    httpx's own connections cost 0.3 ms of CPU a call and 20 KB while it waits. This has what
    short calls to an API need and no more: no HTTP/2, no proxies, no bodies in parts.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[httpx.Response] | None = None
        self.free_since = 0.0

    @classmethod
    async def open(cls, url: httpx.URL, tls: ssl.SSLContext, within: float | None) -> "Line":
        """Connect to the origin of ``url``. Raises ``ConnectError`` and ``ConnectTimeout``."""
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        try:
            async with asyncio.timeout(within):
                _, line = await asyncio.get_running_loop().create_connection(
                    cls, url.host, port, ssl=tls if secure else None
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except OSError as error:  # a certificate that we do not trust is one, too
            raise httpx.ConnectError(str(error)) from error
        return line

    @property
    def is_open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    async def exchange(self, request: httpx.Request, within: float | None) -> httpx.Response:
        """The answer to ``request``, whole. Raises httpx's errors; the line is closed then."""
        assert self.transport  # noqa: S101
        self.parser = httptools.HttpResponseParser(self)
        self.answer = self.loop.create_future()
        self._begin_message()
        self.received = 0
        try:
            self.transport.write(_written(request))
            async with asyncio.timeout(within):
                return await self.answer
        except TimeoutError as error:
            raise httpx.ReadTimeout("no answer in time") from error
        finally:
            if not self.answer.done() or self.answer.cancelled() or self.answer.exception():
                self.close()

    def close(self) -> None:
        if self.transport:
            self.transport.abort()

    # --- of asyncio ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.answer is None or self.answer.done():
            self.close()  # nobody asked
            return
        self.received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(str(error)))
        if self.received > LARGEST:
            self._fail(httpx.ReadError("the answer is too long"))

    def connection_lost(self, error: Exception | None) -> None:
        if error:
            self._fail(httpx.ReadError(str(error)))
        elif self._ends_with_connection():
            self._finish()
        else:
            self._fail(httpx.RemoteProtocolError("hung up before the answer was whole"))

    # --- of httptools -------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        if self.status in INTERIM:
            self._begin_message()
        else:
            self._finish()

    # --- ours ---------------------------------------------------------------------------------

    def _begin_message(self) -> None:
        self.status, self.headers, self.body = 0, list[tuple[bytes, bytes]](), bytearray()

    def _finish(self) -> None:
        if not self.answer or self.answer.done():
            return
        if not self.parser.should_keep_alive():
            self.close()
        stream = httpx.ByteStream(bytes(self.body))
        self.answer.set_result(httpx.Response(self.status, headers=self.headers, stream=stream))

    def _fail(self, error: httpx.TransportError) -> None:
        self.close()
        if self.answer and not self.answer.done():
            self.answer.set_exception(error)

    def _ends_with_connection(self) -> bool:
        measured = {b"content-length", b"transfer-encoding"}
        return (
            self.answer is not None
            and self.status not in {0, *INTERIM, *BODILESS}
            and not any(name.lower() in measured for name, _ in self.headers)
        )


def _written(request: httpx.Request) -> bytes:
    head = [request.method.encode() + b" " + request.url.raw_path + b" HTTP/1.1"]
    head += [name + b": " + value for name, value in request.headers.raw]
    if any(b"\r" in line or b"\n" in line for line in head):
        raise httpx.LocalProtocolError("a line break in a header")
    return b"\r\n".join([*head, b"", request.content])
