"""A browser proves work by itself; without scripts, a wait does."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PHONE, Profiles, Visit, serving
from tests.browser.person import PASSWORD, Person

WORDS = "we check that you are not a robot"


@pytest.fixture(scope="module")
def working_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The development server, where every sign-up proves work."""
    with serving(tmp_path_factory.mktemp("work"), CHALLENGE="always") as url:
        yield url


@pytest.fixture
def visit_working(chrome: Browser, working_site: str, complaints: list[str]) -> Iterator[Visit]:
    with Profiles(chrome, working_site).tabs(complaints) as open_tab:
        yield open_tab
    assert not complaints


def test_the_form_goes_through_by_itself_within_a_second(visit_working: Visit, number: str) -> None:
    ada = Person(visit_working("/signup", fresh=True), number)
    modules: list[str] = []
    ada.page.on("request", lambda request: modules.append(request.url))
    ada.fill_in()
    assert not [url for url in modules if "work" in url]
    began = time.monotonic()
    ada.sign_up()
    assert time.monotonic() - began < 5  # on a busy machine; the bench has the figure
    assert [url for url in modules if url.endswith("work.js")]
    ada.verify()


def test_another_text_and_another_number_go_through_by_themselves(
    visit_working: Visit, number: str
) -> None:
    ada = Person(visit_working("/signup", fresh=True), number)
    ada.sign_up()
    ada.page.get_by_role("link", name="Change number").click()
    ada.is_at("phone")
    ada.number = f"+4475{number[-8:]}"
    ada.field("Mobile number").fill(ada.number)
    ada.press("Text me a code")
    ada.is_at("verification")
    expect(ada.page.get_by_role("alert")).to_have_count(0)
    assert len(ada.texts()) == 1
    ada.verify()


def test_without_scripts_the_form_says_how_long_to_wait(visit_working: Visit, number: str) -> None:
    ada = Person(visit_working("/signup", scripts=False, fresh=True, viewport=PHONE), number)
    ada.fill_in()
    ada.press("Create account")
    alert, button = ada.page.get_by_role("alert"), ada.page.locator("#submit")
    expect(alert).to_contain_text(WORDS)
    expect(ada.page.locator(".seconds-left")).to_be_visible()
    expect(ada.field("Email address")).not_to_have_value("")
    expect(button).to_be_hidden()
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert ada.page.evaluate(overflow) == 0
    ada.field("Password").fill(PASSWORD)
    ada.field("Password").press("Enter")
    expect(alert).to_contain_text(re.compile(r"wait 1(1\d|20) seconds"))
    assert ada.texts() == []
    left = "getComputedStyle(document.querySelector('.seconds-left'), '::after')"
    assert 100 < int(ada.page.evaluate(f"{left}.getPropertyValue('--left')")) <= 120
    ada.page.evaluate("for (const one of document.getAnimations()) one.finish()")
    expect(button).to_be_visible()
