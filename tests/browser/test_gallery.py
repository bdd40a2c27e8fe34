"""Every state in the gallery: a silent console, nothing for axe to find, nothing off the screen."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, ViewportSize

from tests.browser.conftest import DESK, PHONE, Profiles, Visit
from webapp.pages.gallery import STATES

SMALL = ViewportSize(width=320, height=640)
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The rules for which colours and size matter; the rest see the same page whatever its looks.
OF_LOOKS = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
PAGES = {
    "sandbox-phone": "/sandbox/phone",
    "gallery": "/sandbox/gallery",
    **{name: f"/sandbox/gallery/{name}" for name in STATES},
}

PRESSED_OR_TYPED = "button, input:not([type=hidden]), select, .press-link, .button"
SMALLEST_TARGET = 48
SMALLEST_TEXT = 16


def violations(
    page: Page, axe: str = "", rules: Sequence[str] = STANDARDS
) -> list[tuple[str, Any]]:
    """What axe finds; a page needs its script once."""
    page.evaluate(axe)
    options = json.dumps({"runOnly": [*rules], "resultTypes": ["violations"]})
    found = page.evaluate(f"async () => (await axe.run(document, {options})).violations")
    return [(rule["id"], [_summary(node) for node in rule["nodes"]]) for rule in found]


def _summary(node: dict[str, Any]) -> str:
    return f"{node['html']} {node['failureSummary']}"


def words(page: Page) -> str:
    return " ".join(page.locator("main").inner_text().split())


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.fixture(scope="module")
def grumbles() -> list[str]:
    """What the browser complained of since somebody looked."""
    return []


@pytest.fixture(scope="module")
def tab(profiles: Profiles, grumbles: list[str]) -> Iterator[Page]:
    """One tab for all states, since to open one costs ten times what it costs to show a page."""
    with profiles.tabs(grumbles) as open_tab:
        yield open_tab(None, reduced_motion="reduce")


@pytest.fixture(scope="module")
def plain(profiles: Profiles, grumbles: list[str]) -> Iterator[Page]:
    """A tab without JavaScript."""
    with profiles.tabs(grumbles) as open_tab:
        yield open_tab(None, scripts=False)


@pytest.fixture(scope="module", params=PAGES.values(), ids=list(PAGES))
def path(request: pytest.FixtureRequest) -> str:
    """Every state; it is opened once for all tests that want to see it."""
    return str(request.param)


@pytest.fixture(scope="module")
def opened(tab: Page, path: str) -> Page:
    tab.goto(path)
    return tab


@pytest.fixture
def state(opened: Page, grumbles: list[str]) -> Iterator[Page]:
    """The state on a phone, in daylight, left to right."""
    opened.set_viewport_size(PHONE)
    yield opened
    opened.emulate_media(color_scheme="light")
    opened.evaluate("document.documentElement.dir = 'ltr'")
    opened.evaluate("document.documentElement.style.fontSize = ''")
    complaints = grumbles.copy()
    grumbles.clear()
    assert complaints == []


def test_without_scripts_the_words_are_the_same(state: Page, plain: Page, path: str) -> None:
    plain.goto(path)
    ticking = re.compile(r"in \d+ seconds")  # by scripts alone
    assert ticking.sub("", words(state).replace("Show password ", "")) == ticking.sub(
        "", words(plain)
    )


def test_axe_finds_nothing_light_or_dark(state: Page, axe: str) -> None:
    assert violations(state, axe) == []
    state.emulate_media(color_scheme="dark")
    state.set_viewport_size(DESK)
    assert violations(state, rules=OF_LOOKS) == []


def test_nothing_is_off_the_screen_small_or_large_in_either_direction(state: Page) -> None:
    for direction in ("ltr", "rtl"):
        state.evaluate("direction => document.documentElement.dir = direction", direction)
        for size in (DESK, PHONE, SMALL):
            state.set_viewport_size(size)
            assert sideways(state) <= 0
        state.evaluate("document.documentElement.style.fontSize = '200%'")
        assert sideways(state) <= 0
        state.evaluate("document.documentElement.style.fontSize = ''")


def test_targets_are_large_and_no_text_is_small(state: Page) -> None:
    heights = state.eval_on_selector_all(
        PRESSED_OR_TYPED,
        "all => all.filter(e => e.checkVisibility()).map(e => [e.outerHTML, e.offsetHeight])",
    )
    assert [target for target, height in heights if height < SMALLEST_TARGET] == []
    sizes = state.eval_on_selector_all(
        "body *", "all => all.map(e => [e.tagName, parseFloat(getComputedStyle(e).fontSize)])"
    )
    assert [element for element, size in sizes if size < SMALLEST_TEXT] == []


def test_a_state_is_shown_from_right_to_left_where_that_is_asked(visit: Visit) -> None:
    page = visit("/sandbox/gallery/signup?dir=rtl")
    assert page.evaluate("document.documentElement.dir") == "rtl"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_forced_or_of_more_contrast_are_followed(
    visit: Visit, axe: str, scheme: Any
) -> None:
    page = visit(
        "/sandbox/gallery/signup-errors",
        color_scheme=scheme,
        contrast="more",
        reduced_motion="reduce",
    )
    assert violations(page, axe) == []
    page.emulate_media(forced_colors="active")
    assert violations(page) == []


def test_html_validate_finds_nothing(html_validate: str, site: str, tmp_path: Path) -> None:
    with httpx.Client(base_url=site) as client:
        for name, path in PAGES.items():
            (tmp_path / f"{name}.html").write_text(client.get(path).text)
    command = [html_validate, "--formatter", "text", *map(str, sorted(tmp_path.glob("*.html")))]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
