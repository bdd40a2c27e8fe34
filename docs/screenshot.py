#!/usr/bin/env python3
"""Makes docs/page.png, the README's picture: the sign-up and code steps on a phone.

Run it from the checkout's root with `.venv/bin/python docs/screenshot.py`. It starts the
development server on a database of its own and needs Chromium (`CHROMIUM` names another binary),
pngquant, and a font with flags such as Debian's fonts-noto-color-emoji.
"""

import base64
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

PICTURE = Path(__file__).parent.parent / "docs" / "page.png"
PORT = 8765
SITE = f"http://localhost:{PORT}"
PHONE = {"width": 390, "height": 1030}
FRAME = """<body style="margin:0;background:#fff;display:flex;gap:32px;padding:16px">{}</body>"""
IMAGE = (
    '<img src="data:image/png;base64,{}" width="390" height="1030"'
    ' style="border:1px solid #c9cec9;border-radius:24px">'
)


def main() -> None:
    chromium = os.environ.get("CHROMIUM") or next(
        path for name in ("chromium-headless-shell", "chromium") if (path := shutil.which(name))
    )
    with development_server(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        PICTURE.write_bytes(side_by_side(browser, steps(browser)))
    subprocess.run(
        ["pngquant", "--speed=1", "--nofs", "--strip", "--ext=.png", "--force", "40", PICTURE],
        check=True,
    )


@contextmanager
def development_server() -> Iterator[None]:
    """`python -m webapp dev`, ready, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite://{folder}/app.sqlite3"}
        command = [sys.executable, "-m", "webapp", "dev", "--port", str(PORT)]
        server = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
        try:
            wait_until_ready()
            yield
        finally:
            server.terminate()
            server.wait()


def wait_until_ready() -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{SITE}/readyz").close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    sys.exit(f"The development server does not answer at {SITE}.")


def steps(browser: Browser) -> list[bytes]:
    """The two steps as a phone shows them, filled in."""
    page = browser.new_page(viewport=PHONE, device_scale_factor=2, locale="en-GB")
    page.goto(f"{SITE}/signup")
    page.fill("#name", "Ada Lovelace")
    page.fill("#email", "ada@example.com")
    page.fill("#phone", "07400 123456")
    page.fill("#password", "quiet engine of brass")
    page.wait_for_selector("#password-strength > *")
    page.locator("#password").blur()
    page.evaluate("scrollTo(0, 0)")
    signup = page.screenshot()
    page.click("#submit")
    page.wait_for_selector("[data-step=verification]")
    page.fill("#code", "428")  # a whole code would submit itself
    hide_what_development_adds(page)
    return [signup, page.screenshot()]


def hide_what_development_adds(page: Page) -> None:
    page.eval_on_selector(".development", "element => element.remove()")
    page.wait_for_timeout(500)  # the animated swap


def side_by_side(browser: Browser, images: list[bytes]) -> bytes:
    page = browser.new_page(device_scale_factor=1.25)
    page.set_content(
        FRAME.format("".join(IMAGE.format(base64.b64encode(i).decode()) for i in images))
    )
    width, height = 2 * 392 + 32 + 32, 1032 + 32
    page.set_viewport_size({"width": width, "height": height})
    return page.screenshot()


if __name__ == "__main__":
    main()
