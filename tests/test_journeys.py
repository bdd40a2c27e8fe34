"""What a person goes through, from the form to the account, over HTTP and nothing else."""

import httpx
import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import (
    ADA,
    CONFIRMATION,
    NUMBER,
    OTHER_NUMBER,
    PASSWORD,
    SHOWN,
    sign_up,
    verify,
    wrong,
)
from tests.phone import Phone
from tests.visitor import Visitor
from webapp.accounts.people.passwords import Hasher
from webapp.accounts.people.users import User
from webapp.sandbox import Sandbox

EVERY_PROVIDER = pytest.mark.parametrize("provider", ["twilio", "codes", "authy"])
BOTH_WAYS = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
TEN_MINUTES = 600


# The straight way


@EVERY_PROVIDER
@BOTH_WAYS
async def test_a_person_signs_up_proves_the_number_and_gets_a_text(
    visitor: Visitor, phone: Phone
) -> None:
    page = await visitor.visit("/")
    assert (page.status, page.path, page.step) == (200, "/signup", "signup")

    page = await visitor.submit("/signup", **ADA)
    assert (page.status, page.path, page.step) == (200, "/verification", "verification")
    assert SHOWN in page.text
    assert len(await phone.texts(NUMBER)) == 1

    page = await verify(visitor, phone)
    assert (page.status, page.path, page.step) == (200, "/account", "account")
    assert page.verified is True
    assert "Ada Lovelace" in page.text
    assert SHOWN in page.text

    confirmation = await phone.text(NUMBER, CONFIRMATION)
    assert confirmation.channel == "sms"

    page = await visitor.visit("/")
    assert (page.path, page.verified) == ("/account", True)
    assert len(await phone.texts(NUMBER)) == 2


@EVERY_PROVIDER
@BOTH_WAYS
async def test_a_wrong_code_is_refused_with_the_tries_left_and_the_right_one_still_opens(
    visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor)
    code = await phone.code(NUMBER)
    page = await visitor.submit("/verification", code=wrong(code))
    assert (page.status, page.step) == (422, "verification")
    assert "4" in page.errors["code"]
    page = await visitor.submit("/verification", code=code)
    assert page.verified is True


@EVERY_PROVIDER
async def test_five_wrong_codes_close_the_verification_even_to_the_right_one(
    visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor)
    code = await phone.code(NUMBER)
    for nth in range(1, 5):
        await visitor.post("/verification", {"code": wrong(code, nth)})
    page = await visitor.post("/verification", {"code": wrong(code, 5)})
    assert "Too many" in page.text
    page = await visitor.post("/verification", {"code": code})
    assert page.status in {422, 429}
    page = await visitor.visit("/account")
    assert page.verified is not True


async def test_a_verified_browser_is_not_shown_the_steps_again(
    visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    for path in ("/signup", "/verification", "/verification/phone"):
        page = await visitor.visit(path)
        assert (page.path, page.verified) == ("/account", True)
        page = await visitor.post(path, {})
        assert (page.path, page.verified) == ("/account", True)


# The form


@BOTH_WAYS
async def test_an_empty_form_names_every_field_at_once(visitor: Visitor) -> None:
    page = await visitor.visit("/signup")
    blank = dict.fromkeys(ADA, "") | {"name": " \u200b\u2060"}  # of which nothing is seen
    page = await visitor.submit("/signup", **blank)
    assert (page.status, page.step, page.path) == (422, "signup", "/signup")
    assert page.errors.keys() == {"name", "email", "country", "phone", "password"}
    assert page.title.startswith("Error: ")


@BOTH_WAYS
async def test_a_refused_form_keeps_what_was_typed_but_never_the_password(visitor: Visitor) -> None:
    await visitor.visit("/signup")
    page = await visitor.submit("/signup", **(ADA | {"email": "ada@", "country": "FR"}))
    assert page.status == 422
    html = page.response.text
    assert 'value="Ada Lovelace"' in html
    assert 'value="ada@"' in html
    assert 'value="07400 123456"' in html
    assert PASSWORD not in html
    chosen = page.html.css_first("select[name=country] option[selected]")
    assert chosen
    assert chosen.attributes["value"] == "FR"


async def test_the_summary_of_errors_links_to_the_fields(visitor: Visitor) -> None:
    await visitor.visit("/signup")
    page = await visitor.submit("/signup", **(ADA | {"name": "", "phone": "12"}))
    links = [link.attributes["href"] for link in page.html.css("[role=alert] a")]
    assert links == ["#name", "#phone"]
    assert all(page.html.css_first(str(link)) for link in links)


@ON_SQLITE
@pytest.mark.parametrize(
    "phone_typed", ["+44 7400 123456", "(07400) 123-456", "0044 7400 123456", "٠٧٤٠٠ ١٢٣٤٥٦"]
)
async def test_a_number_may_be_typed_in_any_spelling(
    visitor: Visitor, phone: Phone, phone_typed: str
) -> None:
    page = await sign_up(visitor, phone=phone_typed)
    assert SHOWN in page.text
    assert await phone.code(NUMBER)


@ON_SQLITE
async def test_an_international_number_overrides_the_country(
    visitor: Visitor, phone: Phone
) -> None:
    page = await sign_up(visitor, country="US", phone=NUMBER)
    assert page.step == "verification"
    assert await phone.code(NUMBER)


@ON_SQLITE
@pytest.mark.parametrize(
    "phone_typed",
    ["020 7946 0018", "0900 1234567", "123", "07400", "+44 9011 123456", "one two three"],
)
async def test_a_number_that_cannot_be_texted_is_refused_with_a_reason(
    visitor: Visitor, phone_typed: str
) -> None:
    page = await sign_up(visitor, phone=phone_typed)
    assert (page.status, page.step) == (422, "signup")
    assert page.errors.keys() == {"phone"}


@ON_SQLITE
@pytest.mark.parametrize("language", ["de-AT,de;q=0.9", "en-AT"])
async def test_the_country_is_preselected_from_the_language(
    client: httpx.AsyncClient, language: str
) -> None:
    answer = await client.get("/signup", headers={"Accept-Language": language})
    assert '<option value="AT" selected>' in answer.text


# The code


@ON_SQLITE
@pytest.mark.parametrize(
    "typed", ["{0}", " {1} {2} ", "{1}-{2}", "Your code is {0}.", "{0}\u200e", "code: {1} {2}"]
)
async def test_a_code_is_taken_as_people_type_and_paste_it(
    visitor: Visitor, phone: Phone, typed: str
) -> None:
    await sign_up(visitor)
    code = await phone.code(NUMBER)
    page = await visitor.submit("/verification", code=typed.format(code, code[:3], code[3:]))
    assert page.verified is True


@ON_SQLITE
async def test_a_code_may_be_typed_in_arabic_indic_digits(visitor: Visitor, phone: Phone) -> None:
    await sign_up(visitor)
    code = await phone.code(NUMBER)
    arabic = code.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    page = await visitor.submit("/verification", code=arabic)
    assert page.verified is True


@ON_SQLITE
@pytest.mark.parametrize("typed", ["", "12345", "abc", "123 456 789 0"])
async def test_what_is_no_code_is_refused_and_costs_no_try(
    visitor: Visitor, phone: Phone, typed: str
) -> None:
    await sign_up(visitor)
    for _ in range(6):
        page = await visitor.submit("/verification", code=typed)
        assert (page.status, page.step) == (422, "verification")
        assert page.errors["code"]
    assert (await verify(visitor, phone)).verified is True


@EVERY_PROVIDER
@BOTH_WAYS
async def test_the_same_wrong_code_again_costs_no_second_try(
    visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor)
    code = await phone.code(NUMBER)
    for _ in range(6):
        page = await visitor.submit("/verification", code=wrong(code))
        assert (page.status, page.errors["code"]) == (
            422,
            "That is not the code we sent. You have 4 tries left",
        )
    assert (await visitor.submit("/verification", code=code)).verified is True


async def test_an_expired_code_is_told_so_and_a_new_one_opens(
    visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    old = await phone.code(NUMBER)
    clock.advance(TEN_MINUTES + 1)
    page = await visitor.post("/verification", {"code": old})
    assert page.verified is not True
    assert "expired" in page.text
    page = await visitor.submit("/verification/resend", button="sms")
    assert page.status == 200
    assert (await verify(visitor, phone)).verified is True


# Asking again


@BOTH_WAYS
async def test_a_code_is_not_sent_again_while_cooling_down(visitor: Visitor, phone: Phone) -> None:
    page = await sign_up(visitor)
    assert page.resend_in == 30
    page = await visitor.submit("/verification/resend", button="sms")
    assert (page.status, page.step) == (429, "verification")
    assert page.response.headers["Retry-After"] == "30"
    assert len(await phone.texts(NUMBER)) == 1


@pytest.mark.parametrize("provider", ["twilio", "codes"])
@BOTH_WAYS
async def test_after_the_cool_down_the_same_code_comes_again_and_the_wait_grows(
    visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    clock.advance(30)
    page = await visitor.submit("/verification/resend", button="sms")
    assert (page.status, page.step, page.resend_in) == (200, "verification", 40)
    first, second = await phone.texts(NUMBER)
    assert first.code == second.code
    assert (await verify(visitor, phone)).verified is True


async def test_a_late_first_text_still_opens_after_a_resend(
    visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    late = await phone.code(NUMBER)
    clock.advance(30)
    await visitor.submit("/verification/resend", button="sms")
    assert (await visitor.submit("/verification", code=late)).verified is True


@pytest.mark.parametrize("provider", ["twilio", "authy"])
@BOTH_WAYS
async def test_the_second_send_may_be_a_call(visitor: Visitor, phone: Phone, clock: Clock) -> None:
    await sign_up(visitor)
    assert [text.channel for text in await phone.texts(NUMBER)] == ["sms"]
    clock.advance(30)
    page = await visitor.submit("/verification/resend", button="call")
    assert (page.status, page.step) == (200, "verification")
    newest = (await phone.texts(NUMBER))[0]
    assert newest.channel == "call"
    assert (await visitor.submit("/verification", code=newest.code)).verified is True


@pytest.mark.parametrize("provider", ["codes"])
async def test_a_call_is_not_offered_where_the_provider_only_texts(
    visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    page = await sign_up(visitor)
    assert not page.html.css("button[value=call]")
    clock.advance(30)
    await visitor.post("/verification/resend", {"channel": "call"})
    assert {text.channel for text in await phone.texts(NUMBER)} == {"sms"}


@pytest.mark.environ(WHATSAPP="1")
@pytest.mark.parametrize("provider", ["twilio"])
@BOTH_WAYS
async def test_the_second_send_may_be_by_whatsapp(
    visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    clock.advance(30)
    page = await visitor.submit("/verification/resend", button="whatsapp")
    assert (page.status, page.step) == (200, "verification")
    newest = (await phone.texts(NUMBER))[0]
    assert newest.channel == "whatsapp"
    assert (await visitor.submit("/verification", code=newest.code)).verified is True


@EVERY_PROVIDER
async def test_whatsapp_is_not_used_unless_the_setting_offers_it(
    visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    page = await sign_up(visitor)
    assert not page.html.css("button[value=whatsapp]")
    clock.advance(30)
    await visitor.post("/verification/resend", {"channel": "whatsapp"})
    assert [text.channel for text in await phone.texts(NUMBER)] == ["sms", "sms"]


# Another number


@EVERY_PROVIDER
@BOTH_WAYS
async def test_a_changed_number_gets_the_code_and_the_old_one_opens_no_more(
    visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor)
    old = await phone.code(NUMBER)
    page = await visitor.visit("/verification/phone")
    assert (page.step, page.path) == ("phone", "/verification/phone")
    page = await visitor.submit("/verification/phone", country="GB", phone="07400 123457")
    assert (page.step, page.path) == ("verification", "/verification")
    new = await phone.code(OTHER_NUMBER)
    if old != new:
        page = await visitor.submit("/verification", code=old)
        assert page.status == 422
    page = await visitor.submit("/verification", code=new)
    assert page.verified is True
    assert "+44 7400 123457" in page.text


async def test_a_bad_new_number_is_refused_and_the_old_one_stays(
    visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor)
    await visitor.visit("/verification/phone")
    page = await visitor.submit("/verification/phone", country="GB", phone="12")
    assert (page.status, page.step) == (422, "phone")
    assert page.errors.keys() == {"phone"}
    await visitor.visit("/verification")
    assert (await verify(visitor, phone)).verified is True


# Steps in their order


@ON_SQLITE
@pytest.mark.parametrize("path", ["/verification", "/verification/phone", "/account"])
async def test_a_stranger_is_led_to_the_form(visitor: Visitor, path: str) -> None:
    page = await visitor.visit(path)
    assert (page.path, page.step) == ("/signup", "signup")


@ON_SQLITE
@BOTH_WAYS
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/verification", {"code": "123456"}),
        ("/verification/resend", {"channel": "sms"}),
        ("/verification/phone", {"country": "GB", "phone": "07400 123457"}),
        ("/signout", {}),
    ],
)
async def test_a_step_that_is_not_yet_due_leads_to_the_one_that_is(
    visitor: Visitor, path: str, fields: dict[str, str]
) -> None:
    page = await visitor.post(path, fields)
    assert (page.status, page.step) == (200, "signup")


async def test_an_unverified_person_is_told_so_and_shown_the_way(visitor: Visitor) -> None:
    await sign_up(visitor)
    page = await visitor.visit("/account")
    assert (page.step, page.verified) == ("account", False)
    assert page.html.css_first("a[href='/verification']")


async def test_reloading_and_coming_back_land_on_the_code_step_and_send_nothing(
    visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    for path in ("/verification", "/", "/signup"):
        page = await visitor.visit(path)
        assert (page.path, page.step) == ("/verification", "verification")
        clock.advance(60)
    assert len(await phone.texts(NUMBER)) == 1


@BOTH_WAYS
async def test_signing_out_leads_back_to_the_form(visitor: Visitor, phone: Phone) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    page = await visitor.submit("/signout")
    assert (page.path, page.step) == ("/signup", "signup")
    assert (await visitor.visit("/account")).step == "signup"


# Two at once


async def test_the_same_form_sent_twice_is_one_sign_up(visitor: Visitor, phone: Phone) -> None:
    page = await visitor.visit("/signup")
    again = page
    first = await visitor.submit("/signup", **ADA)
    visitor.page = again
    second = await visitor.submit("/signup", **ADA)
    assert (first.step, second.step) == ("verification", "verification")
    assert len(await phone.texts(NUMBER)) == 1


@BOTH_WAYS
async def test_the_form_of_a_second_tab_corrects_the_name_and_the_password_and_sends_nothing(
    app: Starlette, visitor: Visitor, phone: Phone
) -> None:
    second_tab = await visitor.visit("/signup")
    await visitor.submit("/signup", **ADA)
    visitor.page = second_tab
    corrections = {"name": "Ada King", "email": "Ada@example.com", "password": "seven quiet herons"}
    page = await visitor.submit("/signup", **(ADA | corrections))
    assert (page.status, page.path, page.step) == (200, "/verification", "verification")
    assert len(await phone.texts(NUMBER)) == 1
    page = await verify(visitor, phone)
    assert page.verified is True
    assert "Ada King" in page.text
    ada = await User.get()
    hasher: Hasher = app.state.site.hasher
    assert await hasher.verify(corrections["password"], ada.password_hash)
    assert not await hasher.verify(PASSWORD, ada.password_hash)


async def test_another_number_in_a_second_tab_is_another_sign_up(
    visitor: Visitor, phone: Phone
) -> None:
    second_tab = await visitor.visit("/signup")
    await visitor.submit("/signup", **ADA)
    visitor.page = second_tab
    await visitor.submit("/signup", **(ADA | {"phone": OTHER_NUMBER}))
    assert len(await phone.texts(OTHER_NUMBER)) == 1
    assert (await verify(visitor, phone, OTHER_NUMBER)).verified is True


async def test_a_form_sent_again_after_verification_leads_to_the_account(
    visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    page = await visitor.post("/signup", ADA)
    assert (page.path, page.verified) == ("/account", True)
    await phone.text(NUMBER, CONFIRMATION)
    assert len(await phone.texts(NUMBER)) == 2  # the code and the confirmation


async def test_two_with_one_email_do_not_block_each_other_and_the_first_to_verify_has_it(
    client: httpx.AsyncClient, phone: Phone
) -> None:
    transport = client._transport
    async with httpx.AsyncClient(transport=transport, base_url=client.base_url) as other_client:
        first, second = Visitor(client), Visitor(other_client)
        await sign_up(first)
        page = await sign_up(second, phone=OTHER_NUMBER, email="ADA@Example.com")
        assert page.step == "verification"
        assert (await verify(second, phone, OTHER_NUMBER)).verified is True
        page = await verify(first, phone)
        assert page.verified is not True
        assert "already" in page.text


async def test_a_taken_email_looks_like_any_other_until_the_phone_is_proven(
    client: httpx.AsyncClient, phone: Phone
) -> None:
    first = Visitor(client)
    await sign_up(first)
    await verify(first, phone)
    transport = client._transport
    pages = []
    for email in ("ada@example.com", "new@example.com"):
        async with httpx.AsyncClient(transport=transport, base_url=client.base_url) as fresh:
            page = await sign_up(Visitor(fresh), phone=OTHER_NUMBER, email=email)
            pages.append((page.status, page.path, page.text, sorted(page.response.headers)))
    assert pages[0] == pages[1]


# Bad days


@EVERY_PROVIDER
@BOTH_WAYS
async def test_a_vendor_out_of_reach_costs_the_person_nothing_but_another_try(
    visitor: Visitor, phone: Phone, sandbox: Sandbox
) -> None:
    sandbox.fail("refused", 20)
    page = await sign_up(visitor)
    assert page.status == 503
    assert await phone.texts(NUMBER) == []
    sandbox.faults.clear()
    page = await visitor.visit("/")
    if page.step == "signup":
        page = await visitor.submit("/signup", **ADA)
    else:
        page = await visitor.submit("/verification/resend", button="sms")
    assert (page.status, page.step) == (200, "verification")
    assert (await verify(visitor, phone)).verified is True


STILL_WORKS = "the last one still works"


@pytest.mark.parametrize("provider", ["twilio"])
@BOTH_WAYS
async def test_a_number_that_had_the_vendors_sends_is_told_what_fits_what_the_person_has(
    visitor: Visitor, phone: Phone, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.fail("60203")
    page = await sign_up(visitor)
    assert (page.status, page.step) == (429, "signup")
    assert "several codes" in page.text
    assert STILL_WORKS not in page.text, "There is no field for it."
    assert (await visitor.submit("/signup", **ADA)).step == "verification"
    sandbox.fail("60203")
    page = await visitor.post("/verification/phone", {"country": "GB", "phone": OTHER_NUMBER})
    assert (page.status, page.step) == (429, "phone")
    assert STILL_WORKS not in page.text
    clock.advance(30)
    sandbox.fail("60203")
    page = await visitor.post("/verification/resend", {})
    assert (page.status, page.step) == (429, "verification")
    assert STILL_WORKS in page.text
    assert (await verify(visitor, phone)).verified is True


@ON_SQLITE
async def test_the_page_says_that_the_code_is_for_nobody_else(visitor: Visitor) -> None:
    assert "Never tell anybody the code" in (await sign_up(visitor)).text


async def test_a_check_that_did_not_reach_the_vendor_costs_no_try(
    visitor: Visitor, phone: Phone, sandbox: Sandbox, clock: Clock
) -> None:
    await sign_up(visitor)
    code = await phone.code(NUMBER)
    for _ in range(6):
        sandbox.fail("refused", 20)
        page = await visitor.submit("/verification", code=code)
        assert (page.status, page.step) == (503, "verification")
    sandbox.faults.clear()
    clock.advance(30)  # after five failures the vendor is left alone for so long
    assert (await visitor.submit("/verification", code=code)).verified is True


@ON_SQLITE
@pytest.mark.environ(SIGNUPS_PER_IP="2/hour")
@BOTH_WAYS
async def test_too_many_sign_ups_from_one_address_are_asked_to_wait_with_the_form_kept(
    client: httpx.AsyncClient, visitor: Visitor
) -> None:
    for number in range(2):
        await sign_up(visitor, email=f"ada{number}@example.com", phone=f"0740012345{number}")
        client.cookies.clear()
    page = await sign_up(visitor, email="ada2@example.com")
    assert (page.status, page.step) == (429, "signup")
    assert int(page.response.headers["Retry-After"]) > 0
    assert 'value="ada2@example.com"' in page.response.text


@ON_SQLITE
@pytest.mark.environ(ALLOWED_COUNTRIES="DE,AT")
async def test_a_country_that_is_not_served_is_refused_on_the_form(visitor: Visitor) -> None:
    page = await sign_up(visitor, country="AT", phone=NUMBER)
    assert page.status == 422
    assert page.errors.keys() == {"phone"}


@ON_SQLITE
async def test_an_unknown_address_is_a_page_of_ours(visitor: Visitor) -> None:
    page = await visitor.visit("/no/such/page")
    assert (page.status, page.step) == (404, "error")
    assert page.html.css_first("h1")


@ON_SQLITE
async def test_a_wrong_method_is_a_page_of_ours(client: httpx.AsyncClient) -> None:
    answer = await client.get("/signout")
    assert answer.status_code == 405
    assert "<h1" in answer.text
    assert "POST" in answer.headers["Allow"]


@ON_SQLITE
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
async def test_a_write_from_elsewhere_is_refused(
    client: httpx.AsyncClient, phone: Phone, headers: dict[str, str]
) -> None:
    answer = await client.post("/signup", data=ADA, headers=headers)
    assert answer.status_code == 403
    assert await phone.texts(NUMBER) == []


@ON_SQLITE
@pytest.mark.parametrize(
    ("accepted", "coding"), [("gzip, br", "gzip"), ("br, gzip;q=0", None), ("identity", None)]
)
async def test_a_page_is_compressed_where_the_browser_takes_that(
    client: httpx.AsyncClient, accepted: str, coding: str | None
) -> None:
    for path in ("/signup", "/no-such-page"):
        answer = await client.get(path, headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == coding
        assert "<html" in answer.text
