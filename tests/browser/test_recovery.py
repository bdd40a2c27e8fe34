"""Who lost the password or the phone, with JavaScript and without."""

import re
import time
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.conftest import IN_BOTH, Visit
from tests.browser.person import PASSWORD, PATIENCE, Person, wrong

pytestmark = IN_BOTH
NEW_PASSWORD = "amber lighthouse concerto 27"


def link_to(ada: Person, below: str) -> str:
    """The path of the newest link below ``below`` in Ada's mailbox; waits for one to come."""
    deadline = time.monotonic() + PATIENCE
    to = f"ada{ada.number}@example.com"
    while time.monotonic() < deadline:
        answer = ada.page.request.get("/sandbox/messages.json", params={"to": to})
        for message in answer.json():
            if below in (message.get("link") or ""):
                return str(urlsplit(message["link"]).path)
        ada.page.wait_for_timeout(50)
    raise AssertionError(f"No link below {below}")


def test_a_forgotten_password_is_replaced_by_link_and_code(
    visit: Visit, scripts: bool, number: str
) -> None:
    ada = Person(visit("/signup", scripts=scripts), number)
    ada.sign_up()
    ada.verify()
    ada.press("Sign out")
    ada.is_at("signup")
    ada.page.get_by_role("link", name="Sign in").click()
    ada.is_at("signin")
    ada.page.get_by_role("link", name="Forgot your password?").click()
    ada.is_at("forgot")
    ada.field("Email address").fill(f"ada{number}@example.com")
    ada.press("Email me a link")
    expect(ada.page).to_have_title(re.compile("^Check your email – "))
    ada.page.goto(link_to(ada, "/password/reset/"))
    ada.is_at("reset")
    ada.press("Text me a code")
    expect(ada.field("New password")).to_be_visible()
    code = ada.code()
    ada.type_code(wrong(code))
    ada.field("New password").fill(NEW_PASSWORD)
    ada.press("Change my password")
    expect(ada.page.get_by_role("alert")).to_contain_text("4 tries left")
    expect(ada.field("New password")).to_have_value("")
    ada.type_code(code)
    ada.field("New password").fill(NEW_PASSWORD)
    ada.press("Change my password")
    ada.is_at("account")
    expect(ada.page.locator("[data-notice]")).to_contain_text("Your password is changed")


def test_a_recovery_code_is_shown_once_and_gives_another_number(
    visit: Visit, scripts: bool, number: str
) -> None:
    ada = Person(visit("/signup", scripts=scripts), number)
    ada.sign_up()
    ada.verify()
    ada.page.get_by_role("link", name="Save a recovery code").click()
    ada.is_at("account-recovery")
    ada.press("Make a recovery code")
    saved = ada.page.locator("[data-recovery-code]").inner_text()
    ada.page.get_by_role("link", name="I have saved it").click()
    ada.press("Sign out")
    ada.is_at("signup")
    ada.page.get_by_role("link", name="Sign in").click()
    ada.is_at("signin")
    ada.field("Email address").fill(f"ada{number}@example.com")
    ada.field("Password").fill(PASSWORD)
    ada.press("Sign in")
    ada.is_at("signin-code")
    ada.page.get_by_role("link", name="Give your account another number").click()
    ada.is_at("lost-phone")
    other = Person(ada.page, f"{number[:-4]}9{number[-3:]}")
    ada.field("Mobile number").fill(other.number)
    ada.press("Text a code to the new number")
    ada.is_at("lost-phone-code")
    ada.type_code(other.code())
    ada.field("Your recovery code").fill(saved.lower())
    ada.press("Change my number")
    expect(ada.page.locator("[data-recovery-code]")).not_to_have_text(saved)
    ada.page.get_by_role("link", name="I have saved it").click()
    ada.is_at("account")
