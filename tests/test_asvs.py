"""OWASP ASVS 5.0 as it shows from outside, on the application as production configures it.

Each test names the requirements it holds; docs/security.md says how the others are met.
"""

import asyncio
import base64
import hashlib
import re
import ssl
import subprocess
import sys
import time
import unicodedata
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from structlog.testing import capture_logs
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.models import Model

from tests import postgres as pg
from tests.conftest import Clock, no_pause, prepared
from tests.people import ADA, NUMBER, OTHER_NUMBER, PASSWORD, SHOWN, sign_up, verify, wrong
from tests.phone import Phone
from tests.servers import PRODUCTION, ROOT, production_environ
from tests.site import Vendor
from tests.visitor import Visitor
from webapp.accounts.challenges.verifications import Outcome, Verification
from webapp.accounts.journeys.prove_phone import resend_code
from webapp.accounts.people import passwords
from webapp.accounts.people.sessions import Session
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import CoolingDown
from webapp.accounts.policy.usage import Usage
from webapp.accounts.purge import purge
from webapp.accounts.sending.outbox import OutboxMessage
from webapp.app import Ports, create_app, hash_threads
from webapp.database import Database
from webapp.database.config import tls
from webapp.providers import Channel
from webapp.providers.http import HttpTransport
from webapp.sandbox import Sandbox
from webapp.settings import Settings

EVERY_PROVIDER = pytest.mark.parametrize("provider", ["twilio", "codes", "authy"])

ORIGIN = "https://signup.example"
COOKIE = "__Host-session"
DAY = 86_400
OURS = {"Sec-Fetch-Site": "same-origin"}
MODELS: list[type[Model]] = [User, Verification, Session, Usage, OutboxMessage]
OWN_SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


# Production's application, with a vendor whose answers can be held back


@pytest.fixture
def database() -> str:
    """What is seen from outside is the same on PostgreSQL."""
    EXECUTOR_CACHE.clear()
    return "sqlite"


@pytest.fixture
def provider() -> str:
    return "twilio"


@pytest.fixture
def settings(database_url: str, provider: str, environ: dict[str, str]) -> Settings:
    given = {"BASE_URL": ORIGIN, "DATABASE_URL": database_url, "VERIFY_PROVIDER": provider}
    return Settings.load(PRODUCTION | given | environ)


@pytest.fixture
def wire(clock: Clock) -> Vendor:
    """The vendors, at the other end of the wire."""
    vendor = Vendor()
    vendor.sandbox = Sandbox(clock)
    return vendor


@pytest.fixture
def sandbox(wire: Vendor) -> Sandbox:
    return wire.sandbox


@pytest.fixture
async def app(settings: Settings, clock: Clock, wire: Vendor) -> AsyncIterator[Starlette]:
    application = prepared(create_app(settings, Ports(clock, no_pause, httpx.ASGITransport(wire))))
    application.routes.extend([Route("/breaks", breaks), Route("/away", away)])
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def phone(wire: Vendor) -> Phone:
    return Phone(httpx.AsyncClient(transport=httpx.ASGITransport(wire), base_url="http://vendor"))


async def breaks(_: Request) -> Response:
    raise RuntimeError(f"unforeseen, at {NUMBER} and {ADA['email']}")


async def away(_: Request) -> Response:
    raise ConnectionRefusedError("the database is away")


def token(client: httpx.AsyncClient) -> str:
    return client.cookies[COOKIE]


async def step_of(client: httpx.AsyncClient, token: str) -> str:
    """Where this token leads to."""
    client.cookies.clear()
    answer = await client.get("/", headers={"Cookie": f"{COOKIE}={token}"})
    return answer.headers["location"]


async def everything_stored() -> dict[str, list[dict[str, Any]]]:
    return {
        model.__name__: list(await model.all().order_by(model._meta.pk_attr).values())
        for model in MODELS
    }


# Headers on every answer (3.4.1, 3.4.3, 3.4.4, 3.4.5, 3.4.6, 3.4.8, 4.1.1, 14.3.2)

ANSWERS = [
    ("GET", "/", {}, b"", 303),
    ("GET", "/signup", {}, b"", 200),
    ("GET", "/signup", {"HX-Request": "true"}, b"", 200),
    ("GET", "/nowhere", {}, b"", 404),
    ("GET", "/static/nowhere.css", {}, b"", 404),
    ("GET", "/static/css/app.css", {}, b"", 200),
    ("GET", "/static/css/app.css", {"If-None-Match": "*"}, b"", 304),
    ("GET", "/healthz", {}, b"", 200),
    ("GET", "/readyz", {}, b"", 200),
    ("GET", "/signout", {}, b"", 405),
    ("TRACE", "/signup", {}, b"", 405),
    ("DELETE", "/static/css/app.css", {}, b"", 405),
    ("GET", "/signup", {"Host": "elsewhere.example"}, b"", 400),
    ("POST", "/signup", {}, b"", 403),
    ("POST", "/signup", OURS, b"", 422),
    ("POST", "/signup", OURS, b"x" * 70_000, 413),
    ("POST", "/signup", OURS | {"Content-Type": "text/plain; charset=utf-7"}, b"", 415),
    ("POST", "/signup", OURS | {"Content-Type": "multipart/form-data"}, b"", 400),
    ("GET", "/breaks", {}, b"", 500),
    ("GET", "/away", {}, b"", 503),
]

NUMBERED = enumerate(ANSWERS)


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    ANSWERS,
    ids=[
        f"{method} {path} {status} ({number})" for number, (method, path, _, _, status) in NUMBERED
    ],
)
async def test_every_answer_has_the_security_headers(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
) -> None:
    answer = await client.request(method, path, headers=headers, content=body)
    assert answer.status_code == status
    given = answer.headers
    policy = given["content-security-policy"].split("; ")
    assert {"object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert not re.search(r"unsafe|\*|https?:", given["content-security-policy"])
    assert given["x-content-type-options"] == "nosniff"
    assert given["referrer-policy"] == "same-origin"
    assert given["cross-origin-opener-policy"] == "same-origin"
    age, *rest = given["strict-transport-security"].split("; ")
    assert (int(age.removeprefix("max-age=")) >= 31_536_000, rest) == (True, ["includeSubDomains"])
    assert given["x-request-id"]
    assert "server" not in given
    if answer.content and given["content-type"].startswith("text/"):
        assert "charset=utf-8" in given["content-type"].lower()
    if not path.startswith("/static") or status != 304:
        assert given["cache-control"] in {"no-store", "no-cache"}


async def test_what_names_a_person_is_stored_nowhere_on_the_way(
    visitor: Visitor, phone: Phone
) -> None:
    """14.2.5, 14.3.2"""
    pages = [await sign_up(visitor), await visitor.visit("/verification/phone")]
    await visitor.visit("/verification")
    pages += [await verify(visitor, phone), await visitor.visit("/account")]
    assert {page.response.headers["cache-control"] for page in pages} == {"no-store"}


# TLS to visitors (12.2.1)


@pytest.mark.environ(TRUSTED_PROXY_HOPS="1")
async def test_a_visitor_by_plain_http_is_sent_on_to_https(client: httpx.AsyncClient) -> None:
    plain = {"X-Forwarded-Proto": "http"}
    for path in ("/signup", "/signin?return_to=%2Faccount%2Fphone&prompt=login"):
        answer = await client.get(path, headers=plain)
        assert (answer.status_code, answer.headers["location"]) == (308, f"{ORIGIN}{path}")
    for there in ({"X-Forwarded-Proto": "https"}, plain | {"Sec-Fetch-Site": "none"}):
        assert (await client.get("/signup", headers=there)).status_code == 200
    assert (await client.get("/healthz", headers=plain)).status_code == 200


async def test_nobody_is_sent_on_by_a_header_of_their_own(client: httpx.AsyncClient) -> None:
    answer = await client.get("/signup", headers={"X-Forwarded-Proto": "http"})
    assert answer.status_code == 200


@pytest.mark.environ(BASE_URL="https://bücher.example")
@pytest.mark.parametrize("provider", ["codes"])
async def test_a_name_in_other_letters_is_served_as_browsers_ask_for_it(
    client: httpx.AsyncClient, phone: Phone
) -> None:
    asked = {"Host": "xn--bcher-kva.example", "Origin": "https://xn--bcher-kva.example"}
    assert (await client.post("/signup", data=ADA, headers=asked)).status_code == 303
    assert "@xn--bcher-kva.example #" in (await phone.texts(NUMBER))[0].body


# The cookie (3.3.1 - 3.3.4)


async def test_the_cookie_is_bound_to_our_host_and_out_of_reach_of_scripts(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/signup", data=ADA, headers=OURS)
    [written] = answer.headers.get_list("set-cookie")
    pair, *attributes = written.split("; ")
    assert pair.startswith(f"{COOKIE}=")
    assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= set(attributes)
    assert not any(attribute.lower().startswith("domain") for attribute in attributes)


async def test_the_token_is_in_the_cookie_and_nowhere_else(
    visitor: Visitor, client: httpx.AsyncClient, phone: Phone
) -> None:
    page = await sign_up(visitor)
    secret = token(client)
    assert secret not in page.response.text
    assert not any(secret in value for value in page.response.headers.values())
    client.cookies.clear()
    for path in (f"/account?{COOKIE}={secret}", f"/account?session={secret}"):
        assert (await client.get(path)).headers["location"] == "/signup"


# Sessions (7.2.1 - 7.2.4, 7.3.1, 7.3.2, 7.4.1)


async def test_a_token_is_256_random_bits_of_which_only_the_hash_is_stored(
    visitor: Visitor, client: httpx.AsyncClient, settings: Settings
) -> None:
    await sign_up(visitor)
    secret = token(client)
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    assert [session.token_hash for session in await Session.all()] == [hashed]
    path = Path(settings.database_url.removeprefix("sqlite://"))
    stored = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    assert hashed.encode() in stored
    assert secret.encode() not in stored
    assert PASSWORD.encode() not in stored
    client.cookies.clear()
    assert await step_of(client, hashed) == "/signup", "What is stored opens nothing."


async def test_verification_gives_a_new_token_and_ends_all_the_old_ones(
    visitor: Visitor, client: httpx.AsyncClient, phone: Phone
) -> None:
    tokens = []
    for _ in range(2):
        await client.post("/signup", data=ADA, headers=OURS)
        tokens.append(token(client))
        client.cookies.clear()
    client.cookies.set(COOKIE, tokens[0], domain="signup.example")
    await visitor.visit("/verification")
    await verify(visitor, phone)
    tokens.append(token(client))
    assert len(set(tokens)) == 3
    assert [await step_of(client, each) for each in tokens] == ["/signup", "/signup", "/account"]


@pytest.mark.environ(CHECKS_PER_IP="off")
async def test_a_token_that_verification_ended_is_no_way_to_guess_the_code(
    visitor: Visitor, client: httpx.AsyncClient, phone: Phone
) -> None:
    """By it and the right code a browser gets the answer it missed; see the journeys."""
    await sign_up(visitor)
    former, code = token(client), await phone.code(NUMBER)
    await verify(visitor, phone)
    answers = []
    for guess in [code, *(wrong(code, nth) for nth in range(1, 60)), code]:
        client.cookies.clear()
        client.cookies.set(COOKIE, former, domain="signup.example")
        answers.append(await client.post("/verification", data={"code": guess}, headers=OURS))
    led = [answer.headers["location"] for answer in answers]
    assert led == ["/account", *["/signup"] * 60]


async def test_a_new_sign_up_ends_the_session_that_the_browser_had(
    client: httpx.AsyncClient,
) -> None:
    await client.post("/signup", data=ADA, headers=OURS)
    former = token(client)
    other = ADA | {"email": "other@example.com", "phone": OTHER_NUMBER}
    await client.post("/signup", data=other, headers=OURS)
    assert token(client) != former
    assert await step_of(client, former) == "/signup"


async def test_signing_out_ends_the_session_at_the_server(
    visitor: Visitor, client: httpx.AsyncClient, phone: Phone
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    secret = token(client)
    await visitor.submit("/signout")
    assert COOKIE not in client.cookies
    assert await Session.all().count() == 0
    assert await step_of(client, secret) == "/signup"


async def test_a_session_ends_after_two_weeks_of_rest(
    visitor: Visitor, client: httpx.AsyncClient, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    secret = token(client)
    clock.advance(14 * DAY)
    assert await step_of(client, secret) == "/account"
    clock.advance(14 * DAY + 1)
    assert await step_of(client, secret) == "/signup"


async def test_a_session_ends_after_ninety_days_however_busy(
    visitor: Visitor, client: httpx.AsyncClient, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    secret = token(client)
    for _ in range(9):
        clock.advance(10 * DAY)
        assert await step_of(client, secret) == "/account"
    clock.advance(1)
    assert await step_of(client, secret) == "/signup"


# Reading and writing (3.5.1, 3.5.3, 4.1.4, 13.4.4)


def routes(app: Starlette, method: str) -> list[str]:
    table = [route for route in app.routes if isinstance(route, Route)]
    return [route.path for route in table if method in (route.methods or ())]


@pytest.mark.environ(OUTBOX_IN_WEB="0")  # which reads on its own what became of a code
async def test_reading_changes_nothing_and_sends_nothing(
    app: Starlette, visitor: Visitor, client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    await sign_up(visitor)
    clock.advance(60)
    before, calls = await everything_stored(), dict(sandbox.calls)
    for path in routes(app, "GET"):
        for method in ("GET", "HEAD"):
            await client.request(method, path, params={"code": "123456", "channel": "sms"})
    assert await everything_stored() == before
    assert sandbox.calls == calls


@pytest.mark.environ(OUTBOX_IN_WEB="0")
async def test_every_write_is_taken_from_our_own_pages_alone(
    app: Starlette, visitor: Visitor, client: httpx.AsyncClient
) -> None:
    await sign_up(visitor)
    before = await everything_stored()
    foreign: list[dict[str, str]] = [
        {},
        {"Sec-Fetch-Site": "same-site", "Origin": ORIGIN},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
        {"Origin": "https://elsewhere.example"},
    ]
    paths = routes(app, "POST")
    assert len(paths) >= 6
    for path in paths:
        for headers in foreign:
            assert (await client.post(path, headers=headers)).status_code == 403
    assert await everything_stored() == before


async def test_a_page_takes_no_method_but_its_own(
    app: Starlette, client: httpx.AsyncClient
) -> None:
    paths = {route.path for route in app.routes if isinstance(route, Route)}
    for path in paths:
        methods = {"TRACE", "CONNECT", "OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND"}
        methods |= {"GET"} - {m for m in ["GET"] if path in routes(app, "GET")}
        methods |= {"POST"} - {m for m in ["POST"] if path in routes(app, "POST")}
        for method in methods:
            answer = await client.request(method, path, headers=OURS)
            assert (answer.status_code, method) == (405, method)
            assert "TRACE" not in answer.headers["allow"]


# What is typed (1.2.1, 1.2.4, 2.2.1, 2.2.2, 15.3.3, 15.3.7)

HOSTILE = [
    '"><script>alert(1)</script>',
    "' onfocus=alert(1) autofocus='",
    "Robert'); DROP TABLE users; --",
    "{{ 7*7 }}{% raw %}",
    "${7*7} %(name)s %s",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_is_text_wherever_it_is_shown(
    visitor: Visitor, phone: Phone, name: str
) -> None:
    await visitor.visit("/signup")
    page = await visitor.submit("/signup", **(ADA | {"name": name, "phone": "1", "email": name}))
    for field in ("name", "email"):
        box = page.html.css_first(f"input[name={field}]")
        assert box
        assert box.attributes["value"] == " ".join(name.split())
    await visitor.submit("/signup", **(ADA | {"name": name}))
    page = await verify(visitor, phone)
    assert name in page.text
    assert not page.html.css("script:not([src])")
    assert not page.html.css("[onfocus]")
    assert [user.name for user in await User.all()] == [name]


async def test_a_field_that_comes_twice_counts_as_missing(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    for name in ADA:
        twice = ADA | {name: [ADA[name], ADA[name]]}
        answer = await client.post("/signup", data=twice, headers=OURS)
        assert (answer.status_code, name) == (422, name)
    assert await User.all().count() == 0
    assert not sandbox.calls


async def test_files_are_refused_unread(client: httpx.AsyncClient) -> None:
    file = {"name": ("name.txt", b"Ada Lovelace")}
    answer = await client.post("/signup", data=ADA, files=file, headers=OURS)
    assert answer.status_code == 400


@pytest.mark.parametrize("multipart", [False, True])
async def test_a_form_of_very_many_fields_is_refused(
    client: httpx.AsyncClient, *, multipart: bool
) -> None:
    fields = {f"field{n}": "" for n in range(40)}
    if multipart:
        parts = dict.fromkeys(fields, (None, ""))
        answer = await client.post("/signup", files=parts, headers=OURS)
    else:
        answer = await client.post("/signup", data=fields, headers=OURS)
    assert answer.status_code == 400


async def test_a_field_in_the_url_is_not_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/signup", params=ADA, headers=OURS)
    assert answer.status_code == 422


async def test_fields_that_no_form_has_are_not_stored(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    more = {
        "id": "77", "verified_at": "2020-01-01", "verified": "true", "claimed_email": "x@x.example",
        "phone_changes": "-100", "password_hash": "x", "vendor_account": "1", "created_at": "1999",
        "outcome": "approved", "user_id": "1", "checks": "-100",
    }  # fmt: skip
    await client.post("/signup", data=ADA | more, headers=OURS)
    await client.post("/verification", data={"code": "000000"} | more, headers=OURS)
    [user], [verification] = await User.all(), await Verification.all()
    assert user.id != 77
    assert (user.verified_at, user.claimed_email, user.phone_changes) == (None, None, 0)
    assert (user.vendor_account, user.created_at) == ("", clock())
    assert (verification.outcome, verification.checks) == (Outcome.PENDING, 1)


# The order of the steps, and whose they are (2.3.1, 6.6.2, 8.2.2)


@EVERY_PROVIDER
async def test_nobody_elses_code_opens_a_sign_up(
    visitor: Visitor, client: httpx.AsyncClient, phone: Phone
) -> None:
    await sign_up(visitor)
    code = await phone.code(NUMBER)
    transport = client._transport
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as other:
        thief = Visitor(other)
        await sign_up(thief, email="thief@example.com", phone=OTHER_NUMBER)
        own = await phone.code(OTHER_NUMBER)
        if own != code:
            page = await thief.submit("/verification", code=code)
            assert (page.status, page.verified) == (422, None)
        page = await thief.visit("/verification")
        assert SHOWN not in page.text
    assert (await verify(visitor, phone)).verified is True


@pytest.mark.parametrize("provider", ["twilio", "codes"])
async def test_a_code_counts_once_and_for_its_own_verification(
    visitor: Visitor, client: httpx.AsyncClient, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    used = await phone.code(NUMBER)
    await verify(visitor, phone)
    client.cookies.clear()
    await sign_up(visitor, email="again@example.com")
    if used != await phone.code(NUMBER):
        assert (await visitor.submit("/verification", code=used)).status == 422
    expired = await phone.code(NUMBER)
    clock.advance(601)
    await visitor.post("/verification/resend", {})
    if expired != await phone.code(NUMBER):
        assert (await visitor.submit("/verification", code=expired)).status == 422
    assert (await visitor.visit("/account")).verified is False


@pytest.mark.parametrize("provider", ["authy"])
async def test_a_number_changed_meanwhile_is_not_proven_by_the_phone_of_the_former(
    visitor: Visitor, client: httpx.AsyncClient, wire: Vendor, phone: Phone, clock: Clock
) -> None:
    """The vendor is slow with the first text, and its answer comes after the number changed."""
    slow = wire.hold("sms")
    first = asyncio.create_task(client.post("/signup", data=ADA, headers=OURS))
    await slow.reached()
    async with httpx.AsyncClient(transport=client._transport, base_url=ORIGIN) as again:
        await again.post("/signup", data=ADA, headers=OURS)
        changed = {"country": "GB", "phone": OTHER_NUMBER}
        answer = await again.post("/verification/phone", data=changed, headers=OURS)
        assert answer.status_code == 303
        slow.let_go()
        await first
        clock.advance(601)
        await again.post("/verification/resend", headers=OURS)
        assert len(await phone.texts(NUMBER)) == 1
        assert len(await phone.texts(OTHER_NUMBER)) == 2
        await again.post("/verification", data={"code": await phone.code(NUMBER)}, headers=OURS)
    assert await User.filter(verified_at__not_isnull=True).count() == 0


@pytest.mark.parametrize("provider", ["authy"])
async def test_a_resend_that_began_before_the_number_changed_sends_nothing_to_the_former(
    app: Starlette, visitor: Visitor, sandbox: Sandbox, phone: Phone
) -> None:
    await sign_up(visitor)
    read_before = await User.get(), await Verification.get()
    sandbox.fail("timeout")
    await visitor.post("/verification/phone", {"country": "GB", "phone": OTHER_NUMBER})
    with pytest.raises(CoolingDown):
        await resend_code(app.state.site, *read_before, Channel.SMS)
    assert len(await phone.texts(NUMBER)) == 1
    await visitor.post("/verification/resend", {})
    assert len(await phone.texts(OTHER_NUMBER)) == 1


async def test_a_code_proves_only_the_number_that_it_was_sent_to(
    visitor: Visitor, client: httpx.AsyncClient, wire: Vendor, phone: Phone
) -> None:
    """The number changes while the vendor's yes to the former one is on its way."""
    await sign_up(visitor)
    slow = wire.hold("VerificationCheck")
    code = {"code": await phone.code(NUMBER)}
    checking = asyncio.create_task(client.post("/verification", data=code, headers=OURS))
    await slow.reached()
    changed = {"country": "GB", "phone": OTHER_NUMBER}
    assert (await client.post("/verification/phone", data=changed, headers=OURS)).is_redirect
    slow.let_go()
    await checking
    assert (await visitor.visit("/account")).verified is False


# What happens while the vendor is asked


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
@pytest.mark.parametrize("fault", ["", "21211"], ids=["sent", "refused"])
async def test_a_sign_up_purged_while_its_number_is_changed_leads_back_to_the_form(
    visitor: Visitor, wire: Vendor, clock: Clock, fault: str
) -> None:
    """It is a day old when its person, who was here all the time, changes the number."""
    await sign_up(visitor)
    for _ in range(2):
        clock.advance(12 * 3600)
        await visitor.visit("/verification/phone")
    clock.advance(1)
    if fault:
        wire.sandbox.fail(fault)
    slow = wire.hold("Verifications", acted="after")
    changed = {"country": "GB", "phone": OTHER_NUMBER}
    changing = asyncio.create_task(visitor.post("/verification/phone", changed))
    await slow.reached()
    await purge(clock())
    assert await User.all().count() == 0
    slow.let_go()
    assert (await changing).status in {200, 422}
    page = await visitor.visit("/")
    assert (page.status, page.step) == (200, "signup")


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
async def test_a_database_that_fails_after_the_text_went_out_costs_nobody_the_form(
    visitor: Visitor, wire: Vendor, app: Starlette, clock: Clock, phone: Phone
) -> None:
    await visitor.visit("/")
    slow = wire.hold("Verifications")
    sending = asyncio.create_task(visitor.submit("/signup", **ADA))
    await slow.reached()
    connection = app.state.database.connection
    await connection.execute_query("ALTER TABLE verifications RENAME TO away")
    slow.let_go()
    page = await sending
    await connection.execute_query("ALTER TABLE away RENAME TO verifications")
    assert (page.status, page.step) == (503, "signup")
    assert "Nothing you typed is lost" in page.text
    assert 'value="ada@example.com"' in page.response.text
    page = await visitor.submit("/signup", **ADA)
    assert (page.status, page.step) == (200, "verification")
    assert len(await phone.texts(NUMBER)) == 1, "It may be the one that came."
    clock.advance(30)
    await visitor.post("/verification/resend", {})
    assert (await verify(visitor, phone)).verified is True


# Who has an account (6.3.8)


# Events are written twice a second, for all requests together.
BESIDE_REQUESTS = re.compile("phone_events|daily_totals")


def shape(statement: str) -> str:
    """A statement without what is in it."""
    return re.sub(r"\s+", " ", re.sub(r"'[^']*'|\b\d+\b", "?", statement.partition(": [")[0]))


@pytest.mark.environ(OUTBOX_IN_WEB="0")  # whose statements come when they come
async def test_a_taken_email_costs_the_same_statements_calls_and_bytes(
    visitor: Visitor,
    client: httpx.AsyncClient,
    phone: Phone,
    wire: Vendor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    seen = []
    for email, number in (("ada@example.com", "7400123458"), ("eve@example.com", "7400123459")):
        client.cookies.clear()
        caplog.clear()
        wire.calls.clear()
        with caplog.at_level("DEBUG", "tortoise.db_client"):
            fields = ADA | {"email": email, "phone": number}
            answer = await client.post("/signup", data=fields, headers=OURS)
        statements = [shape(record.getMessage()) for record in caplog.records]
        statements = [each for each in statements if not BESIDE_REQUESTS.search(each)]
        calls = [(call.method, call.resource) for call in wire.calls]
        names = sorted(answer.headers)
        seen.append((answer.status_code, answer.content, names, statements, calls))
    assert seen[0] == seen[1]
    assert any("INSERT" in statement for statement in seen[0][3])


# Passwords (6.2.1, 6.2.4 - 6.2.12, 11.4.2)


@pytest.mark.parametrize(
    "password",
    [
        "short 7",
        "password1",
        "12345678",
        "qwertyuiop",
        "aaaaaaaaaaaaaaaaaaaaaaaa" * 5,
        "Ada Lovelace",
        "ada@example.com",
        "07400123456",
        "signup.example",
        "adalovelace1",
    ],
)
async def test_a_password_that_is_tried_first_is_refused_with_the_reason(
    visitor: Visitor, password: str
) -> None:
    page = await sign_up(visitor, password=password)
    assert page.status == 422
    assert page.errors.keys() == {"password"}


@pytest.mark.parametrize(
    "password",
    [
        "kx9 vqz2",
        "correct horse battery staple " * 3,
        "пароль из слов",
        "🦩🪩🫥🦤🪇🫎🩵🪼",
        " mind the gap ",
    ],
)
async def test_any_letters_and_spaces_at_any_length_make_a_password(
    visitor: Visitor, password: str
) -> None:
    assert (await sign_up(visitor, password=password)).step == "verification"


async def test_a_password_is_never_cut_and_composed_before_it_is_hashed(app: Starlette) -> None:
    hasher: passwords.Hasher = app.state.site.hasher
    long = "x" * 999
    hashed = await hasher.hash(long + "a")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await hasher.verify(long + "a", hashed)
    assert not await hasher.verify(long + "b", hashed)
    composed = unicodedata.normalize("NFC", "pässwörd")
    hashed = await hasher.hash(composed)
    assert await hasher.verify(unicodedata.normalize("NFD", composed), hashed)
    assert not await hasher.verify(composed + " ", hashed)


async def test_a_password_too_long_to_hash_in_time_is_refused_not_cut(visitor: Visitor) -> None:
    page = await sign_up(visitor, password="a long one " * 100)
    assert (page.status, page.errors) == (422, {"password": "Use at most 1000 characters"})


async def test_hashes_run_on_few_threads_beside_the_pages(
    app: Starlette, client: httpx.AsyncClient, settings: Settings
) -> None:
    hasher: passwords.Hasher = app.state.site.hasher
    hashing = [asyncio.create_task(hasher.hash(f"password {n}")) for n in range(6)]
    await asyncio.sleep(0)
    assert (await client.get("/healthz")).status_code == 200
    assert not hashing[-1].done()
    await asyncio.gather(*hashing)
    assert hasher.pool._max_workers == hash_threads(settings)


# Where it goes (3.7.2, 14.2.1)


@pytest.mark.parametrize(
    "path",
    ["/?next=https://evil.example", "//evil.example", "/\\evil.example", "/account?url=//evil",
     "/signup/", "/static", "/verification;evil", "/%2F%2Fevil.example", "//evil.example/.."],
)  # fmt: skip
async def test_no_address_leads_away_from_here(client: httpx.AsyncClient, path: str) -> None:
    headers = {"X-Forwarded-Host": "evil.example", "Referer": "https://evil.example/"}
    answer = await client.get(httpx.URL(ORIGIN).copy_with(raw_path=path.encode()), headers=headers)
    location = answer.headers.get("location", "/signup")
    assert location in {"/signup", "/verification", "/account"}


async def test_a_form_is_not_sent_on_by_a_redirect(client: httpx.AsyncClient) -> None:
    answer = await client.post("/signup/", data=ADA, headers=OURS)
    assert (answer.status_code, "location" in answer.headers) == (404, False)


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
async def test_no_url_names_a_person_or_a_code(
    visitor: Visitor, client: httpx.AsyncClient, phone: Phone
) -> None:
    seen: list[str] = []

    async def note(response: httpx.Response) -> None:
        await response.aread()
        names = ("location", "hx-replace-url", "hx-push-url", "hx-redirect", "hx-location")
        told = [response.headers[name] for name in names if name in response.headers]
        seen.extend([str(response.request.url), *told])
        links = re.findall(r'(?:href|action|hx-\w+)="(/[^"]*)"', response.text)
        seen.extend(links)

    client.event_hooks["response"].append(note)
    await sign_up(visitor, phone="1")
    await sign_up(visitor)
    code = await phone.code(NUMBER)
    await visitor.submit("/verification", code=wrong(code))
    await visitor.visit("/verification/phone")
    await visitor.submit("/verification/phone", phone="07400 123457", country="GB")
    secret = token(client)
    code = await phone.code(OTHER_NUMBER)
    await verify(visitor, phone, OTHER_NUMBER)
    await visitor.submit("/signout")
    assert len(seen) > 20
    personal = (code, "7400", "ada", "lovelace", "@", secret, "violet")
    told = [url for url in seen if any(word in url.lower() for word in map(str.lower, personal))]
    assert not told


# Pages and scripts (1.3.2, 3.2.2, 3.6.1, 14.3.3)


def test_no_template_has_script_or_style_of_its_own_or_markup_from_strangers() -> None:
    """An email has its style in itself, as mail programs load none, and is no page of ours."""
    forbidden = re.compile(
        r"""\son[a-z]+\s*=|\sstyle\s*=|<style|hx-on|hx-vals=.js|javascript:|[\s"']js:|\|\s*safe"""
        r"|autoescape|Markup|<script(?![^>]*\ssrc=)",
        re.IGNORECASE,
    )
    found = {
        (path.name, match[0])
        for path in TEMPLATES
        for match in forbidden.finditer(path.read_text())
        if path.parent.name != "emails" or "style" not in match[0]
    }
    assert not found


def test_no_script_of_ours_stores_evaluates_or_writes_markup() -> None:
    forbidden = re.compile(
        r"localStorage|sessionStorage|indexedDB|document\.cookie|\beval\(|new Function|innerHTML|"
        r"outerHTML|insertAdjacentHTML|document\.write|postMessage|https?://(?!localhost)"
    )
    assert OWN_SCRIPTS
    found = {
        (path.name, match[0])
        for path in OWN_SCRIPTS
        for match in forbidden.finditer(re.sub(r"//.*|/\*.*?\*/", "", path.read_text()))
    }
    assert not found


async def test_a_page_loads_everything_from_here(visitor: Visitor, phone: Phone) -> None:
    pages = [await visitor.visit("/signup"), await sign_up(visitor), await verify(visitor, phone)]
    for page in pages:
        for name in ("src", "href", "action", "srcset", "poster", "data"):
            for node in page.html.css(f"[{name}]"):
                value = node.attributes[name] or ""
                assert re.match(r"(/[^/]|/$|#|data:image/svg)", value), value


# When things go wrong (16.5.1 - 16.5.4, 13.4.2)


async def test_an_unforeseen_error_is_a_page_without_a_word_of_it(
    client: httpx.AsyncClient,
) -> None:
    with capture_logs() as logged:
        answer = await client.get("/breaks")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    for word in ("Traceback", "RuntimeError", "unforeseen", "7400", "webapp", "starlette"):
        assert word not in answer.text
    assert "unhandled exception" in [line["event"] for line in logged]


@pytest.mark.parametrize("table", ["usage", "verifications", "sessions", "users"])
async def test_with_a_broken_database_nobody_is_let_in_and_nothing_is_sent(
    app: Starlette, visitor: Visitor, client: httpx.AsyncClient, sandbox: Sandbox, table: str
) -> None:
    await sign_up(visitor)
    calls = dict(sandbox.calls)
    await app.state.database.connection.execute_script(f"DROP TABLE {table}")
    for path, fields in (
        ("/signup", ADA | {"email": "eve@example.com"}),
        ("/verification", {"code": "123456"}),
        ("/verification/phone", {"country": "GB", "phone": OTHER_NUMBER}),
    ):
        answer = await client.post(path, data=fields, headers=OURS)
        assert answer.status_code == 503
        assert "set-cookie" not in answer.headers
    assert sandbox.calls == calls


@pytest.mark.parametrize(
    "fault",
    ["timeout", "dropped", "refused", "500", "html", "429", "garbage", "shape", "60200", "20404"],
)
@EVERY_PROVIDER
async def test_no_fault_of_a_vendor_lets_anybody_in(
    visitor: Visitor, phone: Phone, sandbox: Sandbox, provider: str, fault: str
) -> None:
    await sign_up(visitor)
    code = wrong(await phone.code(NUMBER))
    if provider != "codes":
        sandbox.fail(fault, 3)
    page = await visitor.submit("/verification", code=code)
    assert page.status in {422, 429, 503}
    assert (await visitor.visit("/account")).verified is False


# Production only (13.4.2, 15.2.3)


async def test_production_has_no_sandbox(client: httpx.AsyncClient) -> None:
    for path in ("/sandbox/phone", "/sandbox/messages.json", "/sandbox/gallery", "/sandbox/faults"):
        assert (await client.get(path)).status_code == 404
        assert (await client.post(path)).status_code == 403


def test_production_does_not_even_load_the_sandbox() -> None:
    program = (
        "import sys; from webapp.app import create_app; from webapp.settings import Settings;"
        "create_app(Settings.from_environment());"
        "print([name for name in sys.modules if 'sandbox' in name or 'gallery' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=production_environ("sqlite://none.sqlite3"),  # never opened
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


async def test_only_static_files_are_served_as_files(
    app: Starlette, client: httpx.AsyncClient
) -> None:
    mounts = [route.path for route in app.routes if isinstance(route, Mount)]
    assert mounts == ["/static"]
    for path in ("/.git/config", "/.env", "/static/../webapp/app.py", "/static/%2e%2e/Procfile",
                 "/docs", "/openapi.json", "/metrics", "/debug", "/server-status"):  # fmt: skip
        url = httpx.URL(ORIGIN).copy_with(raw_path=path.encode())
        assert (await client.get(url)).status_code == 404


# What is kept (14.2.4, 14.2.7)


async def test_a_sign_up_that_is_abandoned_is_forgotten_after_a_day_but_not_what_it_cost(
    visitor: Visitor, client: httpx.AsyncClient, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    client.cookies.clear()
    await sign_up(visitor, email="eve@example.com", phone=OTHER_NUMBER)
    clock.advance(DAY - 60)
    await purge(clock())
    assert await User.all().count() == 2
    clock.advance(59)
    await visitor.visit("/")
    await purge(clock())
    assert (await Usage.get(key=f"phone {OTHER_NUMBER}")).used == 1
    clock.advance(2)
    await purge(clock())
    assert [user.email for user in await User.all()] == ["ada@example.com"]
    for model in (Verification, Session):
        assert await model.filter(user__email="eve@example.com").count() == 0


# The outside (12.3.1 - 12.3.3)


async def test_a_vendor_for_whose_certificate_nobody_vouches_is_told_nothing() -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(1000))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ROOT / "tests" / "stranger.pem")
    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server, aclosing(HttpTransport(5.0)) as wire:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await wire.send(wire.request("POST", f"https://localhost:{port}/", data={"To": NUMBER}))
    assert not heard


@pytest.mark.parametrize(
    ("mode", "verifies", "names"), [("verify-ca", True, False), ("verify-full", True, True)]
)
def test_a_databases_certificate_is_checked_as_sslmode_means_it(
    mode: str, *, verifies: bool, names: bool
) -> None:
    context = tls(mode)
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode is ssl.CERT_REQUIRED, context.check_hostname) == (verifies, names)


def test_a_databases_certificate_is_checked_where_the_authority_is_named() -> None:
    context = tls("require", str(ROOT / "tests" / "stranger.pem"))
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode is ssl.CERT_REQUIRED, context.check_hostname) == (True, False)


@pytest.mark.parametrize(
    ("mode", "connects"),
    [("disable", True), ("prefer", True), ("require", False), ("verify-full", False)],
)
async def test_a_database_without_tls_is_not_spoken_to_where_sslmode_demands_it(
    postgres: pg.Postgres, migrated_postgres: str, mode: str, *, connects: bool
) -> None:
    with postgres.database(template=migrated_postgres) as url:
        there = Database(f"{url}?sslmode={mode}")
        await there.open()
        try:
            assert await there.ready() is connects
        finally:
            await there.close()


# Time and size (2.1.3, 2.4.1; more of it in test_abuse.py)


async def test_a_body_that_is_too_long_is_refused_before_its_end(app: Starlette) -> None:
    sent, statuses = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal sent
        sent += 10_000
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [
        (b"host", b"signup.example"),
        (b"sec-fetch-site", b"same-origin"),
        (b"content-type", b"application/x-www-form-urlencoded"),
    ]
    scope = {
        "type": "http", "method": "POST", "path": "/signup", "raw_path": b"/signup",
        "scheme": "https", "query_string": b"", "headers": headers, "server": None,
        "client": ("192.0.2.1", 1), "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)
    assert (statuses, sent) == ([413], 70_000)


@pytest.mark.parametrize("length", ["70000", "9" * 100])
async def test_a_body_that_says_how_long_it_is_is_refused_unread(
    client: httpx.AsyncClient, length: str
) -> None:
    asked = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal asked
        asked = True
        yield b"name=Ada"

    headers = OURS | {"Content-Length": length, "Content-Type": "application/x-www-form-urlencoded"}
    answer = await client.post("/signup", content=body(), headers=headers)
    assert (answer.status_code, asked) == (413, False)


async def test_a_visitor_who_leaves_in_the_middle_of_a_form_is_no_fault_of_ours(
    app: Starlette,
) -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"name=Ada", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(_: Any) -> None:
        """Nobody is there."""

    headers = [
        (b"host", b"signup.example"),
        (b"sec-fetch-site", b"same-origin"),
        (b"content-type", b"application/x-www-form-urlencoded"),
    ]
    scope = {
        "type": "http", "method": "POST", "path": "/signup", "raw_path": b"/signup",
        "scheme": "https", "query_string": b"", "headers": headers, "server": None,
        "client": ("192.0.2.1", 1), "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    with capture_logs() as logs:
        await app(scope, receive, send)
    assert [line["event"] for line in logs] == ["request"]


@pytest.mark.parametrize(
    ("path", "field", "text"),
    [
        ("/signup", "password", "\u0301" * 15_000 + "\u0323" * 15_000),
        ("/signup", "email", "a" + "\u0301" * 15_000 + "\u0323" * 15_000 + "@example.com"),
        ("/hints/password", "password", "4@8({[<369&#!1/|0$5+7%2" * 40),
        ("/hints/password", "name", " ".join(f"{n:x}" for n in range(9000))),
        ("/signup", "name", '"' * 60_000),
    ],
    ids=["composing", "an email", "symbols", "many words", "many quotes"],
)
async def test_no_text_holds_up_the_pages_of_others(
    client: httpx.AsyncClient, path: str, field: str, text: str
) -> None:
    files = {name: (None, value) for name, value in (ADA | {field: text}).items()}
    began = time.thread_time()
    answer = await client.post(path, files=files, headers=OURS)
    assert time.thread_time() - began < 0.5
    assert answer.status_code in {200, 422}
