"""A visitor's connection: bounded in time and size, and read in one way only.

uvicorn has two parsers. Of these h11 bounds the head of a request to 16 KB, leaves the trailers of
a chunked body out of the headers, and keeps the body of a request that asks for another protocol;
httptools does none of the three.
"""

from asyncio import TimerHandle, Transport
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_WITHIN = 30.0  # seconds


class Connection(h11.Connection):
    """Refuses a request whose body has two lengths: another server might believe the other one.

    RFC 9112, section 6.3, calls it a sign of request smuggling.
    """

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if names >= {b"content-length", b"transfer-encoding"}:
                raise h11.RemoteProtocolError("Content-Length beside Transfer-Encoding")
        return event


class BoundedProtocol(H11Protocol):
    """Breaks off a connection on which a whole head of a request does not come in time.

    uvicorn waits for ever for the first request, and for the rest of one that has begun. Between
    two requests its own ``timeout_keep_alive`` holds.
    """

    head_within = HEAD_WITHIN

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = Connection(h11.SERVER)
        self.patience: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if self.patience is None and self.cycle.response_complete:
            self._await_head()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def on_response_complete(self) -> None:
        self._stop_waiting()
        if self.conn.trailing_data[0]:  # the next request has begun already
            self._await_head()
        super().on_response_complete()

    def _await_head(self) -> None:
        self.patience = self.loop.call_later(self.head_within, self._give_up, self.cycle)

    def _stop_waiting(self) -> None:
        if self.patience:
            self.patience.cancel()
            self.patience = None

    def _give_up(self, last: RequestResponseCycle | None) -> None:
        """Break off, unless a request has begun since ``last``; also what is not read in time."""
        if self.cycle is last:
            self.transport.abort()
