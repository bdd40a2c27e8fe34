"""A forgotten password: a link by email, a code to the phone, another password."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import FormData
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.people import ADA, NUMBER, PASSWORD, sign_up, verify, wrong
from tests.phone import PATIENCE, Phone
from tests.rows import Rows
from tests.visitor import Page, Visitor
from webapp.accounts.challenges.links import LIFETIMES, Purpose
from webapp.accounts.forms.recovery import ResetForm
from webapp.accounts.journeys import recover
from webapp.accounts.people.sessions import UNKNOWN_BROWSER, Session, token_hash
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import (
    EMAIL_COOL_DOWN,
    EMAILS_PER_ADDRESS,
    PASSWORD_CHECKS_IN_A_ROW,
)
from webapp.sandbox import Sandbox
from webapp.sandbox.pwned import BREACHED

BOTH_WAYS = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
EVERY_PROVIDER = pytest.mark.parametrize("provider", ["twilio", "codes", "authy"])
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
EMAIL = ADA["email"]
NEW_PASSWORD = "amber lighthouse concerto 27"
TEN_MINUTES = 600
HISTORY = r"phone_events|daily_totals"  # which are written now and then
FORGOT, SENT = "/password/forgot", "/password/forgot/sent"


@pytest.fixture
async def account(visitor: Visitor, phone: Phone, clock: Clock) -> User:
    """Ada's account, verified; her browser is signed out again and the cool-down is over."""
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified
    await visitor.submit("/signout")
    clock.advance(TEN_MINUTES)
    return await User.get(email=EMAIL)


async def ask(visitor: Visitor, email: str = EMAIL) -> Page:
    await visitor.visit(FORGOT)
    return await visitor.submit(FORGOT, email=email)


async def links(phone: Phone, to: str = EMAIL) -> list[str]:
    """The paths of the links in the emails about a forgotten password, newest first."""
    answer = await phone.client.get(phone.path, params={"to": to})
    found = [message.get("link") or "" for message in answer.raise_for_status().json()]
    return [urlsplit(link).path for link in found if "/password/reset/" in link]


async def link(phone: Phone, nth: int = 1) -> str:
    """The path of the newest link, once there are ``nth``."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if len(found := await links(phone)) >= nth:
                return found[0]
            await asyncio.sleep(0.05)


async def open_link(visitor: Visitor, phone: Phone) -> str:
    """Ask for a link and have a code sent by it: the link."""
    assert (await ask(visitor)).path == SENT
    path = await link(phone)
    page = await visitor.visit(path)
    assert (page.status, page.step) == (200, "reset")
    page = await visitor.submit(f"{path}/send")
    assert (page.status, page.path, page.step) == (200, path, "reset")
    return path


async def choose(visitor: Visitor, phone: Phone, path: str, **changes: str) -> Page:
    fields = {"code": await phone.code(NUMBER), "password": NEW_PASSWORD}
    return await visitor.submit(path, **(fields | changes))


async def sign_in(visitor: Visitor, password: str) -> Page:
    await visitor.visit("/signin")
    return await visitor.submit("/signin", email=EMAIL, password=password)


# --- the way it is meant -------------------------------------------------------------------------


@EVERY_PROVIDER
@BOTH_WAYS
async def test_with_the_link_and_the_code_another_password_is_chosen(
    account: User, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    path = await open_link(visitor, phone)
    page = await choose(visitor, phone, path)
    assert (page.status, page.path, page.verified) == (200, "/account", True)
    assert "password is changed" in page.text
    await visitor.submit("/signout")
    clock.advance(TEN_MINUTES)
    assert (await sign_in(visitor, PASSWORD)).status == 422
    assert (await sign_in(visitor, NEW_PASSWORD)).step == "signin-code"


async def test_sign_in_and_the_page_of_a_taken_email_lead_to_it(
    account: User, visitor: Visitor, phone: Phone
) -> None:
    page = await visitor.visit("/signin")
    assert page.html.css_first(f"a[href='{FORGOT}']")
    await sign_up(visitor, password="another tugboat harmonica 42")
    page = await verify(visitor, phone)
    assert page.verified is False
    assert page.html.css_first(f"a[href='{FORGOT}']")


async def test_every_session_and_remembered_browser_ends_and_one_begins(
    account: User, visitor: Visitor, phone: Phone, client: httpx.AsyncClient, clock: Clock
) -> None:
    await sign_in(visitor, PASSWORD)
    await visitor.submit("/signin/code", code=await phone.code(NUMBER), remember="1")
    elsewhere = Visitor(httpx.AsyncClient(transport=client._transport, base_url=client.base_url))
    clock.advance(TEN_MINUTES)
    path = await open_link(elsewhere, phone)
    assert (await choose(elsewhere, phone, path)).verified
    assert (await visitor.visit("/account")).path != "/account"
    clock.advance(TEN_MINUTES)
    assert (await sign_in(visitor, NEW_PASSWORD)).step == "signin-code", "it is not remembered"
    assert await Session.filter(user_id=account.id, stage="open").count() == 1


async def test_the_person_is_told_by_text_and_by_email(
    account: User, visitor: Visitor, phone: Phone
) -> None:
    await User.filter(id=account.id).update(email_confirmed_at=account.verified_at)
    path = await open_link(visitor, phone)
    await choose(visitor, phone, path)
    assert (await phone.text(NUMBER, "assword was")).channel == "sms"
    assert (await phone.text(EMAIL, "was changed")).channel == "email"


async def test_it_ends_the_pause_after_a_hundred_wrong_passwords(
    account: User, visitor: Visitor, phone: Phone, clock: Clock, database_url: str
) -> None:
    await sign_in(visitor, "not the password")
    rows = Rows(database_url)
    rows.all("UPDATE password_checks SET in_a_row = ?", PASSWORD_CHECKS_IN_A_ROW)
    page = await sign_in(visitor, PASSWORD)
    assert page.status == 429
    assert page.html.css_first(f"a[href='{FORGOT}']")
    path = await open_link(visitor, phone)
    assert (await choose(visitor, phone, path)).verified
    await visitor.submit("/signout")
    clock.advance(TEN_MINUTES)
    assert (await sign_in(visitor, NEW_PASSWORD)).step == "signin-code"


# --- the link ------------------------------------------------------------------------------------


async def test_to_look_at_a_link_changes_nothing_and_sends_nothing(
    account: User, visitor: Visitor, phone: Phone, client: httpx.AsyncClient
) -> None:
    await ask(visitor)
    path = await link(phone)
    before = len(await phone.texts(NUMBER))
    for _ in range(3):
        assert (await visitor.visit(path)).status == 200
        assert (await client.head(path)).status_code == 200
    assert len(await phone.texts(NUMBER)) == before
    await visitor.submit(f"{path}/send")
    assert (await choose(visitor, phone, path)).verified


@pytest.mark.parametrize("ending", ["used", "old", "unknown", "changed", "another purpose"])
async def test_a_link_works_once_for_thirty_minutes_and_for_the_account_as_it_was(
    account: User, visitor: Visitor, phone: Phone, clock: Clock, database_url: str, ending: str
) -> None:
    path = await open_link(visitor, phone)
    if ending == "used":
        await choose(visitor, phone, path)
        clock.advance(TEN_MINUTES)
    elif ending == "old":
        clock.advance(LIFETIMES[Purpose.RESET_PASSWORD].total_seconds())
    elif ending == "changed":
        await User.filter(id=account.id).update(phone="+447400123457")
    elif ending == "another purpose":
        Rows(database_url).all("UPDATE links SET purpose = 'confirm_email'")
    else:
        path = "/password/reset/made-up"
    page = await visitor.visit(path)
    assert (page.status, page.step) == (410, "reset")
    assert page.html.css_first(f"a[href='{FORGOT}']")
    for action in (path, f"{path}/send"):
        page = await visitor.post(action, {"code": "123456", "password": NEW_PASSWORD})
        assert (page.status, page.step) == (410, "reset")
    assert (
        (await User.get(id=account.id)).phone != NUMBER
        or ending == "used"
        or ((await User.get(id=account.id)).password_hash == account.password_hash)
    )


async def test_no_token_is_in_the_database_the_log_or_a_referrer(
    account: User, visitor: Visitor, phone: Phone, client: httpx.AsyncClient, database_url: str
) -> None:
    with capture_logs() as lines:
        path = await open_link(visitor, phone)
        answer = await client.get(path)
    token = path.rpartition("/")[2]
    assert len(token) == 43
    assert answer.headers["referrer-policy"] == "strict-origin"
    assert token not in str(lines)
    stored = Rows(database_url).all("SELECT * FROM links")
    assert stored
    assert token not in str(stored)


@pytest.mark.parametrize("path", ["/password/reset", "/phone/new", "/phone/stop", "/email/confirm"])
async def test_no_page_behind_a_link_names_itself_to_other_sites(
    client: httpx.AsyncClient, path: str
) -> None:
    url, ours = f"{path}/unknown", {"Sec-Fetch-Site": "same-origin"}
    for answer in (await client.get(url), await client.post(url, headers=ours)):
        assert (answer.status_code, answer.headers["referrer-policy"]) == (410, "strict-origin")


async def test_the_email_goes_to_the_address_of_the_account_and_not_to_the_one_typed(
    account: User, visitor: Visitor, phone: Phone
) -> None:
    await ask(visitor, "ＡＤＡ@EXAMPLE.com")
    assert await link(phone)
    assert await links(phone, "ada@EXAMPLE.com") == []


# --- who asks ------------------------------------------------------------------------------------


@ON_SQLITE
@pytest.mark.environ(OUTBOX_IN_WEB="0")
async def test_nobody_learns_by_asking_who_has_an_account(
    account: User, visitor: Visitor, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    await sign_up(visitor, email="pending@example.com", phone="07400 123458")
    await visitor.submit("/signout")
    seen = []
    for email in (EMAIL, "nobody@example.com", "pending@example.com"):
        answers = []
        for _ in range(2):  # the second one is too soon
            await visitor.visit(FORGOT)
            caplog.clear()
            with caplog.at_level("DEBUG", "tortoise.db_client"):
                page = await visitor.submit(FORGOT, email=email)
            told = [record.getMessage() for record in caplog.records]
            statements = [
                re.sub(r": \[.*", "", line, flags=re.DOTALL)
                for line in told
                if not re.search(HISTORY, line)
            ]
            text = page.response.text.replace(email, "")
            answers.append((page.status, page.path, text, len(page.response.headers), statements))
        seen.append(answers)
    assert seen[0] == seen[1] == seen[2]
    assert [answer[0] for answer in seen[0]] == [200, 429]
    assert any("INSERT INTO outbox" in statement for statement in seen[0][0][4])


@ON_SQLITE
async def test_who_has_no_account_is_sent_no_email(
    account: User, visitor: Visitor, app: Starlette, database_url: str
) -> None:
    before = Rows(database_url).one("SELECT count(*) FROM outbox")
    await ask(visitor, "nobody@example.com")
    assert Rows(database_url).one("SELECT count(*) FROM outbox") == before


@pytest.mark.environ(RESENDS_PER_IP="off")
async def test_one_email_is_sent_a_link_once_a_minute_and_ten_a_day(
    account: User, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    for nth in range(EMAILS_PER_ADDRESS):
        assert (await ask(visitor)).path == SENT
        await link(phone, nth + 1)
        assert (await ask(visitor)).status == 429
        clock.advance(EMAIL_COOL_DOWN.total_seconds())
    page = await ask(visitor)
    assert page.status == 429
    assert "23 hours" in page.text or "24 hours" in page.text
    clock.advance(timedelta(days=1).total_seconds())
    assert (await ask(visitor)).path == SENT


@ON_SQLITE
@pytest.mark.environ(RESENDS_PER_IP="2/hour")
async def test_one_address_asks_for_so_many_links(visitor: Visitor) -> None:
    for name in ("a", "b"):
        assert (await ask(visitor, f"{name}@example.com")).path == SENT
    page = await ask(visitor, "c@example.com")
    assert (page.status, page.step) == (429, "forgot")


@ON_SQLITE
@pytest.mark.environ(SUPPORT_URL="mailto:help@example.com")
@pytest.mark.parametrize("way", ["get", "post"])
async def test_where_no_email_is_sent_it_is_not_offered_and_says_where_to_turn(
    app: Starlette, visitor: Visitor, way: str
) -> None:
    app.state.site = replace(app.state.site, emails=None)
    page = await (visitor.visit(FORGOT) if way == "get" else visitor.post(FORGOT, {"email": EMAIL}))
    assert (page.status, page.step) == (200, "forgot")
    assert not page.html.css("main form")
    assert page.html.css_first("main a[href='mailto:help@example.com']")


# --- the code and the password -------------------------------------------------------------------


@BOTH_WAYS
async def test_after_a_wrong_code_only_the_password_is_typed_again(
    account: User, visitor: Visitor, phone: Phone
) -> None:
    path = await open_link(visitor, phone)
    code = await phone.code(NUMBER)
    page = await choose(visitor, phone, path, code=wrong(code))
    assert (page.status, page.step) == (422, "reset")
    assert "4 tries left" in page.errors["code"]
    assert NEW_PASSWORD not in page.response.text
    assert (await choose(visitor, phone, path)).verified


@BOTH_WAYS
@pytest.mark.environ(PWNED_PASSWORDS_URL="https://api.pwnedpasswords.com")
@pytest.mark.parametrize("password", ["", "heron", "adalovelace", "password1", BREACHED])
async def test_a_password_that_is_refused_costs_no_try_and_keeps_the_code(
    account: User, visitor: Visitor, phone: Phone, password: str
) -> None:
    path = await open_link(visitor, phone)
    page = await choose(visitor, phone, path, password=password)
    assert (page.status, set(page.errors)) == (422, {"password"})
    code = page.html.css_first("#code")
    assert code
    assert code.attributes["value"] == await phone.code(NUMBER)
    assert (await choose(visitor, phone, path)).verified


async def test_the_code_is_sent_again_after_its_cool_down(
    account: User, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    path = await open_link(visitor, phone)
    page = await visitor.submit(f"{path}/send", button="sms")
    assert page.status == 429
    clock.advance(30)
    before = len(await phone.texts(NUMBER))
    page = await visitor.submit(f"{path}/send", button="sms")
    assert (page.status, len(await phone.texts(NUMBER))) == (200, before + 1)
    assert (await choose(visitor, phone, path)).verified


@pytest.mark.environ(CHECKS_PER_IP="off")
async def test_a_code_is_guessed_five_times_and_a_new_link_gives_no_more(
    account: User, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    path = await open_link(visitor, phone)
    right = await phone.code(NUMBER)
    for nth in range(1, 6):
        await visitor.post(path, {"code": wrong(right, nth), "password": NEW_PASSWORD})
    clock.advance(EMAIL_COOL_DOWN.total_seconds())
    await ask(visitor)
    again = await link(phone, 2)
    for each in (path, again):
        page = await visitor.post(each, {"code": right, "password": NEW_PASSWORD})
        assert (page.status, page.step) == (429, "reset")
        page = await visitor.post(f"{each}/send", {"channel": "sms"})
        assert page.status == 429


@pytest.mark.environ(SENDS_PER_PHONE="1")
async def test_its_codes_count_in_the_limits_of_the_phone(
    account: User, visitor: Visitor, phone: Phone
) -> None:
    await ask(visitor)
    path = await link(phone)
    await visitor.visit(path)
    before = len(await phone.texts(NUMBER))
    page = await visitor.submit(f"{path}/send")
    assert (page.status, page.step) == (429, "reset")
    assert "too many codes" in page.text
    assert len(await phone.texts(NUMBER)) == before


@EVERY_PROVIDER
async def test_a_text_service_that_is_away_has_words_and_a_way_on(
    account: User, visitor: Visitor, phone: Phone, sandbox: Sandbox
) -> None:
    await ask(visitor)
    path = await link(phone)
    await visitor.visit(path)
    sandbox.fail("refused", 5)
    page = await visitor.submit(f"{path}/send")
    assert (page.status, page.step) == (503, "reset")
    sandbox.faults.clear()
    page = await visitor.submit(f"{path}/send", button="sms")
    assert page.status == 200
    assert (await choose(visitor, phone, path)).verified


@ON_SQLITE
async def test_a_code_for_signing_in_does_not_reset_the_password(
    account: User, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await ask(visitor)
    path = await link(phone)
    clock.advance(60)
    await sign_in(visitor, PASSWORD)
    code = await phone.code(NUMBER)
    page = await visitor.post(path, {"code": code, "password": NEW_PASSWORD})
    assert (page.status, page.step) == (422, "reset")
    assert (await User.get(id=account.id)).password_hash == account.password_hash


async def test_who_lost_our_answer_sends_the_form_again_and_is_in(
    account: User, visitor: Visitor, phone: Phone, client: httpx.AsyncClient
) -> None:
    path = await open_link(visitor, phone)
    fields = {"code": await phone.code(NUMBER), "password": NEW_PASSWORD}
    await client.post(path, data=fields, headers={"Sec-Fetch-Site": "same-origin"})
    client.cookies.clear()
    page = await visitor.post(path, fields | {"password": "another password entirely 9"})
    assert (page.status, page.step) == (410, "reset")
    page = await visitor.post(path, fields)
    assert (page.path, page.verified) == ("/account", True)


async def test_the_same_form_that_reads_the_link_before_and_the_code_after_its_use_is_answered(
    account: User, visitor: Visitor, phone: Phone, app: Starlette
) -> None:
    """Two statements read them, and between the two another request may use both."""
    path = await open_link(visitor, phone)
    site, token = app.state.site, path.rpartition("/")[2]
    user, _ = await recover.open_link(site, token)
    fields = {"code": await phone.code(NUMBER), "password": NEW_PASSWORD}
    assert (await visitor.submit(path, **fields)).path == "/account"
    form, between = ResetForm.parse(FormData(fields)), recover.Reset(user, None)
    session = await recover.reset_password(site, token, between, form, UNKNOWN_BROWSER)
    assert await Session.exists(token_hash=token_hash(session))
