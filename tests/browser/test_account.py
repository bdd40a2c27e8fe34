"""The account's own pages, as a person uses them, with JavaScript and without."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import IN_BOTH, Visit
from tests.browser.person import PASSWORD, Person

pytestmark = IN_BOTH
NEW_PASSWORD = "orchid lantern tundra 58"


@pytest.fixture
def ada(visit: Visit, scripts: bool, number: str) -> Person:
    """Ada at her account."""
    person = Person(visit("/signup", scripts=scripts), number)
    person.sign_up()
    person.verify()
    return person


def follow(ada: Person, words: str) -> None:
    ada.page.get_by_role("link", name=words, exact=True).click()


def test_a_password_is_changed_in_place_and_it_is_said(ada: Person, scripts: bool) -> None:
    follow(ada, "Change password")
    ada.is_at("account-password")
    expect(ada.page).to_have_url(re.compile("/account/password$"))
    expect(ada.page).to_have_title(re.compile("^Change your password – "))
    ada.field("Current password").fill("not my password")
    ada.field("New password").fill(NEW_PASSWORD)
    ada.press("Change password")
    expect(ada.page.get_by_role("alert")).to_contain_text("not your password")
    expect(ada.field("Current password")).to_be_focused()
    ada.field("Current password").fill(PASSWORD)
    ada.field("New password").fill(NEW_PASSWORD)
    ada.press("Change password")
    ada.is_at("account")
    expect(ada.page).to_have_url(re.compile("/account$"))
    said = ada.page.locator("[data-notice]")
    expect(said).to_contain_text("Your password is changed")
    expect(said).to_be_in_viewport()
    if scripts:
        expect(ada.page.locator("#status")).to_contain_text("Your password is changed")
    assert ada.text("password was changed")
    ada.page.reload()
    ada.is_at("account")
    expect(said).to_have_count(0)


def test_a_name_is_changed_and_the_browser_is_the_only_one(ada: Person, scripts: bool) -> None:
    follow(ada, "Change name")
    ada.field("Full name").fill("Ada King")
    ada.press("Change name")
    ada.is_at("account")
    expect(ada.page.locator("dl.facts")).to_contain_text("Ada King")
    follow(ada, "Where you’re signed in")
    ada.is_at("account-sessions")
    expect(ada.page.get_by_text("This browser")).to_be_visible()
    follow(ada, "Back to your account")
    ada.is_at("account")


def test_the_data_comes_as_a_file_and_the_account_goes(ada: Person, scripts: bool) -> None:
    with ada.page.expect_download() as download:
        follow(ada, "Download your data")
    assert download.value.suggested_filename == "account.json"
    follow(ada, "Delete your account")
    ada.is_at("account-delete")
    ada.field("Current password").fill(PASSWORD)
    ada.press("Delete my account")
    ada.is_at("account-deleted")
    expect(ada.page).to_have_url(re.compile("/account/deleted$"))
    follow(ada, "Create an account")
    ada.is_at("signup")
