"""A person who came from an application signs up and goes on to it, and to nobody else."""

import httpx
import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.oidc import CALLBACK, CLIENTS, Application, server
from tests.people import ADA, NUMBER, sign_up, verify
from tests.phone import Phone
from tests.rows import Rows
from tests.visitor import Page, Visitor
from webapp.accounts.policy.rules import RETURN_LIFETIME

APP = "https://app.example.com"
HTMX = pytest.mark.parametrize("htmx", [False, True])
ORDERS = f"{APP}/orders?page=2&size=10"
FROM = f"/signup?{httpx.QueryParams(return_to=ORDERS)}"


def onward(page: Page) -> str | None:
    """Where the account's first button leads."""
    link = page.html.css_first("a.button#continue")
    return link.attributes["href"] if link else None


async def sign_up_from(visitor: Visitor, url: str, **changes: str) -> Page:
    await visitor.visit(url)
    return await visitor.submit("/signup", **(ADA | changes))


@HTMX
@pytest.mark.environ(RETURN_ORIGINS=APP)
async def test_who_came_from_an_application_goes_on_to_it(visitor: Visitor, phone: Phone) -> None:
    refused = await sign_up_from(visitor, FROM, password="short")
    assert "password" in refused.errors
    await visitor.submit("/signup", **ADA)
    await visitor.submit("/verification", code="000000")
    page = await verify(visitor, phone)
    assert (page.verified, onward(page)) == (True, ORDERS)
    assert onward(await visitor.visit("/account")) == ORDERS


@pytest.mark.environ(RETURN_ORIGINS=APP, CONTINUE_URL="https://www.example.com/welcome")
async def test_without_a_way_back_the_owner_says_where_it_goes_on(
    visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    unverified = await visitor.visit("/account")
    assert (unverified.verified, onward(unverified)) == (False, None)
    await visitor.visit("/verification")
    assert onward(await verify(visitor, phone)) == "https://www.example.com/welcome"


@pytest.mark.environ(RETURN_ORIGINS=APP, CONTINUE_URL="https://www.example.com/welcome")
async def test_an_application_is_not_returned_to_when_it_waits_no_longer(
    visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up_from(visitor, FROM)
    assert onward(await verify(visitor, phone)) == ORDERS
    clock.advance(RETURN_LIFETIME.total_seconds() + 1)
    assert onward(await visitor.visit("/account")) == "https://www.example.com/welcome"


@HTMX
@pytest.mark.environ(RETURN_ORIGINS=APP)
@pytest.mark.parametrize(
    "url",
    ["https://evil.example/", "//evil.example", f"{APP}@evil.example/", "javascript:alert(1)"],
)
async def test_nobody_is_led_to_a_stranger(
    url: str, visitor: Visitor, phone: Phone, database_url: str
) -> None:
    page = await visitor.visit(f"/signup?{httpx.QueryParams(return_to=url)}")
    assert "evil" not in page.response.text
    assert "alert(" not in page.response.text
    await visitor.post("/signup", {**ADA, "return_to": url})
    assert Rows(database_url).one("SELECT return_to FROM sessions") == ""
    await visitor.visit("/verification")
    assert onward(await verify(visitor, phone)) is None


@pytest.mark.environ(OIDC_CLIENTS=CLIENTS)
async def test_an_application_sends_somebody_to_sign_up_and_gets_them_signed_in(
    visitor: Visitor, phone: Phone, app: Starlette, client: httpx.AsyncClient
) -> None:
    """The whole way of `prompt=create`, as a browser goes it."""
    async with server(app) as calls:
        application = Application(calls)
        asked = application.request(prompt="create", login_hint=ADA["email"])
        page = await visitor.visit(f"/oidc/authorize?{httpx.QueryParams(asked)}")
        email = page.html.css_first("#email")
        assert email
        assert (page.step, email.attributes["value"]) == ("signup", ADA["email"])
        await visitor.submit("/signup", **ADA)
        url = onward(await verify(visitor, phone))
        assert url
        answer = application.answer(await client.get(url))
        tokens = (await application.redeem(answer["code"])).json()
        person = (await application.userinfo(tokens["access_token"])).json()
    assert (person["phone_number"], answer["state"]) == (NUMBER, application.state)


@pytest.mark.environ(OIDC_CLIENTS=CLIENTS)
async def test_who_is_half_signed_in_is_not_signed_in_to_an_application(
    ada: Visitor, app: Starlette, client: httpx.AsyncClient
) -> None:
    await ada.visit("/account")
    await ada.submit("/signout")
    await ada.visit("/signin")
    page = await ada.submit("/signin", email=ADA["email"], password=ADA["password"])
    assert page.step == "signin-code"
    assert (await client.get("/session")).status_code == 401
    async with server(app) as calls:
        application = Application(calls)
        answer = application.answer(await application.authorize(client, prompt="none"))
    assert answer["error"] == "login_required"


@pytest.mark.environ(OIDC_CLIENTS=CLIENTS)
async def test_an_application_signs_in_who_has_an_account(
    ada: Visitor, phone: Phone, app: Starlette, client: httpx.AsyncClient, clock: Clock
) -> None:
    """Signed in before: `prompt=login` asks again, and the sign-in leads back."""
    clock.advance(120)
    async with server(app) as calls:
        application = Application(calls)
        asked = application.request(prompt="login", login_hint=ADA["email"])
        page = await ada.visit(f"/oidc/authorize?{httpx.QueryParams(asked)}")
        assert page.step == "signin"
        await ada.submit("/signin", password=ADA["password"])
        page = await ada.submit("/signin/code", code=await phone.code(NUMBER))
        link = page.html.css_first("main a.button")
        assert (page.step, bool(link)) == ("continue", True)
        assert link
        answer = application.answer(await client.get(link.attributes["href"] or ""))
        claims = await application.claims(
            (await application.redeem(answer["code"])).json()["id_token"]
        )
    assert claims["auth_time"] == int(clock().timestamp())
    assert CALLBACK in asked["redirect_uri"]
