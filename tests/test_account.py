"""The account's own pages, by HTTP: what can be changed, with which proof, and who is told."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.people import ADA, NUMBER, PASSWORD, sign_up
from tests.phone import PATIENCE, Phone
from tests.rows import Rows
from tests.visitor import Page, Visitor
from webapp.accounts.people.remembered_browsers import RememberedBrowser
from webapp.accounts.people.sessions import Session
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import (
    FREE_PASSWORD_CHECKS,
    NOTICE_TEXTS_PER_PHONE,
    RECENT_PROOF,
)
from webapp.accounts.sending.outbox import OutboxMessage

BOTH_WAYS = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
EMAIL = ADA["email"]
NEW_PASSWORD = "orchid lantern tundra 58"
TEN_MINUTES = 600
LATER = RECENT_PROOF.total_seconds() + 1


@pytest.fixture
async def ada(ada: Visitor, app: Starlette, clock: Clock) -> Visitor:
    """Ada, whose account is verified, some time later; what she was sent then is delivered."""
    await until_delivered(app)
    clock.advance(LATER)
    return ada


@contextmanager
def browser(visitor: Visitor) -> Iterator[Visitor]:
    """Another browser at the same site."""
    client = httpx.AsyncClient(
        transport=visitor.client._transport, base_url=visitor.client.base_url
    )
    yield Visitor(client)


async def until_delivered(app: Starlette) -> None:
    """Until nothing waits in the outbox, be it delivered here or in the background."""
    async with asyncio.timeout(PATIENCE):
        while await OutboxMessage.filter(done_at=None).exclude(channel="webhook").exists():
            await app.state.outbox.deliver()
            await asyncio.sleep(0.05)


async def sign_in(visitor: Visitor, phone: Phone, password: str = PASSWORD, **more: str) -> Page:
    await visitor.visit("/signin?prompt=login")
    page = await visitor.submit("/signin", email=EMAIL, password=password)
    if page.step != "signin-code":
        return page
    return await visitor.submit("/signin/code", code=await phone.code(NUMBER), **more)


async def change_password(
    visitor: Visitor, current: str = PASSWORD, password: str = NEW_PASSWORD
) -> Page:
    await visitor.visit("/account/password")
    return await visitor.submit("/account/password", current=current, password=password)


# --- the password --------------------------------------------------------------------------------


@BOTH_WAYS
async def test_a_password_is_changed_with_the_one_there_is(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    page = await change_password(ada)
    assert (page.status, page.path, page.step) == (200, "/account", "account")
    assert "Your password is changed" in page.text
    assert "Your password is changed" not in (await ada.visit("/account")).text, "said once"
    await ada.submit("/signout")
    clock.advance(TEN_MINUTES)
    assert (await sign_in(ada, phone)).status == 422
    assert (await sign_in(ada, phone, NEW_PASSWORD)).verified


@BOTH_WAYS
async def test_a_wrong_current_password_changes_nothing(ada: Visitor) -> None:
    before = (await User.get()).password_hash
    page = await change_password(ada, current="not my password")
    assert (page.status, page.step) == (422, "account-password")
    assert set(page.errors) == {"current"}
    assert (await User.get()).password_hash == before


async def test_a_new_password_is_held_to_the_rules_of_sign_up(ada: Visitor) -> None:
    for password in ("", "short", "password1", "ada lovelace", "x" * 1001):
        page = await change_password(ada, password=password)
        assert (page.status, set(page.errors)) == (422, {"password"}), password
    page = await change_password(ada, current="", password="")
    assert set(page.errors) == {"current", "password"}


async def test_a_new_password_ends_every_other_way_in(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    clock.advance(TEN_MINUTES)
    with browser(ada) as elsewhere:
        assert (await sign_in(elsewhere, phone, remember="1")).verified
        assert await RememberedBrowser.all().count() == 1
        assert (await change_password(ada)).path == "/account"
        assert (await elsewhere.visit("/account")).path == "/signup"
        assert (await elsewhere.client.get("/session")).status_code == 401
    assert await RememberedBrowser.all().count() == 0
    assert await Session.all().count() == 1
    assert (await ada.visit("/account")).verified


async def test_proving_again_gives_a_new_token(ada: Visitor) -> None:
    [before] = await Session.all()
    old = httpx.Cookies(ada.client.cookies)
    await change_password(ada)
    [after] = await Session.all()
    assert before.token_hash != after.token_hash
    assert before.created_at == after.created_at, "the absolute end stays"
    ada.client.cookies = old
    assert (await ada.client.get("/session")).status_code == 401


async def test_a_change_sent_twice_is_answered_twice(ada: Visitor) -> None:
    """Its first answer, with the new cookie, got lost."""
    old, fields = httpx.Cookies(ada.client.cookies), {"current": PASSWORD, "password": NEW_PASSWORD}
    await ada.post("/account/password", fields)
    ada.client.cookies = old
    page = await ada.post("/account/password", fields)
    assert (page.status, page.path, page.verified) == (200, "/account", True)
    ada.client.cookies = old
    page = await ada.post("/account/password", fields | {"current": "a guess"})
    assert page.path == "/signin", "the former token alone is dead"


async def test_nobody_else_gets_to_a_page_of_the_account(visitor: Visitor) -> None:
    paths = ("/account/password", "/account/name")
    for path in paths:
        page = await visitor.visit(path)
        assert (page.path, page.step) == ("/signin", "signin")
        assert page.html.css_first(f"[name=return_to][value='{path}']")
        assert (await visitor.post(path, {"current": PASSWORD})).path == "/signin"
    await sign_up(visitor)
    for path in paths:
        assert (await visitor.visit(path)).path == "/verification", "not verified yet"
        assert (await visitor.post(path, {"current": PASSWORD})).path == "/verification"


async def test_password_managers_find_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/.well-known/change-password")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/password")


# --- the proof -----------------------------------------------------------------------------------


async def test_wrong_current_passwords_pause_as_at_the_door(ada: Visitor, clock: Clock) -> None:
    for _ in range(FREE_PASSWORD_CHECKS + 1):
        assert (await change_password(ada, current="not my password")).status == 422
    page = await change_password(ada)
    assert (page.status, page.response.headers["retry-after"]) == (429, "1")
    clock.advance(1)
    assert (await change_password(ada)).path == "/account"


@pytest.mark.environ(SIGNINS_PER_IP="off")
async def test_strangers_at_the_door_do_not_hold_up_who_is_signed_in(ada: Visitor) -> None:
    with browser(ada) as stranger:
        for _ in range(FREE_PASSWORD_CHECKS + 2):
            await stranger.visit("/signin")
            await stranger.submit("/signin", email=EMAIL, password="not the password")
    assert (await change_password(ada)).path == "/account"


async def test_a_name_needs_the_password_ten_minutes_after_it_was_entered(
    ada: Visitor, clock: Clock
) -> None:
    page = await ada.visit("/account/name")
    assert page.html.css_first("[name=current]")
    page = await ada.submit("/account/name", name="Ada King")
    assert set(page.errors) == {"current"}
    page = await ada.submit("/account/name", name="Ada King", current=PASSWORD)
    assert "Ada King" in page.text
    page = await ada.visit("/account/name")
    assert not page.html.css_first("[name=current]")
    assert "Ada Byron" in (await ada.submit("/account/name", name="Ada Byron")).text
    clock.advance(LATER)
    assert (await ada.post("/account/name", {"name": "Eve"})).status == 422
    assert (await User.get()).name == "Ada Byron"


# --- what the next page says


@BOTH_WAYS
async def test_a_code_sent_again_is_said_once_with_and_without_scripts(
    visitor: Visitor, clock: Clock
) -> None:
    await sign_up(visitor)
    clock.advance(60)
    page = await visitor.submit("/verification/resend")
    assert (page.path, page.status) == ("/verification", 200)
    assert "We have sent the code" in page.text
    assert "We have sent the code" not in (await visitor.visit("/verification")).text


# --- who is told ---------------------------------------------------------------------------------


async def test_without_a_confirmed_email_a_text_tells(
    ada: Visitor, phone: Phone, app: Starlette
) -> None:
    with capture_logs() as lines:
        await change_password(ada)
    assert [line["told_by"] for line in lines if line["event"] == "password_changed"] == [["text"]]
    assert EMAIL not in str(lines)
    assert NUMBER[-6:] not in str(lines)
    await until_delivered(app)
    assert (await phone.texts(NUMBER))[0].body == (
        "Demo: Your password was changed. Not you? Choose a new password at once."
    )
    assert not [mail for mail in await phone.texts(EMAIL) if "changed" in mail.body]


async def test_a_confirmed_email_is_told_and_no_text_is_paid(
    ada: Visitor, phone: Phone, app: Starlette, clock: Clock
) -> None:
    await User.all().update(email_confirmed_at=clock())
    before = len(await phone.texts(NUMBER))
    await change_password(ada)
    await until_delivered(app)
    assert len(await phone.texts(NUMBER)) == before
    told = (await phone.texts(EMAIL))[0]
    assert "was changed on" in told.body
    assert "/password/forgot" in told.body


async def test_a_refused_change_is_told_to_nobody(
    ada: Visitor, phone: Phone, app: Starlette
) -> None:
    before = len(await phone.texts(NUMBER))
    await change_password(ada, current="not my password")
    await until_delivered(app)
    assert len(await phone.texts(NUMBER)) == before


async def test_changes_are_no_way_to_have_texts_paid_for(
    ada: Visitor, phone: Phone, app: Starlette
) -> None:
    passwords = [f"orchid lantern tundra {number}" for number in range(10, 25)]
    current = PASSWORD
    for password in passwords:
        assert (await change_password(ada, current, password)).path == "/account"
        current = password
    await until_delivered(app)
    plain = [text for text in await phone.texts(NUMBER) if "Demo:" in text.body]
    assert len(plain) == NOTICE_TEXTS_PER_PHONE


async def test_a_name_is_no_text_worth(ada: Visitor, phone: Phone, app: Starlette) -> None:
    before = len(await phone.texts(NUMBER))
    await ada.visit("/account/name")
    await ada.submit("/account/name", name="Ada King", current=PASSWORD)
    await until_delivered(app)
    assert len(await phone.texts(NUMBER)) == before


@ON_SQLITE
@pytest.mark.environ(WEBHOOK_URL="https://app.example/hook", WEBHOOK_SECRET="whsec_" + "a" * 32)
async def test_applications_hear_of_another_name(ada: Visitor, database_url: str) -> None:
    await ada.visit("/account/name")
    await ada.submit("/account/name", name="Ada King", current=PASSWORD)
    rows = Rows(database_url).all(
        "SELECT subject, body FROM outbox WHERE channel = 'webhook' ORDER BY id"
    )
    assert rows[-1][0] == "account.updated"
    assert '"name": "Ada King"' in rows[-1][1]
