"""Breached passwords: five digits of a digest go out, and no failure refuses anybody."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from structlog.testing import capture_logs

from tests.people import ADA, NUMBER, sign_up
from tests.phone import Phone
from tests.visitor import Visitor, filled_in
from webapp.providers.client import VendorClient
from webapp.providers.http import HttpTransport
from webapp.providers.pwned import PwnedPasswords
from webapp.sandbox import Sandbox
from webapp.sandbox.pwned import BREACHED

PASSWORD = "violet tugboat harmonica 41"
DIGEST = hashlib.sha1(PASSWORD.encode()).hexdigest().upper()
RANGE = "https://api.pwnedpasswords.com/range"
OTHER = "0" * 35


class Network:
    """The service behind a scripted wire."""

    def __init__(self) -> None:
        self.router = respx.Router()
        self.transport = HttpTransport(10, httpx.MockTransport(self.router.async_handler))
        self.passwords = PwnedPasswords(VendorClient("pwned", self.transport))

    def answer(self, answer: httpx.Response | Exception) -> respx.Route:
        answers = answer if isinstance(answer, Exception) else [answer] * 50
        return self.router.get(url__startswith=RANGE).mock(side_effect=answers)


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network()
    yield network
    await network.transport.aclose()


def rows(*lines: str) -> httpx.Response:
    return httpx.Response(200, text="\r\n".join(lines))


async def test_five_digits_of_the_digest_are_all_that_is_sent(network: Network) -> None:
    route = network.answer(rows(f"{OTHER}:2"))
    with capture_logs() as lines:
        await network.passwords.is_breached(PASSWORD)
    request = route.calls.last.request
    assert str(request.url) == f"{RANGE}/{DIGEST[:5]}"
    assert request.headers["add-padding"] == "true"
    assert request.content == b""
    assert DIGEST[:5] not in str(lines)


@pytest.mark.parametrize(
    ("lines", "breached"),
    [
        ([f"{OTHER}:2", f"{DIGEST[5:]}:3861493"], True),
        ([f"{DIGEST[5:]}:1"], True),
        ([f"{OTHER}:2"], False),
        ([f"{OTHER}:2", f"{DIGEST[5:]}:0"], False),  # padding
    ],
)
async def test_a_password_is_breached_where_its_digest_has_a_count(
    lines: list[str], breached: bool, network: Network
) -> None:
    network.answer(rows(*lines))
    assert await network.passwords.is_breached(PASSWORD) is breached


async def test_a_password_is_looked_up_as_it_is_hashed(network: Network) -> None:
    digest = hashlib.sha1("caf\u00e9 au lait".encode()).hexdigest().upper()
    network.answer(rows(f"{digest[5:]}:7"))
    assert await network.passwords.is_breached("cafe\u0301 au lait") is True


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError(""),
        httpx.ReadTimeout(""),
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(404),
        httpx.Response(200, text="<html>"),
        httpx.Response(200),
        rows(f"{DIGEST[5:]}:1", "and a page of a captive portal"),
        rows(f"{DIGEST[5:].lower()}:1"),
        httpx.Response(302, headers={"Location": "/"}),
    ],
)
async def test_a_service_that_gives_no_clear_answer_refuses_nobody(
    answer: httpx.Response | Exception, network: Network
) -> None:
    network.answer(answer)
    assert await network.passwords.is_breached(PASSWORD) is False


@given(status=st.sampled_from([200, 204, 429, 503]), content=st.binary(max_size=80))
async def test_whatever_it_says_nothing_is_raised(status: int, content: bytes) -> None:
    network = Network()
    network.answer(httpx.Response(status, content=content))
    assert await network.passwords.is_breached(PASSWORD) is False


async def test_a_person_waits_a_second_for_it_and_five_people_at_most(network: Network) -> None:
    asked = 0

    async def hang(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    network.router.get(url__startswith=RANGE).mock(side_effect=hang)
    began = time.monotonic()
    answers = await asyncio.gather(*(network.passwords.is_breached(PASSWORD) for _ in range(5)))
    assert time.monotonic() - began < 2
    assert answers == [False] * 5
    assert await network.passwords.is_breached(PASSWORD) is False
    assert asked == 5


# In development.

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@ON_SQLITE
@pytest.mark.environ(PWNED_PASSWORDS_URL="https://api.pwnedpasswords.com")
async def test_the_sandbox_knows_one_breached_password(app: Starlette, sandbox: Sandbox) -> None:
    passwords = app.state.providers.passwords
    assert await passwords.is_breached(BREACHED) is True
    assert await passwords.is_breached(PASSWORD) is False
    for fault in ("timeout", "refused", "500", "429", "html", "garbage", "dropped"):
        sandbox.fail(fault, 3)
        assert await passwords.is_breached(BREACHED) is False
        sandbox.faults.clear()
        assert await passwords.is_breached(BREACHED) is True


@ON_SQLITE
async def test_in_development_nothing_is_asked_unless_a_setting_says_so(
    app: Starlette, sandbox: Sandbox
) -> None:
    assert await app.state.providers.passwords.is_breached(BREACHED) is False
    assert sandbox.calls == {}


# At sign-up.

ASKED = pytest.mark.environ(PWNED_PASSWORDS_URL="https://api.pwnedpasswords.com")
BOTH_WAYS = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])


@ASKED
@BOTH_WAYS
async def test_a_breached_password_is_refused_beside_its_field_and_nothing_else_is_lost(
    visitor: Visitor, phone: Phone
) -> None:
    page = await sign_up(visitor, password=BREACHED)
    assert (page.status, page.step) == (422, "signup")
    assert page.errors.keys() == {"password"}
    assert "stolen" in page.errors["password"]
    assert filled_in(page.form("/signup")) == ADA | {"password": ""}
    assert await phone.texts(NUMBER) == []
    assert (await visitor.submit("/signup", password=PASSWORD)).step == "verification"


@ASKED
@ON_SQLITE
@pytest.mark.parametrize("fault", ["timeout", "refused", "500", "garbage"])
async def test_nobody_is_refused_while_the_service_is_away(
    visitor: Visitor, sandbox: Sandbox, fault: str
) -> None:
    sandbox.fail(fault, 3)
    page = await sign_up(visitor, password=BREACHED)
    sandbox.faults.clear()
    assert "password" not in page.errors


@ASKED
@ON_SQLITE
async def test_a_form_that_is_refused_already_is_not_looked_up(
    visitor: Visitor, sandbox: Sandbox
) -> None:
    await sign_up(visitor, password="password1")
    await sign_up(visitor, email="ada@")
    assert sandbox.calls == {}
    await sign_up(visitor)
    assert sandbox.calls["range"] == 1
