"""Every state in the gallery: a silent console, nothing for axe to find, nothing off the screen."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, ViewportSize

from tests.browser.conftest import Visit
from webapp.pages.gallery import STATES

PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=900)
SMALL = ViewportSize(width=320, height=640)
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = {
    "sandbox-phone": "/sandbox/phone",
    "gallery": "/sandbox/gallery",
    **{name: f"/sandbox/gallery/{name}" for name in STATES},
}

PRESSED_OR_TYPED = "button, input:not([type=hidden]), select, .press-link, .button"
SMALLEST_TARGET = 48
SMALLEST_TEXT = 16


def violations(page: Page, axe: str) -> list[tuple[str, Any]]:
    page.evaluate(axe)
    options = json.dumps({"runOnly": STANDARDS, "resultTypes": ["violations"]})
    found = page.evaluate(f"async () => (await axe.run(document, {options})).violations")
    return [(rule["id"], [_summary(node) for node in rule["nodes"]]) for rule in found]


def _summary(node: dict[str, Any]) -> str:
    return f"{node['html']} {node['failureSummary']}"


def words(page: Page) -> str:
    return " ".join(page.locator("main").inner_text().split())


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_axe_finds_nothing_light_or_dark(visit: Visit, axe: str, path: str) -> None:
    page = visit(path, viewport=PHONE, reduced_motion="reduce")
    assert violations(page, axe) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(DESK)
    assert violations(page, axe) == []


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_nothing_is_off_the_screen_small_or_large_in_either_direction(
    visit: Visit, path: str
) -> None:
    for direction in ("ltr", "rtl"):
        page = visit(f"{path}?dir={direction}", viewport=SMALL)
        for size in (SMALL, PHONE, DESK):
            page.set_viewport_size(size)
            assert sideways(page) <= 0
        page.set_viewport_size(SMALL)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert sideways(page) <= 0


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_targets_are_large_and_no_text_is_small(visit: Visit, path: str) -> None:
    page = visit(path, viewport=PHONE)
    heights = page.eval_on_selector_all(
        PRESSED_OR_TYPED,
        "all => all.filter(e => e.checkVisibility()).map(e => [e.outerHTML, e.offsetHeight])",
    )
    assert [target for target, height in heights if height < SMALLEST_TARGET] == []
    sizes = page.eval_on_selector_all(
        "body *", "all => all.map(e => [e.tagName, parseFloat(getComputedStyle(e).fontSize)])"
    )
    assert [element for element, size in sizes if size < SMALLEST_TEXT] == []


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
    assert violations(page, axe) == []


def test_html_validate_finds_nothing(html_validate: str, site: str, tmp_path: Path) -> None:
    for name, path in PAGES.items():
        (tmp_path / f"{name}.html").write_text(httpx.get(site + path).text)
    command = [html_validate, "--formatter", "text", *map(str, sorted(tmp_path.glob("*.html")))]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_without_scripts_the_words_are_the_same(visit: Visit, path: str) -> None:
    plain, scripted = visit(path, scripts=False), visit(path)
    ticking = re.compile(r"in \d+ seconds")  # by scripts alone
    assert ticking.sub("", words(scripted).replace("Show password ", "")) == ticking.sub(
        "", words(plain)
    )
