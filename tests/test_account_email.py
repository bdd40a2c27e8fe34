"""Another email address for an account: asked for, told to the old one, confirmed."""

import re
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import ADA, NUMBER, OTHER_NUMBER, PASSWORD, sign_up, verify
from tests.phone import Phone
from tests.rows import Rows
from tests.test_account import BOTH_WAYS, LATER, ON_SQLITE, browser, until_delivered
from tests.visitor import Page, Visitor
from webapp.accounts.people.users import User

OLD, NEW = ADA["email"], "ada@example.net"
pytestmark = pytest.mark.environ(RESENDS_PER_IP="off")


@pytest.fixture
async def ada(ada: Visitor, app: Starlette, clock: Clock) -> Visitor:
    """Ada, whose email address is confirmed; what she was sent before is delivered."""
    await until_delivered(app)
    await User.all().update(email_confirmed_at=clock())
    clock.advance(LATER)
    return ada


async def ask(visitor: Visitor, email: str = NEW, current: str = PASSWORD) -> Page:
    await visitor.visit("/account/email")
    return await visitor.submit("/account/email", email=email, current=current)


async def link(phone: Phone, address: str = NEW) -> str:
    """The path of the link in the email that the new address was sent."""
    email = await phone.text(address, f"make {address} the email address")
    [url] = re.findall(r"https?://\S+", email.body)
    return str(urlsplit(url).path)


async def press(visitor: Visitor, path: str) -> Page:
    await visitor.visit(path)
    return await visitor.post(path, {})


@BOTH_WAYS
async def test_a_new_address_counts_once_it_is_confirmed(
    ada: Visitor, app: Starlette, phone: Phone
) -> None:
    page = await ask(ada)
    assert (page.status, page.path) == (200, "/account")
    assert "emailed a link to the new address" in page.text
    assert OLD in page.text
    assert f"{NEW} to make it your email address" in page.text
    await phone.text(OLD, "somebody asked to change the email address")
    path = await link(phone)
    await ada.visit(path)
    assert (await User.get()).email == OLD, "to look at a link changes nothing"
    page = await ada.submit(path)
    assert page.title.startswith("Your email address is confirmed")
    user = await User.get()
    assert (user.email, user.claimed_email) == (NEW, NEW)
    assert user.email_confirmed_at
    await phone.text(OLD, "was changed on")
    page = await ada.visit("/account")
    assert NEW in page.text
    assert "to make it your email address" not in page.text


async def test_the_old_address_is_free_and_the_new_one_signs_in(
    ada: Visitor, app: Starlette, phone: Phone, clock: Clock
) -> None:
    await ask(ada)
    await press(ada, await link(phone))
    clock.advance(LATER)
    with browser(ada) as again:
        await again.visit("/signin")
        page = await again.submit("/signin", email=NEW, password=PASSWORD)
        assert page.step == "signin-code"
    with browser(ada) as other:
        clock.advance(LATER)
        await sign_up(other, email=OLD, phone="07400 123457")
        assert (await verify(other, phone, OTHER_NUMBER)).verified


@BOTH_WAYS
async def test_a_wrong_password_sends_nothing(ada: Visitor, app: Starlette, phone: Phone) -> None:
    page = await ask(ada, current="not my password")
    assert (page.status, set(page.errors)) == (422, {"current"})
    assert page.html.css_first(f"[name=email][value='{NEW}']"), "what was typed is kept"
    await until_delivered(app)
    assert await phone.texts(NEW) == []


async def test_only_another_address_in_the_right_form_is_taken(ada: Visitor) -> None:
    for email in ("", "ada@", OLD):
        page = await ask(ada, email)
        assert (page.status, set(page.errors)) == (422, {"email"})


async def test_a_taken_address_is_told_to_its_mailbox_alone(
    ada: Visitor, app: Starlette, phone: Phone, clock: Clock
) -> None:
    with browser(ada) as other:
        await sign_up(other, email=NEW, phone="07400 123457")
        assert (await verify(other, phone, OTHER_NUMBER)).verified
    await until_delivered(app)
    page = await ask(ada)
    assert "emailed a link to the new address" in page.text
    path = await link(phone)
    page = await press(ada, path)
    assert (page.status, page.title.split(" – ")[0]) == (409, "This email already has an account")
    assert {user.email for user in await User.all()} == {OLD, NEW}


async def test_only_the_last_address_that_was_asked_for_can_be_confirmed(
    ada: Visitor, app: Starlette, phone: Phone, clock: Clock
) -> None:
    await ask(ada)
    first = await link(phone)
    assert (await ask(ada, "ada@example.org")).status == 429, "a moment ago"
    clock.advance(60)
    await ask(ada, "ada@example.org")
    assert (await press(ada, first)).status == 410
    page = await press(ada, await link(phone, "ada@example.org"))
    assert page.title.startswith("Your email address is confirmed")
    assert (await User.get()).email == "ada@example.org"


async def test_a_new_password_ends_the_link(ada: Visitor, app: Starlette, phone: Phone) -> None:
    await ask(ada)
    path = await link(phone)
    await ada.visit("/account/password")
    new = "orchid lantern tundra 58"
    await ada.submit("/account/password", current=PASSWORD, password=new)
    assert (await press(ada, path)).status == 410


async def test_nobody_has_strangers_sent_more_than_ten_emails_a_day(
    ada: Visitor, clock: Clock
) -> None:
    for number in range(10):
        assert (await ask(ada, f"stranger{number}@example.com")).path == "/account"
        clock.advance(60)
    page = await ask(ada, "stranger@example.com")
    assert (page.status, "as many emails" in page.text) == (429, True)


async def test_an_address_that_is_not_confirmed_is_told_and_the_phone_too(
    ada: Visitor, app: Starlette, phone: Phone
) -> None:
    await User.all().update(email_confirmed_at=None)
    await ask(ada)
    await phone.text(OLD, "asked to change the email address")
    await phone.text(NUMBER, "A new email address was asked for")


@ON_SQLITE
@pytest.mark.environ(WEBHOOK_URL="https://app.example/hook", WEBHOOK_SECRET="whsec_" + "a" * 32)
async def test_applications_hear_of_another_address(
    ada: Visitor, phone: Phone, database_url: str
) -> None:
    await ask(ada)
    before = Rows(database_url).one("SELECT count(*) FROM outbox WHERE channel = 'webhook'")
    await press(ada, await link(phone))
    rows = Rows(database_url).all(
        "SELECT subject, body FROM outbox WHERE channel = 'webhook' ORDER BY id"
    )
    assert len(rows) == before + 1
    assert rows[-1][0] == "account.updated"
    assert f'"email": "{NEW}", "email_verified": true' in rows[-1][1]
