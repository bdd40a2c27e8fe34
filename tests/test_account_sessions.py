"""Where a person is signed in, by HTTP: seen, and ended."""

import httpx
import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import PASSWORD, sign_up, verify
from tests.phone import Phone
from tests.test_account import BOTH_WAYS, EMAIL, LATER, TEN_MINUTES, browser, sign_in
from tests.visitor import NAVIGATION, Page, Visitor
from webapp.accounts.people.remembered_browsers import RememberedBrowser
from webapp.accounts.people.sessions import Session
from webapp.accounts.people.user_agents import describe
from webapp.accounts.purge import purge

SESSIONS, END = "/account/sessions", "/account/sessions/end"


def rows(page: Page) -> list[str]:
    return [" ".join(row.text(separator=" ").split()) for row in page.html.css(".facts li")]


def handles(page: Page) -> list[str]:
    buttons = page.html.css("[name=session][value]")
    return [button.attributes["value"] or "" for button in buttons]


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (NAVIGATION["User-Agent"], "Firefox on Linux"),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
            ),
            "Safari on iPhone",
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0"
            ),
            "Edge on Windows",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
                "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"
            ),
            "Samsung Internet on Android",
        ),
        (
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like "
                "Gecko) Chrome/141.0.0.0 Safari/537.36"
            ),
            "Chrome on Mac",
        ),
        ("", "A browser"),
        ("<script>", "A browser"),
    ],
)
def test_a_browser_is_described_in_a_few_words(user_agent: str, words: str) -> None:
    assert describe(user_agent) == words


@BOTH_WAYS
async def test_another_browser_is_seen_and_signed_out(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(TEN_MINUTES)
    with browser(ada) as elsewhere:
        await sign_in(elsewhere, phone)
        await ada.visit("/account")
        clock.advance(TEN_MINUTES / 2)
        page = await ada.visit(SESSIONS)
        assert (page.status, page.step) == (200, "account-sessions")
        assert len(rows(page)) == 2
        assert "Firefox on Linux This browser" in rows(page)[0]
        [handle] = handles(page)
        assert not handle.isdigit()
        page = await ada.post(END, {"session": handle, "current": PASSWORD})
        assert (page.path, len(rows(page))) == (SESSIONS, 1)
        assert "That browser is signed out" in page.text
        assert (await elsewhere.client.get("/session")).status_code == 401
    assert (await ada.client.get("/session")).status_code == 200


async def test_all_others_end_at_once_and_this_browser_stays_remembered(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(TEN_MINUTES)
    await sign_in(ada, phone, remember="1")
    clock.advance(TEN_MINUTES)
    with browser(ada) as elsewhere:
        await sign_in(elsewhere, phone, remember="1")
        assert await RememberedBrowser.all().count() == 2
        clock.advance(-TEN_MINUTES / 2)
        page = await ada.visit(SESSIONS)
        assert len(rows(page)) == 4
        page = await ada.post(END, {"all": "1"})
        assert "Every other browser is signed out" in page.text
        assert len(rows(page)) == 2
        assert (await elsewhere.client.get("/session")).status_code == 401
        clock.advance(2 * TEN_MINUTES)
        assert (await sign_in(elsewhere, phone)).verified, "with a code again"
    assert await RememberedBrowser.filter(asks_code=False).count() == 1


async def test_a_remembered_browser_is_seen_and_asked_for_a_code_again(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(TEN_MINUTES)
    await sign_in(ada, phone, remember="1")
    page = await ada.visit(SESSIONS)
    assert "Browsers that need no code" in page.text
    assert "Firefox on Linux This browser, since" in rows(page)[-1]
    page = await ada.post(END, {"session": handles(page)[-1]})
    assert "Browsers that need no code" not in page.text
    assert (await ada.client.get("/session")).status_code == 200


@BOTH_WAYS
async def test_ten_minutes_after_the_password_it_is_asked_for(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(LATER)
    with browser(ada) as elsewhere:
        await sign_in(elsewhere, phone)
        await ada.visit(SESSIONS)
        page = await ada.post(END, {"all": "1"})
        assert (page.status, page.step, set(page.errors)) == (422, "account-sessions", {"current"})
        page = await ada.post(END, {"all": "1", "current": "not my password"})
        assert page.status == 422
        assert (await elsewhere.client.get("/session")).status_code == 200
        page = await ada.submit(END, current=PASSWORD)
        assert "Every other browser is signed out" in page.text
        assert (await elsewhere.client.get("/session")).status_code == 401


async def test_nobody_ends_the_session_of_somebody_else(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(TEN_MINUTES)
    with browser(ada) as elsewhere:
        await sign_in(elsewhere, phone)
        stolen = handles(await elsewhere.visit(SESSIONS))
        assert stolen
    with browser(ada) as other:
        await sign_up(other, email="eve@example.com", phone="07400 123457")
        await verify(other, phone, "+447400123457")
        assert handles(await other.visit(SESSIONS)) == []
        await other.post(END, {"session": stolen[0]})
        await other.post(END, {"all": "1"})
    assert await Session.all().count() == 3


async def test_a_session_that_is_over_is_not_shown(
    ada: Visitor, phone: Phone, clock: Clock, app: Starlette
) -> None:
    clock.advance(TEN_MINUTES)
    with browser(ada) as elsewhere:
        await sign_in(elsewhere, phone)
    await Session.exclude(user_agent="nobody").update(last_seen_at=clock.now)
    [mine, theirs] = await Session.all().order_by("created_at")
    long_ago = clock.now.replace(year=clock.now.year - 1)
    await Session.filter(token_hash=theirs.token_hash).update(last_seen_at=long_ago)
    assert len(rows(await ada.visit(SESSIONS))) == 1
    assert mine.token_hash != theirs.token_hash


@pytest.mark.environ(SESSION_IDLE="1h", SESSION_LIFETIME="3h")
async def test_how_long_a_session_lives_is_a_setting(
    ada: Visitor, client: httpx.AsyncClient, clock: Clock
) -> None:
    for _ in range(3):
        assert (await client.get("/session")).status_code == 200
        clock.advance(3600)
    assert (await client.get("/session")).status_code == 200
    clock.advance(1)
    assert (await client.get("/session")).status_code == 401, "three hours after signing in"


@pytest.mark.environ(SESSION_IDLE="1h", SESSION_LIFETIME="3h")
async def test_an_idle_session_ends_when_the_setting_says(
    ada: Visitor, client: httpx.AsyncClient, clock: Clock
) -> None:
    clock.advance(3601)
    assert (await client.get("/session")).status_code == 401
    assert (await ada.visit("/account")).path == "/signup"


async def test_a_sign_in_waits_half_an_hour_for_its_code(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(TEN_MINUTES)
    with browser(ada) as elsewhere:
        await elsewhere.visit("/signin")
        await elsewhere.submit("/signin", email=EMAIL, password=PASSWORD)
        clock.advance(30 * 60)
        assert (await elsewhere.visit("/signin/code")).step == "signin-code"
        clock.advance(1)
        assert (await elsewhere.visit("/signin/code")).step == "signin"
    gone = await purge(clock())
    assert gone["sessions"] == 1
    assert await Session.all().count() == 1
