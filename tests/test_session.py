"""``/session`` and ``/session/gate``: an application learns who is signed in, and nobody else."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import ADA, NUMBER, sign_up, verify
from tests.phone import Phone
from tests.rows import Rows
from tests.visitor import Visitor
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import SESSION_LIFE
from webapp.clients.session import PATHS, _person

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # no statement is run
APP = "https://app.example.com"
ASKED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "app.example.com",
    "X-Forwarded-Uri": "/orders?page=2&size=10",
}


async def test_an_application_learns_who_is_signed_in(
    ada: Visitor, client: httpx.AsyncClient, database_url: str
) -> None:
    answer = await client.get("/session")
    subject = Rows(database_url).one("SELECT subject FROM users")
    assert answer.status_code == 200
    assert answer.json() == {
        "sub": subject,
        "name": ADA["name"],
        "email": ADA["email"],
        "email_verified": False,
        "phone_number": NUMBER,
        "phone_number_verified": True,
    }
    assert answer.headers["Remote-User"] == subject
    assert answer.headers["Remote-Email"] == ADA["email"]
    assert answer.headers["Remote-Name"] == ADA["name"]


@pytest.mark.parametrize("path", ["/session", "/session/gate"])
async def test_nobody_and_the_unverified_are_signed_out(
    path: str, visitor: Visitor, client: httpx.AsyncClient
) -> None:
    nobody = await client.get(path)
    await sign_up(visitor)
    unverified = await client.get(path)
    for answer in (nobody, unverified):
        assert (answer.status_code, answer.json()) == (401, {"error": "signed_out"})
        assert not [name for name in answer.headers if name.startswith("remote-")]


@pytest.mark.parametrize("path", ["/session", "/session/gate"])
async def test_the_answer_is_kept_by_nobody_and_sets_no_cookie(
    path: str, ada: Visitor, client: httpx.AsyncClient
) -> None:
    for answer in (await client.get(path), await client.get(path, headers={"Cookie": ""})):
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers


async def test_a_session_that_is_used_by_the_application_alone_does_not_idle_out(
    ada: Visitor, client: httpx.AsyncClient, clock: Clock
) -> None:
    for _ in range(3):
        clock.advance(SESSION_LIFE.idle.total_seconds() * 0.9)
        assert (await client.get("/session")).status_code == 200
    clock.advance(SESSION_LIFE.idle.total_seconds() + 1)
    assert (await client.get("/session")).status_code == 401


async def test_signing_out_ends_it(ada: Visitor, client: httpx.AsyncClient) -> None:
    await ada.visit("/account")
    await ada.submit("/signout")
    assert (await client.get("/session")).status_code == 401


async def test_every_letter_of_a_name_passes(
    visitor: Visitor, phone: Phone, client: httpx.AsyncClient
) -> None:
    await sign_up(visitor, name="Zoë 李小龙")
    await verify(visitor, phone)
    answer = await client.get("/session")
    [name] = [value for name, value in answer.headers.raw if name.lower() == b"remote-name"]
    assert name.decode() == answer.json()["name"] == "Zoë 李小龙"


def test_no_name_ends_the_header_that_it_is_in() -> None:
    user = User(subject="s", email="e@x.example", name="A\r\nRemote-User: root\x00\x7f", phone="")
    headers = _person(user).raw_headers
    assert (b"remote-name", b"A  Remote-User: root  ") in headers
    assert [value for name, value in headers if name == b"remote-user"] == [b"s"]


@pytest.mark.environ(RETURN_ORIGINS=APP)
async def test_the_gate_shows_the_way_in_and_back(client: httpx.AsyncClient) -> None:
    answer = await client.get("/session/gate", headers=ASKED)
    assert answer.status_code == 302
    assert answer.headers["Location"] == (
        "http://localhost:8000/signin"
        "?return_to=https%3A%2F%2Fapp.example.com%2Forders%3Fpage%3D2%26size%3D10"
    )


async def test_the_gate_leads_back_to_our_own_host_without_being_told(
    client: httpx.AsyncClient,
) -> None:
    asked = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "LOCALHOST:8000"}
    answer = await client.get("/session/gate", headers={**asked, "X-Forwarded-Uri": "/app/?a=1"})
    assert answer.headers["Location"].endswith("/signin?return_to=%2Fapp%2F%3Fa%3D1")


@pytest.mark.environ(RETURN_ORIGINS=APP)
async def test_the_gate_lets_the_signed_in_pass(ada: Visitor, client: httpx.AsyncClient) -> None:
    answer = await client.get("/session/gate", headers=ASKED)
    assert answer.status_code == 200
    assert answer.headers["Remote-Email"] == ADA["email"]


@SQLITE
@pytest.mark.environ(RETURN_ORIGINS=APP)
@pytest.mark.parametrize(
    "changes",
    [
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Host": "app.example.com.evil.example"},
        {"X-Forwarded-Host": "app.example.com, evil.example"},
        {"X-Forwarded-Host": "app.example.com@evil.example"},
        {"X-Forwarded-Host": "app.example.com:99999"},
        {"X-Forwarded-Host": ""},
        {"X-Forwarded-Proto": "http"},
        {"X-Forwarded-Proto": "javascript"},
        {"X-Forwarded-Uri": "@evil.example/"},
        {"X-Forwarded-Uri": ".evil.example/"},
        {"X-Forwarded-Uri": "\\evil.example"},
        {"X-Forwarded-Proto": None},
        {"X-Forwarded-Host": None},
        {"X-Forwarded-Uri": None},
    ],
)
async def test_the_gate_leads_nobody_elsewhere(
    changes: dict[str, str | None], client: httpx.AsyncClient
) -> None:
    headers: dict[str, Any] = {**ASKED, **changes}
    asked = {name: value for name, value in headers.items() if value is not None}
    answer = await client.get("/session/gate", headers=asked)
    assert (answer.status_code, answer.json()) == (401, {"error": "signed_out"})


@pytest.mark.environ(RETURN_ORIGINS=APP)
async def test_the_gate_believes_no_header_that_came_twice(client: httpx.AsyncClient) -> None:
    twice = [*ASKED.items(), ("X-Forwarded-Uri", "/elsewhere")]
    assert (await client.get("/session/gate", headers=twice)).status_code == 401


async def test_a_proxy_may_ask_by_the_name_that_it_knows_us_by(
    ada: Visitor, client: httpx.AsyncClient
) -> None:
    """Traefik asks so: with the visitor's headers, its own ones, and the address's host."""
    headers = {
        **ASKED,
        "X-Forwarded-Method": "POST",
        "Host": "127.0.0.1:8000",
        "Remote-User": "root",
    }
    for path in PATHS:
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.headers["Remote-Email"]) == (200, ADA["email"])
        assert answer.headers["Remote-User"] == answer.json()["sub"]


async def test_neither_page_takes_a_post(app: Starlette, client: httpx.AsyncClient) -> None:
    for path in PATHS:
        answer = await client.post(path, headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 405
