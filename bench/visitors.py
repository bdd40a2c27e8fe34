"""Visitors with browsers, and the ways in which they come."""

import asyncio
import html
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import aiohttp

from bench.vendor import Vendor

numbers = count(4_152_000_000)
PROBES = 10  # a second
PATIENCE = aiohttp.ClientTimeout(total=120)


class NotServed(Exception):
    """An answer that a visitor could not go on from."""


@dataclass
class Crowd:
    """Visitors of one site, and how it went for them."""

    url: str
    vendor: Vendor
    done: int = 0
    failures: list[str] = field(default_factory=list)
    sign_ups: list[float] = field(default_factory=list)  # seconds until the code is asked for
    probes: list[float] = field(default_factory=list)  # seconds until the page is there

    def browser(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            self.url,
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # which takes them from 127.0.0.1 too
            headers={"Origin": self.url, "Accept-Language": "en-US", "Accept-Encoding": "gzip"},
            timeout=PATIENCE,
        )

    async def journey(self) -> None:
        """One visitor's, from the empty form to the page that says verified."""
        number = f"+1{next(numbers)}"
        try:
            async with self.browser() as browser:
                page = await self.get(browser, "/signup", 'data-step="signup"')
                began = time.perf_counter()
                answers = _answers(number, page)
                await self.post(browser, "/signup", answers, 'data-step="verification"')
                self.sign_ups.append(time.perf_counter() - began)
                code = {"code": await self.vendor.code(number)}
                await self.post(browser, "/verification", code, 'data-verified="true"')
        except (NotServed, aiohttp.ClientError, TimeoutError) as failure:
            self.failures.append(str(failure) or type(failure).__name__)
        else:
            self.done += 1

    async def get(self, browser: aiohttp.ClientSession, path: str, sign: str) -> str:
        async with browser.get(path) as answer:
            page = await answer.text()
        if answer.status != 200 or sign not in page:
            raise NotServed(f"{answer.status} for {path}")
        return page

    async def post(
        self, browser: aiohttp.ClientSession, path: str, form: dict[str, str], sign: str
    ) -> str:
        async with browser.post(path, data=form) as answer:
            page = await answer.text()
        if answer.status != 200 or sign not in page:
            raise NotServed(f"{answer.status} after {path}")
        return page

    async def come_and_go(self, visitors: int, until: Callable[[], bool]) -> None:
        """So many at all times, each of whom makes one journey after the other."""

        async def visitor() -> None:
            while not until():
                await self.journey()

        await asyncio.gather(*(visitor() for _ in range(visitors)))

    async def come_at_once(self, visitors: int) -> float:
        """So many in one moment, while others look at the page: seconds until all are done."""
        began = time.perf_counter()
        probing = asyncio.create_task(self._probe())
        await asyncio.gather(*(self.journey() for _ in range(visitors)))
        probing.cancel()
        return time.perf_counter() - began

    async def _probe(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._look())
                await asyncio.sleep(1 / PROBES)

    async def _look(self) -> None:
        began = time.perf_counter()
        try:
            async with self.browser() as browser:
                await self.get(browser, "/signup", 'data-step="signup"')
        except (NotServed, aiohttp.ClientError, TimeoutError) as failure:
            self.failures.append(f"probe: {failure}")
        self.probes.append(time.perf_counter() - began)


def _answers(number: str, page: str) -> dict[str, str]:
    key = re.search(r'name="key" value="([^"]*)"', page)
    return {
        "name": "Ada Lovelace",
        "email": f"ada{number[2:]}@example.com",
        "country": "US",
        "phone": number,
        "password": "violet tugboat harmonica 41",
        "key": html.unescape(key[1]) if key else "",
    }


async def requests_per_second(url: str, seconds: float, visitors: int = 32) -> float:
    """GETs, a connection for each, as new visitors make them."""
    deadline, total = time.perf_counter() + seconds, 0
    connector = aiohttp.TCPConnector(force_close=True, limit=visitors)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def visitor() -> int:
            done = 0
            while time.perf_counter() < deadline:
                async with session.get(url) as answer:
                    await answer.read()
                answer.raise_for_status()
                done += 1
            return done

        total = sum(await asyncio.gather(*(visitor() for _ in range(visitors))))
    return total / seconds
