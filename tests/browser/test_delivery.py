"""What a person at the code's step learns of their text, in a browser and without reloading."""

import httpx
from playwright.sync_api import expect

from tests.browser.person import Person

SOON = 20_000  # ms


def test_the_step_learns_that_the_code_was_delivered_and_keeps_what_is_typed(
    person: Person,
) -> None:
    person.sign_up()
    step = person.page.locator("[data-step]")
    expect(step).to_have_attribute("data-delivery", "sent")
    person.field("6-digit code").press_sequentially("123")
    expect(step).to_have_attribute("data-delivery", "delivered", timeout=SOON)
    expect(person.page.locator("#status")).to_have_text("Delivered: the code is on your phone.")
    expect(person.field("6-digit code")).to_have_value("123")
    expect(person.field("6-digit code")).to_be_focused()
    person.type_code(person.code())
    person.press("Confirm")
    person.is_at("account")


def test_a_refused_code_offers_a_call_at_once(person: Person, site: str) -> None:
    person.fill_in()
    httpx.post(f"{site}/sandbox/faults", data={"fault": "undelivered", "count": 1})
    person.press("Create account")
    person.is_at("verification")
    step = person.page.locator("[data-step]")
    expect(step).to_have_attribute("data-delivery", "failed", timeout=SOON)
    expect(person.page.locator("#status")).to_contain_text("Your network refused our message")
    expect(person.page.get_by_role("link", name="Use another number")).to_be_visible()
    person.press("Call me with the code")
    expect(step).to_have_attribute("data-delivery", "sent")
    person.verify()
