"""The HTTP client under every vendor, made for hundreds of calls at once."""

import itertools
import logging
from collections import defaultdict
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from webapp.providers.lines import Line

LONGEST = 20.0  # seconds of one call: a platform's router gives up on the page at 30
KEPT_ALIVE = 100  # idle connections to one vendor
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
    """Connections that are kept for the next call, by origin."""

    def __init__(self) -> None:
        self._tls = httpx.create_ssl_context(trust_env=False)
        self._free: defaultdict[tuple[str, str, int | None], list[Line]] = defaultdict(list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer. Raises httpx's ``TransportError``."""
        timeouts, url = request.extensions["timeout"], request.url
        await request.aread()
        free = self._free[url.scheme, url.host, url.port]
        line = self._kept(free) or await Line.open(url, self._tls, timeouts["connect"])
        response = await line.exchange(request, timeouts["read"])
        if line.is_open and len(free) < KEPT_ALIVE:
            line.free_since = line.loop.time()
            free.append(line)
        else:
            line.close()
        return response

    def _kept(self, free: list[Line]) -> Line | None:
        """The connection used last, if it is fresh enough that the vendor will not just hang up."""
        while free:
            line = free.pop()
            if line.is_open and line.loop.time() - line.free_since < KEEP_ALIVE:
                return line
            line.close()
        return None

    async def aclose(self) -> None:
        """Close every connection that is free; the others close as their calls end."""
        for line in itertools.chain(*self._free.values()):
            line.close()
        self._free.clear()
