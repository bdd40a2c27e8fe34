"""A deployment that runs while many tests use it, and a vendor whose answers can be held back."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
from starlette.types import Message, Receive, Scope, Send

from tests.people import ADA, PASSWORD
from tests.phone import Phone
from tests.rows import Rows
from tests.servers import Deployment, Process, served
from tests.visitor import Page, Visitor
from webapp.sandbox import Sandbox, resource

PATIENCE = 60.0  # seconds in which what is waited for must come
# One address and one prefix do all the tests' signing up.
UNTHROTTLED = {
    "SIGNUPS_PER_IP": "off",
    "SIGNINS_PER_IP": "off",
    "CHECKS_PER_IP": "off",
    "RESENDS_PER_IP": "off",
    "PREFIX_BRAKE": "off",
    "ACCOUNTS_PER_PHONE": "0",
    "SENDS_PER_HOUR": "100000",
}


async def until(what: Callable[[], bool]) -> None:
    """Poll until ``what`` holds."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(what):  # noqa: ASYNC110 - it happens in a process
            await asyncio.sleep(0.02)


class Times:
    """The vendor's clock: the real time, and what the tests let pass besides."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.passed


@dataclass(frozen=True)
class Call:
    """One call to the vendor, in the order of their coming."""

    method: str
    resource: str
    fields: dict[str, str]


@dataclass
class Hold:
    """The next call of ``resource``, kept from its caller until ``let_go``.

    ``acted`` says whether the vendor does what is asked before it is held, or after, or never.
    """

    resource: str
    acted: str = "before"
    fields: dict[str, str] = field(default_factory=dict)
    _held: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    async def reached(self) -> None:
        """Once the call is there."""
        await until(self._held.is_set)

    def let_go(self) -> None:
        self._over.set()

    async def wait(self) -> None:
        self._held.set()
        deadline = time.monotonic() + 2 * PATIENCE
        while not self._over.is_set() and time.monotonic() < deadline:  # noqa: ASYNC110 - a thread
            await asyncio.sleep(0.01)

    def meant(self, call: Call) -> bool:
        """Whether it is this call that is to be held."""
        return call.resource == self.resource and self.fields.items() <= call.fields.items()


class Vendor:
    """The sandbox behind a wire on which calls are seen and held.

    The whole of a call is read before it is held, as on a real wire: the vendor may have it
    although its caller is gone.
    """

    def __init__(self) -> None:
        self.clock = Times()
        self.sandbox = Sandbox(self.clock, kept=5000)
        self.calls: list[Call] = []
        self.holds: list[Hold] = []

    def count(self, resource: str) -> int:
        """How many calls of ``resource`` there were."""
        return Counter(call.resource for call in list(self.calls))[resource]

    def hold(self, resource: str, *, acted: str = "before", **fields: str) -> Hold:
        """Hold the next call of ``resource`` with these ``fields``."""
        hold = Hold(resource, acted, fields)
        self.holds.append(hold)
        return hold

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/sandbox/"):
            await self.sandbox.vendor_app(scope, receive, send)
            return
        body = await _whole(receive)
        call = _call(scope, body)
        self.calls.append(call)
        hold = next((hold for hold in self.holds if hold.meant(call)), None)
        if hold is None:
            await self.sandbox.vendor_app(scope, _again(body), send)
            return
        self.holds.remove(hold)
        await self._held(hold, scope, body, send)

    async def _held(self, hold: Hold, scope: Scope, body: bytes, send: Send) -> None:
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        if hold.acted == "before":
            await self.sandbox.vendor_app(scope, _again(body), keep)
        await hold.wait()
        if hold.acted == "after":
            await self.sandbox.vendor_app(scope, _again(body), keep)
        for message in answer or _refusal():
            await send(message)


def _call(scope: Scope, body: bytes) -> Call:
    sent = body.decode() or scope["query_string"].decode()
    return Call(scope["method"], resource(scope["path"]), dict(parse_qsl(sent)))


def _refusal() -> list[Message]:
    return [
        {"type": "http.response.start", "status": 500, "headers": []},
        {"type": "http.response.body", "body": b""},
    ]


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _again(body: bytes) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


NUMBERS = count(10_000)


@dataclass
class Person:
    """Somebody with a phone and a browser of their own."""

    visitor: Visitor
    phone: Phone
    number: str
    email: str

    @property
    def client(self) -> httpx.AsyncClient:
        return self.visitor.client

    @property
    def answers(self) -> dict[str, str]:
        """What this person types into the form."""
        return ADA | {"phone": self.number, "email": self.email, "password": PASSWORD}

    async def sign_up(self, **changes: str) -> None:
        """As far as the code step."""
        await self.visitor.visit("/signup")
        page = await self.visitor.post("/signup", self.answers | changes)
        assert (page.status, page.step) == (200, "verification"), page.text

    async def code(self) -> str:
        return await self.phone.code(self.number)

    async def texts(self) -> list[str]:
        """The words of all that reached the phone, newest first."""
        return [text.body for text in await self.phone.texts(self.number)]

    async def verify(self) -> bool:
        """Type the newest code in: whether the account is verified by it."""
        return (await self.post("/verification", {"code": await self.code()})).verified is True

    async def resend(self) -> int:
        """Ask for the code again: the answer's status."""
        return (await self.post("/verification/resend", {"channel": "sms"})).status

    async def post(self, path: str, fields: dict[str, str]) -> Page:
        """Send a form, and follow to the page it leads to."""
        return await self.visitor.post(path, fields)

    async def send(self, path: str, fields: dict[str, str]) -> httpx.Response:
        """One bare request of this browser; no redirect is followed."""
        headers = {"Sec-Fetch-Site": "same-origin"}
        return await self.client.post(path, data=fields, headers=headers)


class Site:
    """The product running against ``vendor``, for one module's tests."""

    def __init__(self, deployment: Deployment, database_url: str, vendor: Vendor) -> None:
        self.deployment, self.database_url, self.vendor = deployment, database_url, vendor
        self.rows = Rows(database_url)
        self.web: Process | None = None

    def start(self, **settings: str) -> Process:
        """The web process, on the port of the one before it if there was one."""
        port = {"PORT": self.web.url.rpartition(":")[2]} if self.web else {}
        self.web = self.deployment.web(self.database_url, **(UNTHROTTLED | port | settings))
        return self.web

    def worker(self, **settings: str) -> Process:
        return self.deployment.worker(self.database_url, **(UNTHROTTLED | settings))

    @contextlib.asynccontextmanager
    async def person(self, number: str = "", email: str = "") -> AsyncIterator[Person]:
        """Somebody new."""
        assert self.web
        mine = next(NUMBERS)
        limits = httpx.Limits(max_connections=60)
        async with (
            httpx.AsyncClient(
                base_url=self.web.url, timeout=60, limits=limits, verify=False
            ) as client,
            httpx.AsyncClient(
                base_url=self.deployment.vendor_url, timeout=60, verify=False
            ) as phones,
        ):
            yield Person(
                Visitor(client),
                Phone(phones),
                number or f"+4474000{mine}",
                email or f"ada{mine}@example.com",
            )

    def age(self, seconds: float) -> None:
        """Let that time pass, for us and for the vendor."""
        self.rows.age(seconds)
        self.vendor.clock.passed += timedelta(seconds=seconds)


@contextlib.contextmanager
def site(directory: Path, database_url: str) -> Iterator[Site]:
    """A vendor and a deployment, in which nothing runs yet."""
    vendor = Vendor()
    with served(vendor) as url, Deployment(directory, url) as deployment:
        try:
            yield Site(deployment, database_url, vendor)
        finally:
            for hold in vendor.holds:
                hold.let_go()
