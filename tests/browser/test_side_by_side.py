"""The gallery's frames: one state at both widths, light and dark, from both sides."""

import subprocess
from pathlib import Path

import httpx
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import Visit
from tests.browser.test_gallery import STANDARDS

SCREEN = ViewportSize(width=1700, height=4000)
PATH = "/sandbox/gallery/code-wrong/side-by-side"
SEEN = "() => [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches, document.dir]"


def look(visit: Visit) -> Page:
    page = visit(PATH, viewport=SCREEN, color_scheme="null")
    for at in range(8):
        frame = page.frame_locator("iframe").nth(at)
        expect(frame.get_by_role("heading", level=1)).to_have_text("Enter your code")
    return page


def test_a_state_is_seen_at_both_widths_light_and_dark_from_both_sides(visit: Visit) -> None:
    page = look(visit)
    seen = [tuple(frame.evaluate(SEEN)) for frame in page.frames[1:]]
    assert sorted(seen) == sorted(
        (width, dark, reading)
        for width in (390, 1280)
        for dark in (True, False)
        for reading in ("ltr", "rtl")
    )


def test_the_frames_are_in_order_for_axe_and_html_validate(
    visit: Visit, axe: str, html_validate: str, site: str, tmp_path: Path
) -> None:
    page = visit(PATH, viewport=SCREEN)
    page.evaluate(axe)
    options = {"runOnly": STANDARDS, "resultTypes": ["violations"], "iframes": False}
    found = page.evaluate("async options => (await axe.run(document, options)).violations", options)
    assert [rule["id"] for rule in found] == []
    (tmp_path / "page.html").write_text(httpx.get(site + PATH).text)
    command = [html_validate, "--formatter", "text", str(tmp_path / "page.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_a_state_of_the_gallery_may_be_framed_and_by_our_own_page(site: str) -> None:
    states = [PATH, "/sandbox/gallery/signup", "/signup", "/sandbox/phone", "/sandbox/gallery"]
    policies = [
        httpx.get(site + path, verify=False).headers["content-security-policy"] for path in states
    ]
    assert ["frame-ancestors 'self'" in policy for policy in policies] == [True, True] + [False] * 3
