"""The log of a whole run, good days and bad: what it tells the operator, and what it never does."""

import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.conftest import Clock, light, prepared
from tests.people import ADA, NUMBER, OTHER_NUMBER, PASSWORD, sign_up, verify, wrong
from tests.phone import Phone
from tests.servers import PRODUCTION, Deployment, Process
from tests.visitor import Visitor
from webapp.app import create_app
from webapp.sandbox import Sandbox
from webapp.settings import Settings
from webapp.web import log as logs

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
FAULTS = (
    "timeout",
    "dropped",
    "refused",
    "500",
    "html",
    "garbage",
    "shape",
    "429",
    "60200",
    "60205",
)
TOLD = {
    "signed_up", "code_sent", "code_not_sent", "code_wrong", "code_not_checked", "phone_changed",
    "verified", "email_taken", "text_sent", "prefix_braked", "provider call",
    "provider call failed", "unhandled exception", "database_error", "request",
}  # fmt: skip


@pytest.fixture
def log() -> io.StringIO:
    """What the application logs, from its start on."""
    return io.StringIO()


@pytest.fixture
def log_format() -> str:
    return "json"


@pytest.fixture
async def app(
    settings: Settings, clock: Clock, log: io.StringIO, log_format: str
) -> AsyncIterator[Starlette]:
    application = prepared(create_app(settings, light(clock)))
    application.routes.extend([Route("/breaks", breaks), Route("/away", away)])
    logs.configure(log_format, secret=settings.secret_key, stream=log)
    async with application.router.lifespan_context(application):
        yield application


async def breaks(request: Request) -> Response:
    raise RuntimeError(f"row ({ADA['email']}, {NUMBER}) with {request.headers['cookie']}")


async def away(_: Request) -> Response:
    raise ConnectionError(f"postgres://app:{PASSWORD}@db.example failed for {ADA['email']}")


class Run:
    """Somebody goes through everything that there is, and remembers what nobody else may know."""

    def __init__(self, visitor: Visitor, phone: Phone, clock: Clock, sandbox: Sandbox) -> None:
        self.visitor, self.phone, self.clock, self.sandbox = visitor, phone, clock, sandbox
        self.client = visitor.client
        self.secrets = {PASSWORD, "secret hint", *ADA["email"].split("\n")}

    async def everything(self) -> None:
        await self.a_bad_start()
        await self.a_way_round()
        await self.the_end()
        await self.too_many_and_taken()
        await self.errors()

    async def a_bad_start(self) -> None:
        await sign_up(self.visitor, phone="1", password=PASSWORD)
        await self.visitor.post("/hints/password", ADA | {"password": "secret hint"})
        for place, fault in enumerate(FAULTS):
            self.move_to(f"198.51.100.{place}")
            self.sandbox.fail(fault, 3)
            await sign_up(self.visitor)
            self.sandbox.faults.clear()
            self.client.cookies.clear()
            self.clock.advance(700)

    async def a_way_round(self) -> None:
        self.move_to("203.0.113.1")
        await sign_up(self.visitor)
        code = await self.code(NUMBER)
        await self.visitor.submit("/verification", code=wrong(code))
        self.secrets.add(wrong(code))
        for nth, fault in enumerate(FAULTS, 2):
            self.sandbox.fail(fault, 3)
            await self.visitor.post("/verification", {"code": wrong(code, nth)})
            self.sandbox.faults.clear()
        self.clock.advance(700)
        await self.visitor.post("/verification/resend", {"channel": "sms"})
        self.clock.advance(40)
        await self.visitor.post("/verification/resend", {"channel": "call"})
        await self.code(NUMBER)
        await self.visitor.visit("/verification/phone")
        await self.visitor.submit("/verification/phone", country="GB", phone="07400 123457")

    async def the_end(self) -> None:
        await self.code(OTHER_NUMBER)
        assert (await verify(self.visitor, self.phone, OTHER_NUMBER)).verified is True
        assert (await self.phone.text(OTHER_NUMBER, "verified")).channel == "sms"
        self.remember()
        await self.visitor.submit("/signout")

    async def too_many_and_taken(self) -> None:
        self.clock.advance(4000)
        await sign_up(self.visitor, email="ADA@example.com", phone="07400 123458")
        await self.code("+447400123458")
        await verify(self.visitor, self.phone, "+447400123458")
        for last in range(11):
            self.client.cookies.clear()
            self.move_to(f"192.0.2.{last // 2}")
            await sign_up(self.visitor, phone=f"+447911{123451 + last}")

    async def errors(self) -> None:
        email, number = ADA["email"], NUMBER
        for path in ("/breaks", "/away", f"/{email}", f"/{number}?email={email}", "/%0d%0aforged"):
            await self.client.get(
                path, headers={"X-Request-ID": number, "Cookie": "session=abcdef"}
            )
        ours = {"Sec-Fetch-Site": "same-origin"}
        await self.client.post("/signup", content=b"x" * 70_000, headers=ours)
        await self.client.request("TRACE", "/signup")

    def move_to(self, address: str) -> None:
        """Another address: one alone gets no further where a prefix's brake runs low."""
        self.client.headers["X-Forwarded-For"] = address

    async def code(self, number: str) -> str:
        code = await self.phone.code(number)
        self.secrets.add(code)
        self.remember()
        return code

    def remember(self) -> None:
        self.secrets |= {cookie.value for cookie in self.client.cookies.jar if cookie.value}


def personal(text: str) -> set[str]:
    """Phone numbers in ``text``, in whatever spelling: by seven of their last digits."""
    digits = re.sub(r"(?<=\d)[ ().-]{1,2}(?=\d)", "", text)
    ends = {number[-7:] for number in (NUMBER, OTHER_NUMBER, "+447400123458", "+447911123451")}
    return {end for end in ends if end in digits}


@ON_SQLITE
@pytest.mark.parametrize(
    ("provider", "log_format"),
    [("twilio", "json"), ("codes", "json"), ("authy", "json"), ("twilio", "console")],
)
@pytest.mark.environ(
    PREFIX_BRAKE="10", SIGNUPS_PER_IP="off", CHECKS_PER_IP="off", RESENDS_PER_IP="off",
    SENDS_PER_PHONE="off", TWILIO_AUTH_TOKEN="", TRUSTED_PROXY_HOPS="1",
)  # fmt: skip
async def test_the_log_of_a_run_tells_what_happened_and_nothing_of_the_person(
    visitor: Visitor,
    phone: Phone,
    clock: Clock,
    sandbox: Sandbox,
    settings: Settings,
    app: Starlette,
    log: io.StringIO,
    log_format: str,
) -> None:
    run = Run(visitor, phone, clock, sandbox)
    await run.everything()
    text = log.getvalue()
    credentials = app.state.settings
    secrets = run.secrets | {
        settings.secret_key, credentials.twilio_auth_token, credentials.authy_api_key, "Lovelace",
    }  # fmt: skip
    found = {secret for secret in secrets if secret and secret.lower() in text.lower()}
    assert not found
    assert not personal(text)
    assert "@example.com" not in text
    if log_format == "json":
        asks_a_vendor = settings.verify_provider != "codes"
        told = TOLD if asks_a_vendor else TOLD - {"code_not_checked"}
        _tells(told, list(map(json.loads, text.splitlines())))


def _tells(told: set[str], lines: list[dict[str, Any]]) -> None:
    events = {line["event"] for line in lines}
    assert events >= told, told - events
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])
        assert line["level"] in {"info", "warning", "error"}
    asked = [line for line in lines if line["event"] == "request"]
    assert all(re.fullmatch(r"[\w-]{8,64}", line["request_id"]) for line in asked)
    ids = {line["request_id"] for line in asked}
    assert len(ids) == len(asked)
    for line in lines:
        if line["event"] in {"signed_up", "code_sent", "code_wrong", "verified", "email_taken"}:
            assert line["request_id"] in ids
            assert line["user"]
    assert {line["status"] for line in asked} >= {200, 303, 404, 405, 413, 422, 429, 500, 503}


@pytest.mark.slow
@ON_SQLITE
async def test_the_log_of_a_deployment_is_json_and_tells_nothing_of_the_person(
    deployment: Deployment, database_url: str, vendor: Sandbox, far_phone: Phone
) -> None:
    web = deployment.web(database_url, PREFIX_BRAKE="off")
    async with httpx.AsyncClient(base_url=web.url, timeout=30, verify=False) as client:
        visitor = Visitor(client)
        vendor.fail("html")
        await sign_up(visitor)
        page = await sign_up(visitor)
        if page.step != "verification":
            vendor.faults.clear()
            page = await sign_up(visitor, email="ada+again@example.com")
        code = await far_phone.code(NUMBER)
        secrets = {code, wrong(code), PASSWORD, *PRODUCTION.values(), *_cookies(client)}
        await visitor.post("/verification", {"code": wrong(code)})
        page = await visitor.post("/verification", {"code": code})
        assert page.verified is True
        secrets |= _cookies(client)
        await far_phone.text(NUMBER, "verified")
        await client.get(f"/{ADA['email']}/{NUMBER}")
    text = ended(web)
    assert not {secret for secret in secrets if secret in text} - {PRODUCTION["TWILIO_NUMBER"]}
    assert not personal(text)
    assert "@example.com" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["event"] for line in lines} >= {"signed_up", "code_wrong", "verified", "text_sent"}


def ended(process: Process) -> str:
    """Its whole log."""
    process.stop()
    return process.log.read_text()


def _cookies(client: httpx.AsyncClient) -> set[str]:
    return {cookie.value for cookie in client.cookies.jar if cookie.value}
