"""What scripts add: countdown, codes that send themselves, pressed buttons, trouble in place."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from tests.browser.conftest import IN_BOTH, Visit
from tests.browser.person import PASSWORD, Person, wrong

STATUS = "#status"
LONG_ENOUGH = 1000  # ms: whatever was to be sent by itself, or was queued, has been


@contextmanager
def posts(page: Page, path: str) -> Iterator[list[Request]]:
    """The requests that the page posts to ``path`` meanwhile."""
    seen: list[Request] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.url.endswith(path):
            seen.append(request)

    page.on("request", note)
    yield seen
    page.remove_listener("request", note)


def held(page: Page, pattern: str) -> list[Route]:
    """The requests to ``pattern``, none of which gets on before the test lets it."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route(pattern, hold)
    return waiting


def arrived(page: Page, waiting: list[Route]) -> Route:
    """The first of the requests held back; waits for it to come."""
    while not waiting:
        page.wait_for_timeout(20)
    return waiting[0]


# The countdown


def countdown(visit: Visit, seconds: int = 30) -> Page:
    """The code step on a clock that only the test moves; asked again, the server says 12 s."""
    page = visit(None, fresh=True)  # a clock is the whole profile's, for good
    page.clock.install(time=0)
    page.goto("/sandbox/gallery/code")
    page.route("**/sandbox/gallery/code", lambda route: answer_left(route, 12))
    expect(page.locator(".wait")).to_contain_text(f"{seconds} seconds")
    expect(page.get_by_role("button", name="Text me again")).to_be_disabled()
    return page


def answer_left(route: Route, seconds: int) -> None:
    body = f'<form data-resend-in="{seconds}"></form>'
    route.fulfill(body=body, content_type="text/html")


def test_the_countdown_runs_silently_and_its_end_is_said_once(visit: Visit) -> None:
    page = countdown(visit)
    page.evaluate("""() => {
        window.said = [];
        new MutationObserver(() => said.push(document.getElementById('status').textContent))
            .observe(document.getElementById('status'), {childList: true});
    }""")
    page.clock.run_for(10_000)
    expect(page.locator(".wait")).to_contain_text("20 seconds")
    assert page.locator(".wait").evaluate("wait => wait.closest('[aria-live], [role]')") is None
    assert page.evaluate("said") == []
    page.clock.run_for(25_000)
    expect(page.locator(".wait")).to_have_text("You can ask for a code now.")
    assert page.evaluate("said") == ["You can ask for a code now."]
    expect(page.get_by_role("button", name="Text me again")).to_be_enabled()


def test_a_button_that_waits_sends_nothing(visit: Visit) -> None:
    page = countdown(visit)
    with posts(page, "/verification/resend") as seen:
        page.get_by_role("button", name="Text me again").click(force=True)
        page.wait_for_timeout(200)
    assert seen == []


def test_after_sleep_the_countdown_is_over(visit: Visit) -> None:
    page = countdown(visit)
    page.clock.fast_forward("02:00")
    expect(page.locator(".wait")).to_have_text("You can ask for a code now.")


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_does_not_move_the_countdown(visit: Visit, hours: int) -> None:
    """The server is asked, and says 12 seconds."""
    page = countdown(visit)
    page.evaluate(f"() => {{ const now = Date.now; Date.now = () => now() + {hours} * 3600000; }}")
    with page.expect_response("**/sandbox/gallery/code"):
        page.clock.run_for(300)
    expect(page.locator(".wait")).to_contain_text(re.compile("1[12] seconds"))


# The code


def paste(page: Page, text: str) -> None:
    page.get_by_label("6-digit code").focus()
    page.evaluate("text => document.execCommand('insertText', false, text)", text)


def selected(field: Locator) -> str:
    """The part of the field's text that typing would replace."""
    return str(
        field.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)")
    )


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{}\n",
        "Your code is {}. Keep it to yourself for 10 minutes.",
        "{0} is your shop-234567.example code. Do not share it. @shop-234567.example #{0}",
    ],
)
def test_a_pasted_code_sends_itself(person: Person, text: str) -> None:
    person.sign_up()
    with posts(person.page, "/verification") as seen:
        paste(person.page, text.format(person.code()))
        person.is_at("account")
    assert len(seen) == 1


def test_the_right_code_pasted_over_a_wrong_one_sends_itself(person: Person) -> None:
    person.sign_up()
    right = person.code()
    paste(person.page, wrong(right))
    expect(person.page.locator("#code-error")).to_be_visible()
    paste(person.page, right)
    person.is_at("account")


def test_the_digits_of_a_code_are_large_and_apart(person: Person) -> None:
    person.sign_up()
    code, text = person.field("6-digit code"), person.page.locator("body")
    assert pixels(code, "font-size") > pixels(text, "font-size")
    assert pixels(code, "letter-spacing") > 0


def pixels(element: Locator, name: str) -> float:
    """A length of the element's style, as computed; 0 where it is none."""
    style = "(element, name) => parseFloat(getComputedStyle(element).getPropertyValue(name)) || 0"
    return float(element.evaluate(style, name))


def test_a_typed_code_waits_for_the_button(person: Person) -> None:
    person.sign_up()
    with posts(person.page, "/verification") as seen:
        person.field("6-digit code").press_sequentially(person.code())
        person.page.wait_for_timeout(LONG_ENOUGH)
    assert seen == []


def test_a_code_never_sends_itself_twice(person: Person) -> None:
    person.sign_up()
    code = wrong(person.code())
    with posts(person.page, "/verification") as seen:
        paste(person.page, code)
        expect(person.page.locator("#code-error")).to_be_visible()
        person.field("6-digit code").fill("")
        paste(person.page, code)
        person.page.wait_for_timeout(LONG_ENOUGH)
    assert len(seen) == 1


@IN_BOTH
def test_a_paste_and_the_press_after_it_send_the_code_once(person: Person) -> None:
    person.sign_up()
    code = wrong(person.code())
    with posts(person.page, "/verification") as seen:
        paste(person.page, code)
        person.press("Confirm")
        expect(person.page.locator("#code-error")).to_be_visible()
        person.press("Confirm")
        person.page.keyboard.press("Enter")
        person.page.wait_for_timeout(LONG_ENOUGH)
    assert len(seen) == 1
    expect(person.page.locator(STATUS)).to_contain_text("not the code we sent")
    assert selected(person.field("6-digit code")) == code


def test_a_code_that_nobody_could_check_is_sent_again(person: Person, site: str) -> None:
    person.sign_up()
    unchecked = httpx.get(
        f"{site}/sandbox/gallery/code-unchecked", headers={"HX-Request": "true"}
    ).text
    person.page.route(
        "**/verification",
        lambda route: route.fulfill(
            status=503,
            body=unchecked,
            headers={"HX-Replace-Url": "/verification"},
            content_type="text/html",
        ),
        times=1,
    )
    person.type_code("123456")
    person.press("Confirm")
    expect(person.page.get_by_role("alert")).to_contain_text("could not check your code")
    with posts(person.page, "/verification") as seen:
        person.press("Confirm")
        expect(person.page.locator("#code-error")).to_be_visible()
    assert len(seen) == 1


@IN_BOTH
def test_a_wrong_code_keeps_the_field_and_so_a_phone_its_keyboard(
    visit: Visit, number: str
) -> None:
    ada = Person(visit("/signup"), number)
    ada.sign_up()
    ada.page.set_viewport_size({"width": 390, "height": 508})  # what a keyboard leaves of 844
    code, field = wrong(ada.code()), ada.field("6-digit code")
    ada.type_code(code)
    field.evaluate("field => { window.left = 0; field.onblur = () => left++; }")
    field.press("Enter")
    expect(ada.page.locator("#code-error")).to_be_in_viewport(ratio=1)
    expect(field).to_be_in_viewport(ratio=1)
    expect(field).to_be_focused()
    assert ada.page.evaluate("left") == 0
    assert selected(field) == code
    expect(ada.page.locator(STATUS)).to_have_text("")


WEB_OTP = """
    window.OTPCredential = class {};
    const asked = window.asked = {count: 0, aborted: 0};
    navigator.credentials.get = ({otp, signal}) => new Promise((resolve, reject) => {
        asked.count++;
        asked.arrive = (code) => resolve({code});
        signal.addEventListener('abort', () => {
            asked.aborted++;
            reject(new DOMException('', 'AbortError'));
        });
    });
"""


def test_a_browser_that_reads_texts_sends_the_code_itself(visit: Visit, number: str) -> None:
    page = visit(None)
    page.add_init_script(WEB_OTP)
    page.goto("/signup")
    ada = Person(page, number)
    ada.sign_up()
    page.wait_for_function("() => asked.count === 1")
    page.evaluate("code => asked.arrive(code)", ada.code())
    ada.is_at("account")


def test_reading_texts_ends_when_the_code_is_sent_by_hand(visit: Visit, number: str) -> None:
    page = visit(None)
    page.add_init_script(WEB_OTP)
    page.goto("/signup")
    ada = Person(page, number)
    ada.sign_up()
    page.wait_for_function("() => asked.count === 1")
    ada.verify()
    assert page.evaluate("[asked.count, asked.aborted]") == [1, 1]


def test_without_its_module_the_code_step_works_as_without_scripts(person: Person) -> None:
    broken = "throw new Error('It did not load')"
    person.page.route(
        "**/js/code.js", lambda route: route.fulfill(body=broken, content_type="text/javascript")
    )
    person.sign_up()
    person.verify()


# Movement


def test_a_transition_that_is_cut_short_is_no_error(visit: Visit, number: str) -> None:
    page = visit(None)
    page.add_init_script("""
        const start = Document.prototype.startViewTransition;
        Document.prototype.startViewTransition = function (update) {
            const transition = start.call(this, update);
            transition.skipTransition();
            return transition;
        };
    """)
    page.goto("/signup")
    ada = Person(page, number)
    ada.sign_up()
    ada.verify()


@pytest.mark.parametrize("event", ["pageswap", "pagereveal"])
def test_a_transition_between_pages_that_is_cut_short_is_no_error(visit: Visit, event: str) -> None:
    """WebKit cuts it short in a page that comes back from its cache by the back button."""
    page = visit("/signup")
    expect(page.get_by_role("button", name="Show password")).to_be_visible()
    page.evaluate(
        """name => {
            const cut = new Event(name);
            cut.viewTransition = {ready: Promise.reject(new DOMException("Skipped", "AbortError"))};
            dispatchEvent(cut);
        }""",
        event,
    )
    page.wait_for_timeout(100)


# Pressed buttons


def test_the_pressed_button_says_what_happens_and_keeps_the_focus(person: Person) -> None:
    waiting = held(person.page, "**/signup")
    person.fill_in()
    with posts(person.page, "/signup") as seen:
        person.press("Create account")
        pressed = person.page.get_by_role("button", name="Creating your account…")
        expect(pressed).to_be_focused()
        expect(pressed).to_have_attribute("aria-disabled", "true")
        expect(person.page.locator(STATUS)).to_have_text("Creating your account…")
        pressed.click(force=True)
        person.page.keyboard.press("Enter")
        person.field("Full name").press("Enter")
        arrived(person.page, waiting).continue_()
        person.is_at("verification")
        person.page.wait_for_timeout(LONG_ENOUGH)
    assert len(seen) == 1
    assert len(person.texts()) == 1


def test_a_double_click_signs_up_once(person: Person) -> None:
    person.fill_in()
    with posts(person.page, "/signup") as seen:
        person.page.get_by_role("button", name="Create account").dblclick()
        person.is_at("verification")
        person.page.wait_for_timeout(LONG_ENOUGH)
    assert len(seen) == 1
    assert len(person.texts()) == 1


# Trouble


def test_without_a_network_the_page_says_so_and_keeps_all(
    person: Person, complaints: list[str]
) -> None:
    person.fill_in()
    person.page.context.set_offline(True)
    person.press("Create account")
    trouble = person.page.get_by_role("alert")
    expect(trouble).to_contain_text("We can’t reach the server")
    expect(trouble).to_be_focused()
    expect(person.field("Password")).to_have_value(PASSWORD)
    expect(person.page.get_by_role("button", name="Create account")).to_be_enabled()
    person.page.context.set_offline(False)
    person.press("Try again")
    person.is_at("verification")
    assert [line for line in complaints if "pageerror" in line] == []
    complaints.clear()  # the browser's and htmx's own lines about the network


def test_a_link_without_a_network_says_so_and_tries_again(
    person: Person, complaints: list[str]
) -> None:
    person.sign_up()
    person.page.context.set_offline(True)
    person.page.get_by_role("link", name="Change number").click()
    expect(person.page.get_by_role("alert")).to_contain_text("We can’t reach the server")
    person.page.context.set_offline(False)
    person.press("Try again")
    person.is_at("phone")
    complaints.clear()  # the browser's and htmx's own lines about the network


def test_a_server_that_never_answers_is_given_up(
    visit: Visit, number: str, complaints: list[str]
) -> None:
    page = visit(None, fresh=True)  # a clock is the whole profile's, for good
    page.clock.install()
    page.goto("/signup")
    ada = Person(page, number)
    page.route("**/signup", lambda _: None)
    ada.fill_in()
    ada.press("Create account")
    page.clock.fast_forward(29_500)
    expect(page.get_by_role("alert")).to_contain_text("taking too long")
    expect(ada.field("Email address")).to_have_value(re.compile("ada"))
    complaints.clear()  # htmx's own line


@pytest.mark.parametrize("status", [200, 502, 503])
def test_a_page_that_is_not_ours_is_not_swapped_in(person: Person, status: int) -> None:
    person.page.route(
        "**/signup",
        lambda route: route.fulfill(
            status=status, body="<h1>Bad gateway</h1>", content_type="text/html"
        ),
        times=1,
    )
    person.fill_in()
    person.press("Create account")
    expect(person.page.get_by_role("alert")).to_contain_text("The server is not ready")
    expect(person.page.get_by_text("Bad gateway")).to_have_count(0)
    expect(person.field("Password")).to_have_value(PASSWORD)
    person.press("Try again")
    person.is_at("verification")


# Help while typing


def test_the_example_number_follows_the_country(person: Person) -> None:
    with posts(person.page, "/hints/phone") as seen:
        person.field("Password").fill(PASSWORD)
        person.field("Country").select_option("FR")
        expect(person.page.locator("#phone-hint")).to_contain_text("06 12 34 56 78")
    assert seen[0].post_data == "country=FR"


def test_the_strength_of_a_password_is_told_and_no_address_has_it(person: Person) -> None:
    urls: list[str] = []
    person.page.on("request", lambda request: urls.append(request.url))
    hint = person.page.locator("#password-strength")
    person.field("Password").press_sequentially("aaaa")
    expect(hint).to_contain_text("8 characters")
    person.field("Password").fill("violet tram gardener 41")
    expect(hint).to_contain_text("trong")
    assert [url for url in urls if "violet" in url] == []


def test_help_that_fails_says_nothing(person: Person) -> None:
    person.page.route("**/hints/*", lambda route: route.fulfill(status=503, body="<p>Down</p>"))
    before = person.page.locator("#phone-hint").inner_text()
    with person.page.expect_response("**/hints/phone"):
        person.field("Country").select_option("FR")
    person.page.wait_for_timeout(LONG_ENOUGH)
    assert person.page.locator("#phone-hint").inner_text() == before
    expect(person.page.get_by_role("alert")).to_have_count(0)


def test_a_password_that_was_shown_hides_when_it_is_sent(person: Person) -> None:
    page = person.page
    person.fill_in(Email_address="ada@")
    person.press("Show password")
    expect(person.field("Password")).to_have_attribute("type", "text")
    expect(page.locator(STATUS)).to_have_text("Your password is visible")
    waiting = held(page, "**/signup")
    person.press("Create account")
    expect(person.field("Password")).to_have_attribute("type", "password")
    arrived(page, waiting).continue_()
    expect(page.locator("#email-error")).to_be_visible()


def test_a_script_that_comes_late_still_does_its_part(visit: Visit) -> None:
    page = visit(None)
    waiting = held(page, "**/js/app.js")
    page.goto("/signup", wait_until="commit")
    page.get_by_label("Full name").fill("Ada")
    arrived(page, waiting).continue_()
    expect(page.get_by_role("button", name="Show password")).to_be_visible()


# The sandbox phone


def test_texts_appear_on_the_sandbox_phone_by_themselves(visit: Visit, number: str) -> None:
    phone = visit("/sandbox/phone")
    ada = Person(visit("/signup"), number)
    ada.sign_up()
    expect(phone.locator(".message-code").first).to_contain_text(ada.code())


def ask_again(page: Page, site: str) -> None:
    """Press for another text, and have it sent."""
    resent = httpx.get(f"{site}/sandbox/gallery/code-resent", headers={"HX-Request": "true"}).text
    page.route(
        "**/verification/resend",
        lambda route: route.fulfill(
            body=resent, headers={"HX-Replace-Url": "/verification"}, content_type="text/html"
        ),
    )
    page.get_by_role("button", name="Text me again").click()


def test_a_notice_is_said_aloud_and_the_focus_stays(visit: Visit, site: str) -> None:
    page = visit("/sandbox/gallery/code-call")
    ask_again(page, site)
    expect(page.locator(STATUS)).to_contain_text("We have sent the code")
    expect(page.get_by_role("button", name="Text me again")).to_be_focused()
    expect(page.locator(".wait")).to_contain_text("You can ask for a code in")


def test_a_notice_is_in_sight_wherever_the_button_was(visit: Visit, site: str) -> None:
    page = visit("/sandbox/gallery/code-call", viewport={"width": 390, "height": 640})
    ask_again(page, site)
    expect(page.locator("[data-notice]")).to_be_in_viewport(ratio=1)


@IN_BOTH
def test_a_summary_taller_than_the_window_is_read_from_its_heading_on(
    visit: Visit, number: str
) -> None:
    ada = Person(visit("/signup", viewport={"width": 390, "height": 200}), number)
    ada.fill_in(Full_name="", Email_address="ada@", Mobile_number="1", Password="password1")
    ada.field("Password").press("Enter")  # the button moves when the password's worth is told
    summary = ada.page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary.get_by_text("There is a problem")).to_be_in_viewport(ratio=1)
    expect(summary.get_by_role("link").first).to_be_in_viewport(ratio=1)


# What was typed


def test_a_password_stays_where_only_we_stood_in_the_way(person: Person, site: str) -> None:
    busy = httpx.get(
        f"{site}/sandbox/gallery/signup-provider-down", headers={"HX-Request": "true"}
    ).text
    assert PASSWORD not in busy
    person.page.route(
        "**/signup",
        lambda route: route.fulfill(
            status=503, body=busy, headers={"HX-Replace-Url": "/signup"}, content_type="text/html"
        ),
        times=1,
    )
    person.fill_in()
    person.press("Create account")
    expect(person.page.get_by_role("alert")).to_contain_text("Nothing you typed is lost")
    expect(person.field("Password")).to_have_value(PASSWORD)
    expect(person.field("Password")).to_have_attribute("type", "password")
    expect(person.page.get_by_text("Type your password again")).to_have_count(0)
    person.fill_in(Email_address="ada@")
    person.press("Create account")
    expect(person.page.locator("#email-error")).to_be_visible()
    expect(person.field("Password")).to_have_value("")
    expect(person.page.get_by_text("Type your password again")).to_be_visible()


def test_address_and_title_change_with_the_step(person: Person) -> None:
    person.page.evaluate("""() => {
        window.seen = [];
        new MutationObserver(() => {
            const step = document.querySelector('main > [data-step]');
            if (step) seen.push([step.dataset.step, location.pathname, document.title]);
        }).observe(document.getElementById('main'), {childList: true});
    }""")
    person.sign_up()
    step, path, title = person.page.evaluate("seen.at(-1)")
    assert (step, path) == ("verification", "/verification")
    assert title.startswith("Enter your code")


def test_the_button_is_never_over_what_is_typed(visit: Visit) -> None:
    for reading in ("ltr", "rtl"):
        page = visit(f"/sandbox/gallery/signup?dir={reading}")
        button = page.get_by_role("button", name="Show password").bounding_box()
        field = page.get_by_label("Password", exact=True).bounding_box()
        assert button
        assert field
        assert button["x"] > field["x"] + field["width"] / 2  # a password is written left to right


def test_a_button_that_waits_says_until_when(visit: Visit) -> None:
    page = visit("/sandbox/gallery/code")
    button = page.get_by_role("button", name="Text me again")
    expect(button).to_have_accessible_description(re.compile(r"You can ask for a code in \d+ sec"))
    page.goto("/sandbox/gallery/code-call")
    expect(button).to_have_accessible_description("")


def test_what_is_wrong_is_easily_pressed(visit: Visit) -> None:
    page = visit("/sandbox/gallery/signup-errors", viewport={"width": 390, "height": 844})
    heights = page.eval_on_selector_all("[data-summary] a", "all => all.map(a => a.offsetHeight)")
    assert len(heights) == 4
    assert min(heights) >= 40
