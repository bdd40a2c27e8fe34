"""Visitors with browsers, and the ways in which they come."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import count
from typing import Any

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
    refusals: list[float] = field(default_factory=list)  # seconds until it is said that it is not
    probes: list[float] = field(default_factory=list)  # seconds until the page is there

    def browser(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            self.url,
            connector=aiohttp.TCPConnector(keepalive_timeout=4),  # shorter than the server's
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # which takes them from 127.0.0.1 too
            headers={"Origin": self.url, "Accept-Language": "en-US", "Accept-Encoding": "gzip"},
            timeout=PATIENCE,
        )

    async def journey(self) -> None:
        """One visitor's, from the empty form to the page that says verified."""
        try:
            async with self.browser() as browser:
                await self.enter(browser, await self.sign_up(browser))
        except (NotServed, aiohttp.ClientError, TimeoutError) as failure:
            self.failures.append(str(failure) or type(failure).__name__)
        else:
            self.done += 1

    async def sign_up(self, browser: aiohttp.ClientSession) -> str:
        """The first half, to the page that asks for the code: the number it was sent to."""
        number = f"+1{next(numbers)}"
        await self.get(browser, "/signup", 'data-step="signup"')
        answers, began = _answers(number), time.perf_counter()
        try:
            await self.post(browser, "/signup", answers, 'data-step="verification"')
        except NotServed:
            self.refusals.append(time.perf_counter() - began)
            raise
        self.sign_ups.append(time.perf_counter() - began)
        return number

    async def enter(self, browser: aiohttp.ClientSession, number: str) -> None:
        """The second half: the code from the phone, to the page that says verified."""
        code = {"code": await self.vendor.code(number)}
        await self.post(browser, "/verification", code, 'data-verified="true"')

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

    async def come_at_a_rate(self, rate: float, seconds: float) -> None:
        """So many a second, whatever becomes of those before."""
        async with asyncio.TaskGroup() as group:
            for _ in range(int(rate * seconds)):
                group.create_task(self.journey())
                await asyncio.sleep(1 / rate)

    async def wait_at_the_code(self, people: int, visitors: int) -> list[Coroutine[Any, Any, None]]:
        """So many with a code in hand: for each of them, what enters it."""
        browsers: list[tuple[aiohttp.ClientSession, str]] = []

        async def visitor() -> None:
            while len(browsers) < people:
                browser = self.browser()
                browsers.append((browser, await self.sign_up(browser)))

        await asyncio.gather(*(visitor() for _ in range(visitors)))
        return [self._enter_and_leave(*there) for there in browsers]

    async def _enter_and_leave(self, browser: aiohttp.ClientSession, number: str) -> None:
        async with browser:
            await self.enter(browser, number)

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


def _answers(number: str) -> dict[str, str]:
    return {
        "name": "Ada Lovelace",
        "email": f"ada{number[2:]}@example.com",
        "country": "US",
        "phone": number,
        "password": "violet tugboat harmonica 41",
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
