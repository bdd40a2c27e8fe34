"""What a first visit costs: bytes, requests, and whether anything moves while it loads."""

from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Response, expect

from tests.browser.conftest import Visit
from tests.browser.person import Person
from webapp.pages.gallery import STATES

MOST_BYTES = 35 * 1024
MOST_REQUESTS = 5
MOST_BYTES_OF_A_SWAP = 3 * 1024

SHIFTS = """() => new Promise(resolve => new PerformanceObserver(
    list => resolve(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))
).observe({type: 'layout-shift', buffered: true}) || setTimeout(() => resolve(0), 500))"""


def test_a_first_visit_is_light_and_all_ours(visit: Visit, site: str) -> None:
    page = visit(None, fresh=True)
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    page.on("response", note)
    page.goto("/signup", wait_until="networkidle")
    assert len(answers) <= MOST_REQUESTS
    assert {urlsplit(answer.url).netloc for answer in answers} == {urlsplit(site).netloc}
    sizes = [answer.request.sizes() for answer in answers]
    total = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
    assert total <= MOST_BYTES


@pytest.mark.parametrize("coding", ["gzip", "gzip, deflate, br, zstd"])
def test_no_state_of_a_step_that_is_swapped_in_is_heavy(site: str, coding: str) -> None:
    headers = {"HX-Request": "true", "Accept-Encoding": coding}
    heavy = {}
    with httpx.Client(base_url=site, headers=headers) as client:
        for path in ["/signup", *(f"/sandbox/gallery/{name}" for name in STATES)]:
            with client.stream("GET", path) as answer:
                weight = sum(map(len, answer.iter_raw()))
            if weight > MOST_BYTES_OF_A_SWAP:
                heavy[path] = weight
    assert heavy == {}


def test_the_countries_follow_a_step_that_is_swapped_in(person: Person, site: str) -> None:
    assert "max-age" in httpx.get(f"{site}/countries").headers["cache-control"]
    person.sign_up()
    for _ in range(2):
        person.page.get_by_role("link", name="Change number").click()
        expect(person.field("Country")).to_have_value("GB")
        person.field("Country").select_option("FR")
        expect(person.page.locator("#phone-hint")).to_contain_text("06 12 34 56 78")
        person.page.get_by_role("link", name="Keep the number we have").click()
        person.is_at("verification")


def test_countries_that_got_lost_are_asked_for_again(person: Person, complaints: list[str]) -> None:
    person.sign_up()
    person.page.route("**/countries", lambda route: route.abort(), times=1)
    with person.page.expect_event("requestfailed"):
        person.page.get_by_role("link", name="Change number").click()
    expect(person.page.get_by_role("alert")).to_have_count(0)
    person.field("Country").focus()
    person.field("Country").select_option("FR")
    complaints.clear()  # the browser's and htmx's own lines about the network


def test_a_step_that_is_swapped_in_is_light(visit: Visit, number: str) -> None:
    ada = Person(visit("/signup"), number)
    ada.fill_in()
    with ada.page.expect_response("**/signup") as answer:
        ada.press("Create account")
    ada.is_at("verification")
    assert answer.value.request.sizes()["responseBodySize"] <= MOST_BYTES_OF_A_SWAP


def test_a_form_that_comes_back_is_light_and_keeps_its_countries(person: Person) -> None:
    person.fill_in(Email_address="ada@")
    person.field("Country").select_option("FR")
    with person.page.expect_response("**/signup") as answer:
        person.press("Create account")
    expect(person.page.locator("#email-error")).to_be_visible()
    assert answer.value.request.sizes()["responseBodySize"] <= MOST_BYTES_OF_A_SWAP
    expect(person.field("Country")).to_have_value("FR")
    person.field("Country").select_option("GB")
    expect(person.page.locator("#phone-hint")).to_contain_text("07400 123456")
    person.fill_in()
    person.press("Create account")
    person.is_at("verification")


def test_nothing_moves_while_the_page_loads(visit: Visit) -> None:
    page = visit("/signup", fresh=True, viewport={"width": 390, "height": 844})
    expect(page.get_by_role("button", name="Show password")).to_be_visible()
    assert page.evaluate(SHIFTS) == 0


def test_the_address_follows_the_step_without_a_place_to_go_back_to(person: Person) -> None:
    before = person.page.evaluate("history.length")
    person.sign_up()
    assert person.page.evaluate("history.length") == before
    assert person.page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
