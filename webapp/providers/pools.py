"""The HTTP client under every vendor, made for hundreds of calls at once."""

import logging
from collections.abc import AsyncIterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import cast

import httpx

LONGEST = 20.0  # seconds of one call: a platform's router gives up on the page at 30
POOLS = 32
KEPT_ALIVE = 4  # idle connections kept by each pool
KEEP_ALIVE = 15.0  # seconds; short, so that a vendor seldom hangs up just as we ask again


def http_client(
    timeout: float = 10.0, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """The client that every vendor shares; ``aclose()`` it when the process ends.

    ``timeout`` is the seconds one call may take, repeats included, at most ``LONGEST``;
    ``transport`` puts something else under the client, as tests and the sandbox do.
    """
    for name in ("httpx", "httpcore"):  # they log URLs and headers, where codes and keys are
        logging.getLogger(name).setLevel(logging.WARNING)
    timeout = min(timeout, LONGEST)
    return httpx.AsyncClient(
        # Connecting gets a third, so that a vendor who cannot be reached can be tried again.
        timeout=httpx.Timeout(timeout, connect=timeout * 0.3, pool=timeout * 0.3),
        transport=transport or Pools(),
        follow_redirects=False,
        # A cookie set on one person's call must not go out with another's.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept-Encoding": "identity"},  # answers are short, and none is a zip bomb
    )


class Pools(httpx.AsyncBaseTransport):
    """Several small connection pools in place of a large one.

    httpcore looks at every connection of a pool, and for each idle one at all of them again,
    whenever a call begins or ends: 500 calls at once through one pool cost 2-25 ms of CPU each,
    through 32 pools 1 ms.
    """

    def __init__(self, pools: int = POOLS) -> None:
        tls = httpx.create_ssl_context(trust_env=False)  # one for all: each costs 20 ms
        limits = httpx.Limits(
            max_connections=None,  # Vendor bounds the calls
            max_keepalive_connections=KEPT_ALIVE,
            keepalive_expiry=KEEP_ALIVE,
        )
        self._pools = [httpx.AsyncHTTPTransport(verify=tls, limits=limits) for _ in range(pools)]
        self._calls = [0] * pools

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
        for pool in self._pools:
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
