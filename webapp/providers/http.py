"""HTTP to vendors: hundreds of calls at once over small pools of connections."""

import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from typing import Any, cast

import httpx

LONGEST = 20.0  # seconds of one call; platforms' routers give up on our page at 30
LARGEST_ANSWER = 1 << 20  # bytes; a list of 50 texts, the longest we ask for, is a tenth of it
POOLS = 32
KEPT_ALIVE = 4  # idle connections kept by each pool
KEEP_ALIVE = 15.0  # seconds; short, so that a vendor seldom closes a connection as we reuse it
HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # answers are short, and cannot be zip bombs
    "User-Agent": "signup",
}


class AnswerTooLong(httpx.StreamError):
    """The answer exceeds ``LARGEST_ANSWER``."""


class HttpTransport:
    """Sends requests over an httpx transport, without httpx's client.

    So a call follows no redirect, keeps no cookie and reads no proxy from the environment.
    """

    def __init__(
        self, timeout: float = 10.0, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """``timeout`` is the seconds that one call may take, retries included, up to ``LONGEST``.

        ``transport`` replaces the network, for tests and the sandbox.
        """
        for name in ("httpx", "httpcore"):  # they log URLs and headers, which hold codes and keys
            logging.getLogger(name).setLevel(logging.WARNING)
        self.timeout = min(timeout, LONGEST)
        # Connecting gets a third, so that time is left to try an unreachable vendor again.
        self.connect_timeout = self.timeout * 0.3
        self._transport = transport or Pools()
        limits = httpx.Timeout(
            self.timeout, connect=self.connect_timeout, pool=self.connect_timeout
        )
        self._extensions = {"timeout": limits.as_dict()}

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> httpx.Request:
        """A request that can be sent more than once. Raises ``httpx.InvalidURL``."""
        whole = httpx.Headers({**HEADERS, **(headers or {})})
        if auth:
            whole["Authorization"] = f"Basic {b64encode(':'.join(auth).encode()).decode()}"
        return httpx.Request(
            method,
            url,
            params=params or None,
            data=data,
            content=content,
            headers=whole,
            extensions=dict(self._extensions),
        )

    async def send(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        """The answer's status, headers and body. Raises ``httpx.HTTPError``, ``AnswerTooLong``."""
        response = await self._transport.handle_async_request(request)
        body = cast(httpx.AsyncByteStream, response.stream)
        content = bytearray()
        try:
            async for chunk in body:
                content += chunk
                if len(content) > LARGEST_ANSWER:
                    raise AnswerTooLong(f"over {LARGEST_ANSWER} bytes")
        finally:
            await body.aclose()
        return response.status_code, response.headers, bytes(content)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


class Pools(httpx.AsyncBaseTransport):
    """Several small connection pools instead of a large one.

    Whenever a call begins or ends, httpcore searches the whole pool, and once more for each idle
    connection. So 500 calls at once cost 2-25 ms of CPU each in one pool, and 1 ms in 32 pools.
    """

    def __init__(self, pools: int = POOLS) -> None:
        self._calls = [0] * pools

    @cached_property
    def _pools(self) -> list[httpx.AsyncHTTPTransport]:
        """Made at the first call, because loading the trusted certificates costs 20 ms and 2 MB."""
        tls = httpx.create_ssl_context(trust_env=False)
        limits = httpx.Limits(
            max_connections=None,  # VendorClient bounds the calls
            max_keepalive_connections=KEPT_ALIVE,
            keepalive_expiry=KEEP_ALIVE,
        )
        return [httpx.AsyncHTTPTransport(verify=tls, limits=limits) for _ in self._calls]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request`` through the pool with the fewest calls in flight."""
        pool = self._calls.index(min(self._calls))
        self._calls[pool] += 1
        try:
            response = await self._pools[pool].handle_async_request(request)
        except BaseException:
            self._calls[pool] -= 1
            raise
        response.stream = _Body(cast(httpx.AsyncByteStream, response.stream), self._calls, pool)
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self.__dict__.get("_pools", ()):
            await pool.aclose()


class _Body(httpx.AsyncByteStream):
    """A response body that counts as a call in flight of its pool until it is closed."""

    def __init__(self, body: httpx.AsyncByteStream, calls: list[int], pool: int) -> None:
        self._body, self._calls, self._pool = body, calls, pool

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._body.__aiter__()

    async def aclose(self) -> None:
        if self._pool >= 0:
            self._calls[self._pool] -= 1
            self._pool = -1
        await self._body.aclose()
