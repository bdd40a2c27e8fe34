"""A browser proves work by itself; without scripts, a wait does."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Profiles, Visit, serving
from tests.browser.person import PASSWORD, Person

WORDS = "Your browser now proves that it is no robot"


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


def test_without_scripts_the_form_says_how_long_to_wait(visit_working: Visit, number: str) -> None:
    ada = Person(visit_working("/signup", scripts=False, fresh=True), number)
    ada.fill_in()
    ada.press("Create account")
    expect(ada.page.get_by_role("alert")).to_contain_text(WORDS)
    ada.field("Password").fill(PASSWORD)
    ada.press("Create account")
    expect(ada.page.get_by_role("alert")).to_contain_text("send it again in 120 seconds")
    assert ada.texts() == []
