"""Coming back to an account: password, code, remembered browsers, pauses."""

from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import ADA, CONFIRMATION, NUMBER, PASSWORD, sign_up, verify, wrong
from tests.phone import Phone
from tests.visitor import Page, Visitor
from webapp.accounts.people.passwords import Hasher
from webapp.accounts.people.sessions import Session
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import BROWSER_REMEMBERED, FREE_PASSWORD_CHECKS

BOTH_WAYS = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
EVERY_PROVIDER = pytest.mark.parametrize("provider", ["twilio", "codes", "authy"])
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
EMAIL = ADA["email"]
TEN_MINUTES, DAY = 600, 86_400


@pytest.fixture
async def account(visitor: Visitor, phone: Phone, clock: Clock) -> User:
    """Ada's account, verified; her browser is signed out again and the cool-down is over."""
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified
    await phone.text(NUMBER, CONFIRMATION)
    await visitor.submit("/signout")
    clock.advance(TEN_MINUTES)
    return await User.get(email=EMAIL)


async def enter_password(visitor: Visitor, password: str = PASSWORD, email: str = EMAIL) -> Page:
    await visitor.visit("/signin")
    return await visitor.submit("/signin", email=email, password=password)


async def enter_code(visitor: Visitor, phone: Phone, **more: str) -> Page:
    return await visitor.submit("/signin/code", code=await phone.code(NUMBER), **more)


@EVERY_PROVIDER
@BOTH_WAYS
async def test_a_person_comes_back_with_password_and_code(
    account: User, visitor: Visitor, phone: Phone
) -> None:
    before = len(await phone.texts(NUMBER))
    page = await enter_password(visitor)
    assert (page.status, page.path, page.step) == (200, "/signin/code", "signin-code")
    assert NUMBER[-2:] in page.text
    assert "7400" not in page.text
    assert len(await phone.texts(NUMBER)) == before + 1
    page = await enter_code(visitor, phone)
    assert (page.status, page.path, page.verified) == (200, "/account", True)


async def test_sign_up_and_sign_in_lead_to_each_other(visitor: Visitor) -> None:
    page = await visitor.visit("/signup")
    assert page.html.css_first("a[href^='/signin']")
    page = await visitor.visit("/signin")
    assert page.html.css_first("a[href^='/signup']")


async def test_before_the_code_nobody_is_signed_in(
    account: User, visitor: Visitor, client: httpx.AsyncClient
) -> None:
    await enter_password(visitor)
    assert (await client.get("/session")).status_code == 401
    assert (await visitor.visit("/account")).path != "/account"
    assert (await visitor.visit("/")).path == "/signin/code"


async def test_the_code_step_names_the_number_that_the_code_went_to(
    account: User, visitor: Visitor
) -> None:
    await enter_password(visitor)
    await User.filter(id=account.id).update(phone="+447400999111")  # changed at another browser
    number = (await visitor.visit("/signin/code")).html.css_first(".lead .number")
    assert number
    assert number.text().endswith(NUMBER[-2:])


@BOTH_WAYS
async def test_whose_account_it_is_not_starts_again_with_signing_in(
    account: User, visitor: Visitor
) -> None:
    await enter_password(visitor)
    page = await visitor.submit("/signout")
    assert (page.path, page.step) == ("/signin", "signin")


async def test_a_wrong_code_is_refused_with_the_tries_left(
    account: User, visitor: Visitor, phone: Phone
) -> None:
    await enter_password(visitor)
    right = await phone.code(NUMBER)
    page = await visitor.submit("/signin/code", code=wrong(right))
    assert (page.status, page.step) == (422, "signin-code")
    assert "4 tries left" in page.errors["code"]
    assert (await visitor.submit("/signin/code", code=right)).verified


@BOTH_WAYS
async def test_a_remembered_browser_needs_no_code_for_thirty_days(
    account: User, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await enter_password(visitor)
    assert (await enter_code(visitor, phone, remember="1")).verified
    await visitor.submit("/signout")
    clock.advance(BROWSER_REMEMBERED.total_seconds() - DAY)
    sent = len(await phone.texts(NUMBER))
    assert (await enter_password(visitor)).verified
    assert len(await phone.texts(NUMBER)) == sent
    await visitor.submit("/signout")
    clock.advance(2 * DAY)
    assert (await enter_password(visitor)).step == "signin-code"


async def test_a_browser_is_remembered_for_one_account_alone(
    account: User, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await enter_password(visitor)
    await enter_code(visitor, phone, remember="1")
    await visitor.submit("/signout")
    clock.advance(TEN_MINUTES)
    await sign_up(visitor, email="eve@example.com", phone="07400 123457")
    await verify(visitor, phone, "+447400123457")
    await visitor.submit("/signout")
    clock.advance(TEN_MINUTES)
    assert (await enter_password(visitor, email="eve@example.com")).step == "signin-code"


@ON_SQLITE
async def test_unknown_email_wrong_password_and_unverified_account_are_not_to_be_told_apart(
    account: User, visitor: Visitor, clock: Clock
) -> None:
    await sign_up(visitor, email="pending@example.com", phone="07400 123458")
    await visitor.submit("/signout")
    clock.advance(TEN_MINUTES)
    pages = [
        await enter_password(visitor, password, email)
        for email, password in (
            (EMAIL, "not the password at all"),
            ("nobody@example.com", PASSWORD),
            ("pending@example.com", PASSWORD),
        )
    ]
    assert {page.status for page in pages} == {422}
    bodies = {
        page.response.text.replace(email, "")
        for page, email in zip(
            pages, (EMAIL, "nobody@example.com", "pending@example.com"), strict=True
        )
    }
    assert len(bodies) == 1
    kept = ("content-length", "date", "x-request-id")
    heads = [
        {name: value for name, value in page.response.headers.items() if name not in kept}
        for page in pages
    ]
    assert heads[0] == heads[1] == heads[2]


@pytest.mark.environ(SIGNINS_PER_IP="off")
async def test_after_five_wrong_passwords_each_next_one_waits_longer(
    account: User, visitor: Visitor, clock: Clock
) -> None:
    for _ in range(FREE_PASSWORD_CHECKS + 1):
        assert (await enter_password(visitor, "not the password")).status == 422
    page = await enter_password(visitor)
    assert page.status == 429
    assert page.response.headers["retry-after"] == "1"
    clock.advance(1)
    assert (await enter_password(visitor, "not the password")).status == 422
    clock.advance(1)
    assert (await enter_password(visitor)).status == 429
    clock.advance(1)
    assert (await enter_password(visitor)).step == "signin-code"
    assert (await enter_password(visitor, "not the password")).status == 422, "counted anew"


@pytest.mark.environ(SIGNINS_PER_IP="off")
async def test_a_password_that_an_overloaded_site_did_not_compare_does_not_count(
    account: User, visitor: Visitor, app: Starlette
) -> None:
    hasher = app.state.site.hasher
    hasher.waiting = 100_000
    for _ in range(FREE_PASSWORD_CHECKS + 1):
        page = await enter_password(visitor)
        assert (page.status, page.step) == (503, "signin")
    hasher.waiting = 0
    assert (await enter_password(visitor)).step == "signin-code"


@pytest.mark.environ(SIGNINS_PER_IP="off")
async def test_an_email_that_nobody_has_pauses_as_well(visitor: Visitor) -> None:
    for _ in range(FREE_PASSWORD_CHECKS + 1):
        await enter_password(visitor, "not the password", "nobody@example.com")
    assert (await enter_password(visitor, email="nobody@example.com")).status == 429


@pytest.mark.environ(SIGNINS_PER_IP="off")
async def test_a_stranger_cannot_lock_the_owner_out_of_a_remembered_browser(
    account: User, visitor: Visitor, phone: Phone, client: httpx.AsyncClient, clock: Clock
) -> None:
    await enter_password(visitor)
    await enter_code(visitor, phone, remember="1")
    await visitor.submit("/signout")
    async with httpx.AsyncClient(
        transport=client._transport, base_url=client.base_url
    ) as elsewhere:
        stranger = Visitor(elsewhere)
        for _ in range(FREE_PASSWORD_CHECKS + 1):
            await enter_password(stranger, "not the password")
        assert (await enter_password(stranger)).status == 429
    assert (await enter_password(visitor)).verified


async def test_a_password_entered_rightly_is_rehashed_when_parameters_rise(
    account: User, visitor: Visitor, app: Starlette
) -> None:
    hasher: Hasher = app.state.site.hasher
    await User.filter(id=account.id).update(password_hash=Hasher(1).argon2.hash(PASSWORD))
    await enter_password(visitor, "not the password")
    assert hasher.is_outdated((await User.get(id=account.id)).password_hash)
    await enter_password(visitor)
    assert not hasher.is_outdated((await User.get(id=account.id)).password_hash)


@BOTH_WAYS
async def test_return_to_survives_every_step(
    account: User, visitor: Visitor, phone: Phone, htmx: bool
) -> None:
    await visitor.visit("/signin?return_to=/account%3Ffrom%3Dhere")
    page = await visitor.submit("/signin", email=EMAIL, password="wrong password")
    assert page.status == 422
    page = await visitor.submit("/signin", email=EMAIL, password=PASSWORD)
    page = await enter_code(visitor, phone)
    assert page.step == "continue"
    assert page.html.css_first("a[href='/account?from=here']")


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example", "/\\evil.example"])
async def test_return_to_leads_to_our_own_or_named_origins_alone(
    account: User, visitor: Visitor, phone: Phone, url: str
) -> None:
    fields = {"email": EMAIL, "password": PASSWORD, "return_to": url}
    await visitor.visit("/signin")
    await visitor.post("/signin", fields)
    page = await enter_code(visitor, phone)
    assert (page.path, page.verified) == ("/account", True)


async def test_signing_in_gives_a_new_token_and_extends_no_other_session(
    account: User, visitor: Visitor, phone: Phone
) -> None:
    await enter_password(visitor)
    [half] = await Session.all()
    await enter_code(visitor, phone)
    [whole] = await Session.all()
    assert half.token_hash != whole.token_hash


async def test_whoever_signs_up_again_with_what_they_have_is_signed_in(
    account: User, visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor)
    page = await verify(visitor, phone)
    assert (page.path, page.verified) == ("/account", True)
    assert await User.all().count() == 1


async def test_with_another_password_they_are_told_and_shown_the_way(
    account: User, visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor, password="another tugboat harmonica 42")
    page = await verify(visitor, phone)
    assert (page.path, page.verified) == ("/account", False)
    assert page.html.css_first("a[href='/signin']")


async def test_an_idle_day_does_not_lose_the_account(
    account: User, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(timedelta(days=400).total_seconds())
    await enter_password(visitor)
    assert (await enter_code(visitor, phone)).verified


@pytest.mark.environ(SENDS_PER_PHONE="2", SIGNINS_PER_IP="off")
async def test_whoever_knows_the_password_has_no_more_texts_sent_than_the_limits_allow(
    account: User, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    for _ in range(4):
        clock.advance(TEN_MINUTES)
        assert (await enter_password(visitor)).step == "signin-code"
    clock.advance(TEN_MINUTES)
    page = await enter_password(visitor)
    codes = [text for text in await phone.texts(NUMBER) if CONFIRMATION not in text.body]
    assert len(codes) == 2
    assert "too many codes" in page.text, "and there is a page to go on from"


@ON_SQLITE
@pytest.mark.environ(TERMS_URL="https://example.com/terms", SUPPORT_URL="mailto:help@example.com")
async def test_the_foot_links_what_the_settings_name_and_nothing_else(visitor: Visitor) -> None:
    page = await visitor.visit("/signin")
    links = {a.text(): a.attributes["href"] for a in page.html.css(".page-foot a")}
    assert links == {"Terms": "https://example.com/terms", "Help": "mailto:help@example.com"}
