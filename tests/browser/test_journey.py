"""The whole of it, as a person does it, with JavaScript and without."""

import re

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.browser.conftest import DESK, IN_BOTH, PHONE, Visit
from tests.browser.person import Person, wrong

pytestmark = IN_BOTH


def test_the_code_from_the_phone_opens_the_account(
    visit: Visit, scripts: bool, number: str
) -> None:
    ada = Person(visit("/", scripts=scripts), number)
    ada.is_at("signup")
    expect(ada.page).to_have_title(re.compile("^Create your account – "))
    ada.sign_up()
    expect(ada.page).to_have_url(re.compile("/verification$"))
    expect(ada.page).to_have_title(re.compile("^Enter your code – "))
    expect(ada.page.get_by_text("+44 7400")).to_be_visible()
    ada.verify()
    expect(ada.page).to_have_url(re.compile("/account$"))
    expect(ada.page).to_have_title(re.compile("^Your account is ready – "))
    expect(ada.page.locator("[data-verified=true]")).to_contain_text("Ada Lovelace")
    assert ada.text("Signup complete")


def test_all_errors_come_at_once_and_answers_are_kept(
    visit: Visit, scripts: bool, number: str
) -> None:
    ada = Person(visit("/signup", scripts=scripts), number)
    ada.fill_in(Email_address="ada@", Mobile_number="12", Password="short")
    ada.press("Create account")
    summary = ada.page.get_by_role("alert")
    expect(summary).to_contain_text("There is a problem")
    expect(summary).to_be_focused()
    expect(ada.page).to_have_title(re.compile("^Error: "))
    for field in ("email", "phone", "password"):
        beside = ada.page.locator(f"#{field}-error").inner_text().removeprefix("Error:").strip()
        summary.get_by_role("link", name=beside).click()
        expect(ada.page.locator(f"#{field}")).to_be_focused()
    expect(ada.field("Full name")).to_have_value("Ada Lovelace")
    expect(ada.field("Email address")).to_have_value("ada@")
    expect(ada.field("Password")).to_have_value("")
    assert ada.texts() == []


def test_a_wrong_code_can_be_put_right(visit: Visit, scripts: bool, number: str) -> None:
    ada = Person(visit("/signup", scripts=scripts), number)
    ada.sign_up()
    ada.type_code(wrong(ada.code()))
    ada.press("Confirm")
    expect(ada.page.get_by_role("alert")).to_contain_text("4 tries left")
    expect(ada.field("6-digit code")).to_be_focused()
    expect(ada.field("6-digit code")).to_have_accessible_description(re.compile("4 tries left"))
    expect(ada.page).to_have_title(re.compile("^Error: "))
    ada.verify()


def test_one_answer_that_is_wrong_is_told_beside_its_field(
    visit: Visit, scripts: bool, number: str
) -> None:
    ada = Person(visit("/signup", scripts=scripts, viewport=PHONE), number)
    ada.fill_in(Email_address="ada@")
    ada.press("Create account")
    expect(ada.page.get_by_role("alert")).to_have_text(re.compile("Enter an email address"))
    expect(ada.page.get_by_text("There is a problem")).to_have_count(0)
    expect(ada.field("Email address")).to_be_focused()
    for part in (ada.page.get_by_text("Email address", exact=True), ada.field("Email address")):
        expect(part).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_a_summary_of_errors_is_in_sight_from_its_heading_on(
    visit: Visit, scripts: bool, number: str, viewport: ViewportSize
) -> None:
    ada = Person(visit("/signup", scripts=scripts, viewport=viewport), number)
    ada.fill_in(Email_address="ada@", Mobile_number="12", Password="short")
    ada.press("Create account")
    summary = ada.page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary.get_by_text("There is a problem")).to_be_in_viewport(ratio=1)
    expect(summary.get_by_role("link").first).to_be_in_viewport(ratio=1)


def test_the_number_is_changed_without_typing_the_rest(
    visit: Visit, scripts: bool, number: str
) -> None:
    ada = Person(visit("/signup", scripts=scripts), number)
    ada.sign_up(Mobile_number="+447400999999")
    ada.page.get_by_role("link", name="Change number").click()
    ada.is_at("phone")
    expect(ada.page).to_have_url(re.compile("/verification/phone$"))
    ada.field("Mobile number").fill(number)
    ada.press("Text me a code")
    ada.is_at("verification")
    ada.verify()
    expect(ada.page.locator(".number")).to_contain_text(number[-6:])


def test_a_text_service_that_is_down_loses_nothing_typed(
    visit: Visit, scripts: bool, number: str
) -> None:
    ada = Person(visit("/signup", scripts=scripts, viewport=PHONE), number)
    ada.fill_in()
    ada.page.request.post(
        "/sandbox/faults",
        form={"fault": "500", "count": "1"},
        headers={"Origin": ada.page.url.removesuffix("/signup")},
    )
    ada.press("Create account")
    expect(ada.page.get_by_role("alert")).to_contain_text("Nothing you typed is lost")
    expect(ada.page.get_by_text("There is a problem")).to_be_in_viewport(ratio=1)
    again = ada.page.get_by_role("button", name=re.compile("Send the code|Create account|Text me"))
    if again.inner_text() == "Create account":
        ada.field("Password").fill("seven quiet herons")
    again.click()
    ada.is_at("verification")
    ada.verify()


def test_reload_and_return_land_on_the_same_step_and_send_nothing(person: Person) -> None:
    person.sign_up()
    person.page.reload()
    person.is_at("verification")
    person.page.goto("/signup")
    person.is_at("verification")
    person.page.go_back()
    person.is_at("verification")
    assert len(person.texts()) == 1


def test_signing_out_begins_again(visit: Visit, scripts: bool, number: str) -> None:
    ada = Person(visit("/signup", scripts=scripts), number)
    ada.sign_up()
    ada.verify()
    ada.press("Sign out")
    ada.is_at("signup")
    expect(ada.page).to_have_url(re.compile("/signup$"))
    expect(ada.field("Email address")).to_have_value("")
    ada.page.goto("/account")
    ada.is_at("signup")


def test_the_second_with_one_email_is_told_after_proving_the_phone(
    visit: Visit, scripts: bool, number: str
) -> None:
    first = Person(visit("/signup", scripts=scripts), number)
    first.sign_up(Email_address=f"both{number}@example.com")
    first.verify()
    second = Person(visit("/signup", scripts=scripts), number[:-6] + "8" + number[-5:])
    second.sign_up(Email_address=f"Both{number}@example.com")
    second.verify()
    expect(second.page.locator("[data-verified=false]")).to_contain_text("already has an account")
    second.press("Start again")
    second.is_at("signup")


def test_the_keyboard_alone_is_enough(person: Person) -> None:
    keys, page = person.page.keyboard, person.page
    keys.press("Tab")
    assert person.focus() == "Skip to the content"
    keys.press("Enter")
    for text in ("Ada Lovelace", f"ada{person.number}@example.com"):
        keys.press("Tab")
        keys.type(text)
    keys.press("Tab")
    keys.type("United K")
    expect(person.field("Country")).to_have_value("GB")
    keys.press("Tab")
    keys.type(person.number)
    keys.press("Tab")
    keys.type("seven quiet herons")
    keys.press("Tab")
    assert "Show" in person.focus()
    keys.press("Tab")
    assert person.focus() == "Create account"
    keys.press("Enter")
    person.is_at("verification")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    keys.press("Tab")
    assert person.focus() == "Change number"
    keys.press("Tab")
    keys.type(person.code())
    keys.press("Enter")
    person.is_at("account")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    stops: list[str] = []
    while stops[-1:] != ["Sign out"]:
        keys.press("Tab")
        stops.append(person.focus())
    assert stops == [
        "Change name",
        "Change email",
        "Change number",
        "Change password",
        "Manage passkeys",
        "Add a passkey",
        "Email me a new link",
        "sandbox phone",
        "Save a recovery code in case you lose your phone",
        "Where you’re signed in",
        "Download your data",
        "Delete your account",
        "Sign out",
    ]


def test_a_wrong_email_is_put_right_by_starting_again(
    visit: Visit, scripts: bool, number: str
) -> None:
    ada = Person(visit("/signup", scripts=scripts), number)
    ada.sign_up(Email_address="wrong@example.com")
    ada.press("Start again")
    ada.is_at("signup")
    expect(ada.page).to_have_url(re.compile("/signup$"))
    ada.page.goto("/verification")
    ada.is_at("signup")


def test_a_change_whose_text_got_lost_is_sent_by_asking_again(
    visit: Visit, scripts: bool, number: str
) -> None:
    ada = Person(visit("/signup", scripts=scripts), number)
    ada.sign_up(Mobile_number="+447400999998")
    ada.page.get_by_role("link", name="Change number").click()
    ada.is_at("phone")
    ada.page.request.post(
        "/sandbox/faults",
        form={"fault": "timeout", "count": "1"},
        headers={"Origin": ada.page.url.removesuffix("/verification/phone")},
    )
    ada.field("Mobile number").fill(number)
    ada.press("Text me a code")
    expect(ada.page.get_by_role("alert")).to_contain_text("may or may not be on its way")
    expect(ada.field("Mobile number")).to_have_value(number)
    ada.press("Text me a code")
    ada.is_at("verification")
    ada.verify()
