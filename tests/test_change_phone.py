"""Another number for an account: by both phones, or with the old one lost."""

import asyncio
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.people import ADA, CONFIRMATION, NUMBER, OTHER_NUMBER, PASSWORD, sign_up, verify, wrong
from tests.phone import PATIENCE, Phone
from tests.rows import Rows
from tests.visitor import Page, Visitor
from webapp.accounts.journeys.lost_phone import make_due
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import NUMBERS_PER_ACCOUNT
from webapp.sandbox import Sandbox

BOTH_WAYS = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
EVERY_PROVIDER = pytest.mark.parametrize("provider", ["twilio", "codes", "authy"])
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
EMAIL = ADA["email"]
TEN_MINUTES, DAY = 600, 86_400
PHONE, CODE = "/account/phone", "/account/phone/code"
NEW = {"country": "GB", "phone": "07400 123457", "current": PASSWORD}


@pytest.fixture
async def ada(visitor: Visitor, phone: Phone, clock: Clock) -> Visitor:
    """Ada, signed in, some time after she signed up."""
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified
    clock.advance(TEN_MINUTES)
    return visitor


async def begin(visitor: Visitor, **changes: str) -> Page:
    await visitor.visit(PHONE)
    return await visitor.submit(PHONE, **(NEW | changes))


async def enter(visitor: Visitor, phone: Phone, **changes: str) -> Page:
    codes = {"old_code": await phone.code(NUMBER), "code": await phone.code(OTHER_NUMBER)}
    return await visitor.submit(CODE, **(codes | changes))


async def number() -> str:
    return (await User.get(email=EMAIL)).phone


# --- with both phones ----------------------------------------------------------------------------


@EVERY_PROVIDER
@BOTH_WAYS
async def test_a_code_from_each_phone_changes_the_number_and_the_old_one_is_told(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    page = await ada.visit("/account")
    assert page.html.css_first(f"a[href='{PHONE}']")
    page = await begin(ada)
    assert (page.status, page.path, page.step) == (200, CODE, "account-phone-code")
    page = await enter(ada, phone)
    assert (page.status, page.path, page.verified) == (200, "/account", True)
    assert "number is changed" in page.text
    assert await number() == OTHER_NUMBER
    assert "mobile number was changed" in (await phone.text(NUMBER, "number was changed")).body
    await ada.submit("/signout")
    clock.advance(TEN_MINUTES)
    await ada.visit("/signin")
    await ada.submit("/signin", email=EMAIL, password=PASSWORD)
    page = await ada.submit("/signin/code", code=await phone.code(OTHER_NUMBER))
    assert page.verified


@BOTH_WAYS
async def test_a_wrong_code_is_told_beside_its_field_and_the_other_is_kept(
    ada: Visitor, phone: Phone
) -> None:
    await begin(ada)
    old, new = await phone.code(NUMBER), await phone.code(OTHER_NUMBER)
    page = await enter(ada, phone, old_code=wrong(old))
    assert (page.status, set(page.errors)) == (422, {"old_code"})
    page = await enter(ada, phone, code=wrong(new))
    assert (page.status, set(page.errors)) == (422, {"code"})
    assert await number() == NUMBER
    kept = page.html.css_first("#old_code")
    assert kept
    assert kept.attributes["value"] == old
    assert (await enter(ada, phone)).path == "/account"
    assert await number() == OTHER_NUMBER


async def test_neither_code_alone_is_enough(ada: Visitor, phone: Phone) -> None:
    await begin(ada)
    for changes in ({"old_code": ""}, {"code": ""}):
        page = await enter(ada, phone, **changes)
        assert (page.status, set(page.errors)) == (422, set(changes))
    old, new = await phone.code(NUMBER), await phone.code(OTHER_NUMBER)
    page = await enter(ada, phone, old_code=new, code=old)
    assert page.status == 422 or old == new
    assert await number() == NUMBER


async def test_the_password_is_needed(ada: Visitor, phone: Phone) -> None:
    for password in ("", "not the password"):
        page = await begin(ada, current=password)
        assert (page.status, set(page.errors)) == (422, {"current"})
    assert await phone.texts(OTHER_NUMBER) == []


async def test_the_number_that_the_account_has_is_no_other(ada: Visitor) -> None:
    page = await begin(ada, phone="07400 123456")
    assert (page.status, set(page.errors)) == (422, {"phone"})


@BOTH_WAYS
async def test_a_text_service_that_is_away_loses_nothing_that_was_typed(
    ada: Visitor, phone: Phone, sandbox: Sandbox
) -> None:
    await phone.text(NUMBER, CONFIRMATION)  # which the fault is not meant for
    sandbox.fail("refused", 5)
    page = await begin(ada)
    assert (page.status, page.step) == (503, "account-phone")
    field = page.html.css_first("#phone")
    assert field
    assert field.attributes["value"] == NEW["phone"]
    sandbox.faults.clear()
    assert (await ada.submit(PHONE, **NEW)).path == CODE
    assert (await enter(ada, phone)).path == "/account"


async def test_a_code_that_did_not_reach_the_old_phone_is_asked_for_again(
    ada: Visitor, phone: Phone, sandbox: Sandbox, clock: Clock
) -> None:
    clock.advance(TEN_MINUTES)
    await begin(ada)
    page = await ada.submit("/account/phone/resend", button="sms")
    assert page.status == 429
    clock.advance(30)
    page = await ada.submit("/account/phone/resend", button="sms")
    assert (page.status, page.path) == (200, CODE)
    assert "sent the codes" in page.text
    assert (await enter(ada, phone)).path == "/account"


@pytest.mark.environ(RESENDS_PER_IP="off")
async def test_an_account_tries_so_many_numbers_a_day(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    for nth in range(NUMBERS_PER_ACCOUNT):
        assert (await begin(ada, phone=f"07400 12350{nth}")).path == CODE
    page = await begin(ada)
    assert (page.status, page.step) == (429, "account-phone")
    assert await phone.texts(OTHER_NUMBER) == []


async def test_the_codes_step_without_a_change_leads_to_its_form(ada: Visitor) -> None:
    assert (await ada.visit(CODE)).path == PHONE


async def test_ten_minutes_after_the_password_it_is_asked_for_again(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    await begin(ada)
    clock.advance(TEN_MINUTES)
    assert (await enter(ada, phone)).path == PHONE
    assert await number() == NUMBER


@ON_SQLITE
@pytest.mark.environ(
    WEBHOOK_URL="https://app.example/hook",
    WEBHOOK_SECRET="whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    OUTBOX_IN_WEB="0",
)
async def test_applications_hear_of_the_new_number(
    ada: Visitor, phone: Phone, database_url: str
) -> None:
    await begin(ada)
    await enter(ada, phone)
    bodies = Rows(database_url).all("SELECT body FROM outbox WHERE subject = 'account.updated'")
    assert [OTHER_NUMBER in body for (body,) in bodies] == [True]


# --- with the recovery code, the old phone lost --------------------------------------------------


async def lost(visitor: Visitor, clock: Clock) -> Page:
    """As far as the page of who lost the phone, by email and password alone."""
    await visitor.post("/signout", {})
    clock.advance(TEN_MINUTES)
    await visitor.visit("/signin")
    page = await visitor.submit("/signin", email=EMAIL, password=PASSWORD)
    assert page.html.css_first("a[href='/phone/lost']")
    return await visitor.visit("/phone/lost")


async def save_code(visitor: Visitor) -> str:
    await visitor.visit("/signin?prompt=login&return_to=/account/recovery")
    page = await visitor.visit("/account/recovery")
    if page.step != "account-recovery" or not page.html.css("form[action='/account/recovery']"):
        raise AssertionError(page.text)
    page = await visitor.submit("/account/recovery")
    if page.step == "account-proof":
        await visitor.submit("/account/proof", current=PASSWORD)
        page = await visitor.submit("/account/recovery")
    return shown_code(page)


def shown_code(page: Page) -> str:
    code = page.html.css_first("[data-recovery-code]")
    assert code, page.text
    return code.text().strip()


@EVERY_PROVIDER
@BOTH_WAYS
async def test_with_the_recovery_code_the_number_changes_at_once(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    saved = await save_code(ada)
    assert len(saved.replace("-", "")) == 24
    assert saved not in (await ada.visit("/account/recovery")).response.text
    assert (await lost(ada, clock)).step == "lost-phone"
    page = await ada.submit("/phone/lost", country="GB", phone="07400 123457")
    assert (page.status, page.path, page.step) == (200, "/phone/lost/code", "lost-phone-code")
    code = await phone.code(OTHER_NUMBER)
    page = await ada.submit("/phone/lost/code", code=code, recovery="0" * 24)
    assert (page.status, set(page.errors)) == (422, {"recovery"})
    typed = saved.lower().replace("-", " ")
    page = await ada.submit("/phone/lost/code", code=code, recovery=typed)
    assert (page.status, page.step) == (200, "account-recovery")
    assert shown_code(page) != saved, "it is replaced"
    assert await number() == OTHER_NUMBER
    assert (await ada.visit("/account")).verified
    await phone.text(NUMBER, "mobile number was changed")


async def test_a_recovery_code_works_once_and_the_next_one_then(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    first = await save_code(ada)
    await lost(ada, clock)
    await ada.submit("/phone/lost", country="GB", phone="07400 123457")
    code = await phone.code(OTHER_NUMBER)
    page = await ada.submit("/phone/lost/code", code=code, recovery=first)
    second = shown_code(page)
    await lost(ada, clock)
    await ada.submit("/phone/lost", country="GB", phone="07400 123458")
    code = await phone.code("+447400123458")
    page = await ada.submit("/phone/lost/code", code=code, recovery=first)
    assert (page.status, set(page.errors)) == (422, {"recovery"})
    page = await ada.submit("/phone/lost/code", code=code, recovery=second)
    assert page.step == "account-recovery"
    assert await number() == "+447400123458"


async def test_a_recovery_code_is_stored_as_a_hash_and_not_logged(
    ada: Visitor, database_url: str
) -> None:
    with capture_logs() as lines:
        saved = await save_code(ada)
    stored = Rows(database_url).one("SELECT recovery_code_hash FROM users")
    assert len(stored) == 64
    assert saved not in str(lines)
    assert saved.replace("-", "") not in str(Rows(database_url).all("SELECT * FROM outbox"))


async def test_without_the_password_there_is_no_page_for_a_lost_phone(
    ada: Visitor, clock: Clock
) -> None:
    clock.advance(TEN_MINUTES * 3)
    assert (await ada.visit("/phone/lost")).path == "/signin"
    await ada.submit("/signin", email=EMAIL, password="not the password")
    assert (await ada.visit("/phone/lost")).path == "/signin"


# --- without it ----------------------------------------------------------------------------------


async def email_link(phone: Phone, path: str, to: str = EMAIL) -> str:
    """The path of the newest link below ``path`` that was emailed, once there is one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await phone.client.get(phone.path, params={"to": to})
            for message in answer.json():
                if path in (message.get("link") or ""):
                    return str(urlsplit(message["link"]).path)
            await asyncio.sleep(0.05)


async def ask_to_wait(visitor: Visitor, phone: Phone, clock: Clock) -> Page:
    """Everything up to the wait: the password, the link, the new number and its code."""
    await lost(visitor, clock)
    page = await visitor.submit("/phone/lost/email")
    assert (page.status, page.path) == (200, "/phone/lost/sent")
    link = await email_link(phone, "/phone/new/")
    page = await visitor.visit(link)
    assert (page.status, page.step) == (200, "lost-phone-link")
    page = await visitor.submit(link, country="GB", phone="07400 123457")
    assert page.path == link
    return await visitor.submit(f"{link}/code", code=await phone.code(OTHER_NUMBER))


@EVERY_PROVIDER
@BOTH_WAYS
async def test_without_a_recovery_code_the_new_number_counts_a_day_later(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    page = await ask_to_wait(ada, phone, clock)
    assert (page.status, page.step) == (200, "lost-phone-link")
    assert "24 hours" in page.text
    await phone.text(NUMBER, "will change in 24 hours")
    await phone.text(EMAIL, "another mobile number")
    assert await number() == NUMBER
    clock.advance(DAY - TEN_MINUTES - 60)
    assert "replaces yours" in (await lost(ada, clock)).text
    clock.advance(TEN_MINUTES)
    await ada.visit("/signin")
    await ada.submit("/signin", email=EMAIL, password=PASSWORD)
    assert await number() == OTHER_NUMBER, "made by signing in, should nobody else have made it"
    page = await ada.submit("/signin/code", code=await phone.code(OTHER_NUMBER))
    assert page.verified
    await phone.text(NUMBER, "mobile number was changed")


@BOTH_WAYS
@pytest.mark.parametrize("way", ["text", "email"])
async def test_the_old_phone_and_the_email_can_stop_it(
    ada: Visitor, phone: Phone, clock: Clock, app: Starlette, way: str
) -> None:
    await ask_to_wait(ada, phone, clock)
    if way == "email":
        link = await email_link(phone, "/phone/stop/")
    else:
        text = (await phone.text(NUMBER, "/phone/stop/")).body
        link = str(urlsplit(text.split()[-1]).path)
    page = await ada.visit(link)
    assert (page.status, page.step) == (200, "phone-stop")
    page = await ada.submit(link)
    assert (page.status, page.step) == (200, "phone-stop")
    assert page.title.startswith("Stopped")
    clock.advance(DAY)
    assert not await make_due(app.state.site)
    assert await number() == NUMBER
    assert (await ada.visit(link)).status == 410


async def test_to_look_at_the_links_changes_nothing(
    ada: Visitor, phone: Phone, clock: Clock, app: Starlette
) -> None:
    await ask_to_wait(ada, phone, clock)
    for _ in range(2):
        await ada.visit(await email_link(phone, "/phone/stop/"))
    clock.advance(DAY)
    assert await make_due(app.state.site)
    assert await number() == OTHER_NUMBER


@pytest.mark.parametrize("change", ["password", "number"])
async def test_a_change_that_the_owner_makes_meanwhile_ends_the_wait(
    ada: Visitor, phone: Phone, clock: Clock, app: Starlette, change: str
) -> None:
    await ask_to_wait(ada, phone, clock)
    clock.advance(TEN_MINUTES)
    await ada.visit("/signin")
    await ada.submit("/signin", email=EMAIL, password=PASSWORD)
    await ada.submit("/signin/code", code=await phone.code(NUMBER))
    if change == "password":
        await ada.visit("/account/password")
        fields = {"current": PASSWORD, "password": "amber lighthouse concerto 27"}
        assert (await ada.submit("/account/password", **fields)).path == "/account"
        expected = NUMBER
    else:
        expected = "+447400123459"
        await begin(ada, phone="07400 123459")
        codes = {"old_code": await phone.code(NUMBER), "code": await phone.code(expected)}
        assert (await ada.submit(CODE, **codes)).path == "/account"
    clock.advance(DAY)
    assert not await make_due(app.state.site)
    assert await number() == expected


@pytest.mark.environ(ACCOUNTS_PER_PHONE="1")
async def test_a_number_that_fills_up_during_the_wait_changes_nothing_and_the_person_is_told(
    ada: Visitor, phone: Phone, clock: Clock, app: Starlette
) -> None:
    await ask_to_wait(ada, phone, clock)
    now = clock.now
    await User.create(
        name="Grace Hopper",
        email="grace@example.com",
        claimed_email="grace@example.com",
        country="GB",
        phone=OTHER_NUMBER,
        password_hash="",
        created_at=now,
        verified_at=now,
    )
    clock.advance(DAY)
    assert not await make_due(app.state.site)
    assert await number() == NUMBER
    await phone.text(EMAIL, "keeps the number")
    assert not await make_due(app.state.site)


async def test_no_token_of_these_links_is_in_the_database_or_the_log(
    ada: Visitor, phone: Phone, clock: Clock, app: Starlette, database_url: str
) -> None:
    with capture_logs() as lines:
        await ask_to_wait(ada, phone, clock)
        links = [await email_link(phone, path) for path in ("/phone/new/", "/phone/stop/")]
        await phone.text(NUMBER, "/phone/stop/")
        await app.state.outbox.deliver()
    rows = Rows(database_url)
    for link in links:
        token = link.rpartition("/")[2]
        assert token not in str(lines)
        assert token not in str(rows.all("SELECT * FROM links"))
        assert token not in str(rows.all("SELECT * FROM outbox WHERE state = 'sent'"))


# --- a number that is full -----------------------------------------------------------------------


@pytest.mark.environ(ACCOUNTS_PER_PHONE="1")
async def test_a_number_with_as_many_accounts_as_it_may_have_is_no_new_one(
    ada: Visitor, phone: Phone, clock: Clock
) -> None:
    await ada.post("/signout", {})
    await sign_up(ada, email="eve@example.com", phone="07400 123457")
    assert (await verify(ada, phone, OTHER_NUMBER)).verified
    await ada.post("/signout", {})
    clock.advance(TEN_MINUTES)
    await ada.visit("/signin")
    await ada.submit("/signin", email=EMAIL, password=PASSWORD)
    await ada.submit("/signin/code", code=await phone.code(NUMBER))
    clock.advance(TEN_MINUTES)
    await begin(ada)
    page = await enter(ada, phone)
    assert (page.status, page.step) == (422, "account-phone-code")
    assert "as many accounts" in page.text
    assert await number() == NUMBER
