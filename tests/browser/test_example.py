"""`make example`, walked by a person: sign up there, be there, sign out there, come back."""

import os
import sys
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.people import ADA, NUMBER, PASSWORD
from tests.postgres import free_port
from tests.servers import PRODUCTION, ROOT, Process

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def accounts_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def example(accounts_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example as the Makefile starts it, which starts the accounts: its URL."""
    directory, port = tmp_path_factory.mktemp("example"), free_port()
    client = "example known-to-everybody-so-only-for-development"
    environ = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": PRODUCTION["SECRET_KEY"],
        "DATABASE_URL": f"sqlite://{directory}/site.sqlite3",
        "ACCOUNTS_URL": f"http://localhost:{accounts_port}",
        "OIDC_CLIENTS": f"{client} http://localhost:{port}/callback",
        "EXAMPLE_PORT": str(port),
    }
    environ["BASE_URL"] = environ["ACCOUNTS_URL"]
    process = Process(_start(), environ, directory / "log")
    process.url = f"http://localhost:{port}"
    try:
        process.wait_until("/")
        yield process.url
    finally:
        process.close()


def _start() -> str:
    recipe = (ROOT / "Makefile").read_text().partition("\nexample: setup\n")[2].splitlines()[0]
    program = recipe.replace("@exec $(BIN)/python", sys.executable).strip()
    assert program != recipe.strip()
    return program


def code(accounts: str) -> str:
    """The newest code that reached the phone."""
    messages = httpx.get(f"{accounts}/sandbox/messages.json", params={"to": NUMBER}).json()
    return str(next(message["code"] for message in messages if message["code"]))


@pytest.mark.parametrize("scripts", [True, False])
def test_a_newcomer_signs_up_is_there_and_signs_out(
    chrome: Browser, example: str, accounts_port: int, scripts: bool
) -> None:
    context = chrome.new_context(java_script_enabled=scripts)
    page = context.new_page()
    try:
        walk(page, example, f"http://localhost:{accounts_port}", new=scripts)
    finally:
        context.close()


def walk(page: Page, example: str, accounts: str, *, new: bool) -> None:
    page.goto(example)
    if new:
        page.get_by_role("link", name="Sign up").click()
        for label, answer in (("Full name", "name"), ("Email address", "email")):
            page.get_by_label(label).fill(ADA[answer])
        page.get_by_label("Country").select_option(ADA["country"])
        page.get_by_label("Mobile number").fill(ADA["phone"])
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Create account").click()
        expect(page.get_by_label("6-digit code")).to_be_visible()
        page.get_by_label("6-digit code").fill(code(accounts))
        page.get_by_role("button", name="Confirm").click()
        page.get_by_role("link", name="Continue").click()
    else:
        page.get_by_role("link", name="Sign in").click()
        page.get_by_label("Email address").fill(ADA["email"])
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_label("6-digit code")).to_be_visible()
        page.get_by_label("6-digit code").fill(code(accounts))
        page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name=f"Hello, {ADA['name']}")).to_be_visible()
    expect(page).to_have_url(f"{example}/")
    expect(page.get_by_text(NUMBER)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="My application")).to_be_visible()
    page.goto(f"{accounts}/session")
    expect(page.get_by_text("signed_out")).to_be_visible()
