"""Who signs in with a browser that the account was not used with is told of, by email."""

import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import ADA, NUMBER, sign_up, verify
from tests.phone import Phone
from tests.test_account import (
    BOTH_WAYS,
    TEN_MINUTES,
    browser,
    change_password,
    sign_in,
    until_delivered,
)
from tests.test_account import NEW_PASSWORD as NEW
from tests.visitor import Visitor
from webapp.accounts.people.remembered_browsers import RememberedBrowser
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import BROWSER_REMEMBERED

EMAIL = ADA["email"]
pytestmark = pytest.mark.environ(OUTBOX_IN_WEB="0")


@pytest.fixture
async def ada(ada: Visitor, app: Starlette, clock: Clock) -> Visitor:
    """Ada, whose email address is confirmed."""
    await until_delivered(app)
    await User.all().update(email_confirmed_at=clock())
    clock.advance(TEN_MINUTES)
    return ada


async def told(app: Starlette, phone: Phone) -> list[str]:
    """What the person was told of new sign-ins."""
    await until_delivered(app)
    bodies = [email.body for email in await phone.texts(EMAIL)]
    return [body for body in bodies if "signed in to your account" in body]


@BOTH_WAYS
async def test_a_browser_is_news_once(
    ada: Visitor, phone: Phone, app: Starlette, clock: Clock
) -> None:
    with browser(ada) as elsewhere:
        assert (await sign_in(elsewhere, phone)).verified
        [email] = await told(app, phone)
        assert "not been used with it lately: Firefox on Linux" in email
        assert "/password/forgot" in email
        await elsewhere.submit("/signout")
        clock.advance(TEN_MINUTES)
        page = await sign_in(elsewhere, phone)
        assert page.verified
        assert len(await told(app, phone)) == 1
        await elsewhere.submit("/signout")
        clock.advance(BROWSER_REMEMBERED.total_seconds())
        assert (await sign_in(elsewhere, phone)).verified
        assert len(await told(app, phone)) == 2


async def test_the_browser_that_signed_up_is_no_news(
    ada: Visitor, phone: Phone, app: Starlette
) -> None:
    await ada.visit("/account")
    await ada.submit("/signout")
    assert (await sign_in(ada, phone)).verified
    assert await told(app, phone) == []


async def test_a_browser_that_is_only_known_needs_a_code(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    with browser(ada) as elsewhere:
        await sign_in(elsewhere, phone)
        clock.advance(TEN_MINUTES)
        await elsewhere.visit("/signin?prompt=login")
        page = await elsewhere.submit("/signin", email=EMAIL, password=ADA["password"])
        assert page.step == "signin-code"
        await elsewhere.submit("/signin/code", code=await phone.code(NUMBER), remember="1")
        [row] = await RememberedBrowser.all()
        assert not row.asks_code
        page = await elsewhere.visit("/account/sessions")
        assert "Browsers that need no code" in page.text


async def test_after_a_new_password_every_browser_is_news(
    ada: Visitor, phone: Phone, app: Starlette, clock: Clock
) -> None:
    with browser(ada) as elsewhere:
        await sign_in(elsewhere, phone)
        await change_password(ada)
        clock.advance(TEN_MINUTES)
        await sign_in(elsewhere, phone, NEW)
    assert len(await told(app, phone)) == 2


async def test_who_gets_in_by_signing_up_again_is_news_as_well(
    ada: Visitor, phone: Phone, app: Starlette
) -> None:
    with browser(ada) as elsewhere:
        await sign_up(elsewhere)
        assert (await verify(elsewhere, phone)).verified
    assert len(await told(app, phone)) == 1


async def test_no_text_is_paid_for_it_and_no_address_of_strangers_is_told(
    ada: Visitor, phone: Phone, app: Starlette
) -> None:
    await User.all().update(email_confirmed_at=None)
    with browser(ada) as elsewhere:
        before = len(await phone.texts(NUMBER))
        await sign_in(elsewhere, phone)
    assert await told(app, phone) == []
    assert len(await phone.texts(NUMBER)) == before + 1, "the code"
