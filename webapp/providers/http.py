"""The HTTP under every vendor, made for hundreds of calls at once."""

import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from typing import Any, cast

import httpx

LONGEST = 20.0  # seconds of one call: a platform's router gives up on the page at 30
LARGEST_ANSWER = 1 << 20  # bytes; the longest we ask for, a list of texts, is a tenth of it
POOLS = 32
KEPT_ALIVE = 4  # idle connections kept by each pool
KEEP_ALIVE = 15.0  # seconds; short, so that a vendor seldom hangs up just as we ask again
HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # answers are short, and none is a zip bomb
    "User-Agent": "signup",
}


class AnswerTooLong(httpx.StreamError):
    """More bytes than any answer of a vendor has."""


class HttpTransport:
    """One of httpx's transports, used without its client: a call over it follows no redirect,
    keeps no cookie and asks no environment for a proxy.
    """

    def __init__(
        self, timeout: float = 10.0, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """``timeout`` is the seconds one call may take, repeats included, at most ``LONGEST``;
        ``transport`` stands in for the network, as tests and the sandbox have it.
        """
        for name in ("httpx", "httpcore"):  # they log URLs and headers, where codes and keys are
            logging.getLogger(name).setLevel(logging.WARNING)
        self.timeout = min(timeout, LONGEST)
        # Connecting gets a third, so that a vendor who cannot be reached can be tried again.
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
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> httpx.Request:
        """A request, ready to be sent more than once. Raises ``httpx.InvalidURL``."""
        whole = httpx.Headers({**HEADERS, **(headers or {})})
        if auth:
            whole["Authorization"] = f"Basic {b64encode(':'.join(auth).encode()).decode()}"
        return httpx.Request(
            method,
            url,
            params=params or None,
            data=data,
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
    """Several small connection pools in place of a large one.

    httpcore looks at every connection of a pool, and for each idle one at all of them again,
    whenever a call begins or ends: 500 calls at once through one pool cost 2-25 ms of CPU each,
    through 32 pools 1 ms.
    """

    def __init__(self, pools: int = POOLS) -> None:
        self._calls = [0] * pools

    @cached_property
    def _pools(self) -> list[httpx.AsyncHTTPTransport]:
        """Made at the first call: the authorities that we trust take 20 ms and 2 MB to read."""
        tls = httpx.create_ssl_context(trust_env=False)
        limits = httpx.Limits(
            max_connections=None,  # VendorClient bounds the calls
            max_keepalive_connections=KEPT_ALIVE,
            keepalive_expiry=KEEP_ALIVE,
        )
        return [httpx.AsyncHTTPTransport(verify=tls, limits=limits) for _ in self._calls]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, by the pool with the fewest calls in flight."""
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
    """An answer's body, which gives its place in the pool back once it is closed."""

    def __init__(self, body: httpx.AsyncByteStream, calls: list[int], pool: int) -> None:
        self._body, self._calls, self._pool = body, calls, pool

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._body.__aiter__()

    async def aclose(self) -> None:
        if self._pool >= 0:
            self._calls[self._pool] -= 1
            self._pool = -1
        await self._body.aclose()
