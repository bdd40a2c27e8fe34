"""Chromium and Firefox in front of the development server, as `make run` starts it."""

import itertools
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.browser.person import Person
from tests.conftest import absent
from tests.postgres import free_port
from tests.servers import PRODUCTION, Process

NODE_MODULES = Path(__file__).parent / "node_modules"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LIMITS = (
    "SIGNUPS_PER_IP",
    "CHECKS_PER_IP",
    "RESENDS_PER_IP",
    "SENDS_PER_PHONE",
    "SENDS_PER_HOUR",
    "PREFIX_BRAKE",
)
# Chromium's own line about every 4xx and 5xx that a script fetches, which the contract wants
FETCHED_REFUSAL = "Failed to load resource: the server responded with a status of"

PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=800)
PATIENCE = 20_000  # ms; a busy machine is no failure

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The development server: its URL. The limits are off, for all tests come from one address."""
    with serving(tmp_path_factory.mktemp("site")) as url:
        yield url


@contextmanager
def serving(directory: Path, **settings: str) -> Iterator[str]:
    """A development server with these settings, and without limits: its URL."""
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "BASE_URL": f"http://localhost:{port}",
        "DATABASE_URL": f"sqlite://{directory}/site.sqlite3",
        "SECRET_KEY": PRODUCTION["SECRET_KEY"],
        **dict.fromkeys(LIMITS, "off"),
        **settings,
    }
    start = shlex.join([sys.executable, "-m", "webapp", "dev", "--port", str(port)])
    process = Process(start, environ, directory / "log")
    try:
        process.wait_until("/readyz")
        yield process.url
    finally:
        process.close()


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """What drives the browsers.

    It ends with these tests: while its event loop runs, no asynchronous test can.
    """
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="package")
def chrome(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """One Chromium for these tests; each has profiles of its own in it."""
    browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def firefox(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Firefox for these tests, the distribution's own."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        absent("Firefox")
    start = tmp_path_factory.mktemp("firefox") / "start"
    relayed = shlex.join([sys.executable, str(Path(__file__).with_name("firefox.py")), program])
    start.write_text(f'#!/bin/sh\nexec {relayed} "$@"\n')
    start.chmod(0o700)
    browser = playwright.firefox.launch(channel="moz-firefox", executable_path=start)
    yield browser
    browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What a browser complained of: a test that does not clear it fails if anything is in it."""
    return []


class Profiles:
    """Browser profiles, used again when they are empty: a new one is a window, and costs most."""

    def __init__(self, browser: Browser, site: str) -> None:
        self.browser, self.site = browser, site
        self.empty: dict[str, list[BrowserContext]] = {}

    @contextmanager
    def tabs(self, complaints: list[str]) -> Iterator[Visit]:
        """What opens tabs, each in a profile of its own, at a path of the site if one is given.

        ``scripts=False`` is without JavaScript, ``fresh=True`` a profile that was never used nor
        will be; other options are the profile's: ``color_scheme``. What pages say on the console
        comes to ``complaints``.
        """
        taken: list[tuple[BrowserContext, str | None]] = []
        closing = False

        def listen(page: Page) -> None:
            page.on("console", lambda message: note(_said(message)))
            page.on("pageerror", lambda error: note(str(error)))

        def note(complaint: str) -> None:
            if complaint and not closing:  # Firefox complains of each request that closing cuts off
                complaints.append(complaint)

        def open_tab(
            path: str | None = "/", *, scripts: bool = True, fresh: bool = False, **options: Any
        ) -> Page:
            options["java_script_enabled"] = scripts
            kind = None if fresh else repr(sorted(options.items()))
            context = self._take(kind, options)
            taken.append((context, kind))
            context.on("page", listen)
            page = context.new_page()
            if path is not None:
                page.goto(path)
            return page

        yield open_tab
        for context, _ in taken:
            _hear_out(context)
        closing = True
        for context, kind in taken:
            context.remove_listener("page", listen)
            self._give_back(context, kind)

    def _take(self, kind: str | None, options: dict[str, Any]) -> BrowserContext:
        if kind and self.empty.get(kind):
            return self.empty[kind].pop()
        context = self.browser.new_context(base_url=self.site, **options)
        context.set_default_timeout(PATIENCE)
        return context

    def _give_back(self, context: BrowserContext, kind: str | None) -> None:
        if kind is None:
            context.close()
            return
        for page in context.pages:
            page.close()
        context.set_offline(False)
        context.clear_cookies()
        self.empty.setdefault(kind, []).append(context)


@pytest.fixture(scope="package")
def profiles(chrome: Browser, site: str) -> Profiles:
    """The profiles of all tests in Chromium."""
    return Profiles(chrome, site)


@pytest.fixture(scope="package")
def firefox_profiles(firefox: Browser, site: str) -> Profiles:
    """The profiles of all tests in Firefox."""
    return Profiles(firefox, site)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """The browser of a test: Chromium, unless ``@IN_BOTH`` runs it in Firefox as well."""
    return getattr(request, "param", "chromium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Firefox has scripts in every test: WebDriver BiDi cannot switch them off."""
    items[:] = [item for item in items if not _is_firefox_without_scripts(item)]


def _is_firefox_without_scripts(item: pytest.Item) -> bool:
    values = item.callspec.params if hasattr(item, "callspec") else {}
    return values.get("engine") == "firefox" and values.get("scripts") is False


IN_BOTH = pytest.mark.parametrize("engine", ["chromium", "firefox"], indirect=True)
PROFILES = {"chromium": "profiles", "firefox": "firefox_profiles"}


@pytest.fixture
def visit(engine: str, request: pytest.FixtureRequest, complaints: list[str]) -> Iterator[Visit]:
    """Opens a tab, in a profile of its own, at a path of the site; see ``Profiles.tabs``."""
    profiles: Profiles = request.getfixturevalue(PROFILES[engine])
    with profiles.tabs(complaints) as open_tab:
        yield open_tab
    assert not complaints


def _hear_out(context: BrowserContext) -> None:
    """Once a page answers, all that it said before has come."""
    for page in context.pages:
        page.evaluate("0")


def _said(message: ConsoleMessage) -> str:
    """What is to complain of in a line on the console: nothing in some."""
    expected = message.text.startswith(FETCHED_REFUSAL)
    return "" if expected else f"{message.type}: {message.text}"


_numbers = itertools.count(100_001)


@pytest.fixture
def number() -> str:
    """A British mobile number that no other test has."""
    return f"+447400{next(_numbers)}"


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    """Whether the browser runs JavaScript; a test that asks runs both ways."""
    return bool(request.param)


@pytest.fixture
def person(visit: Visit, number: str) -> Person:
    """Somebody at the sign-up page, in a browser with JavaScript."""
    return Person(visit("/signup"), number)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    path = NODE_MODULES / "axe-core" / "axe.min.js"
    if not path.exists():
        absent("axe-core (npm ci --prefix tests/browser)")
    return path.read_text()


@pytest.fixture(scope="session")
def html_validate() -> str:
    """The path of html-validate's command."""
    path = NODE_MODULES / ".bin" / "html-validate"
    if not path.exists():
        absent("html-validate (npm ci --prefix tests/browser)")
    return str(path)
