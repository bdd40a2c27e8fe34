"""Passkeys in Chromium, with an authenticator that the browser pretends to have."""

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.conftest import Visit
from tests.browser.person import Person

PLATFORM = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


OFFERS = "PublicKeyCredential.isConditionalMediationAvailable = async () => {}"


class Device:
    """The authenticator of one tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session: CDPSession = page.context.new_cdp_session(page)
        self.session.send("WebAuthn.enable")
        added = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": PLATFORM})
        self.id: str = added["authenticatorId"]

    def passkeys(self) -> int:
        """How many it has."""
        got = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return len(got["credentials"])

    def forget(self) -> None:
        """Lose them all."""
        self.session.send("WebAuthn.clearCredentials", {"authenticatorId": self.id})

    def verify_users(self, verified: bool) -> None:
        """Whether a finger or PIN is right from now on."""
        self.session.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verified}
        )


@pytest.fixture
def ada(person: Person) -> Person:
    """Ada at her account, verified a moment ago."""
    person.sign_up()
    person.verify()
    return person


@pytest.fixture
def device(ada: Person) -> Device:
    """Ada's device. It takes every offer at once, so it is offered nothing but in one test."""
    ada.page.add_init_script(OFFERS.format("false"))
    return Device(ada.page)


def add_passkey(person: Person, name: str = "My laptop") -> None:
    person.page.goto("/account/passkeys")
    person.field("Name of the new passkey (optional)").fill(name)
    person.press("Add a passkey")
    expect(person.page.get_by_role("button", name=f"Remove {name}")).to_be_visible()


def sign_out(person: Person) -> None:
    person.page.goto("/account")
    person.press("Sign out")
    person.is_at("signup")


def test_a_passkey_is_added_and_signs_in_by_itself(ada: Person, device: Device) -> None:
    ada.page.get_by_role("link", name="Add a passkey").click()
    ada.is_at("account-passkeys")
    add_passkey(ada)
    assert device.passkeys() == 1
    expect(ada.page.locator("#status")).to_contain_text("Your passkey is added")
    sign_out(ada)
    ada.page.goto("/signin")
    ada.press("Sign in with a passkey")
    ada.is_at("account")
    assert ada.page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_a_device_that_has_one_makes_no_second(ada: Person, device: Device) -> None:
    add_passkey(ada)
    ada.press("Add a passkey")
    expect(ada.page.get_by_role("alert")).to_contain_text("already has a passkey for your account")
    assert device.passkeys() == 1


def test_a_passkey_that_was_removed_here_is_unknown(ada: Person, device: Device) -> None:
    add_passkey(ada)
    ada.press("Remove My laptop")
    expect(ada.page.get_by_text("You have none yet.")).to_be_visible()
    sign_out(ada)
    ada.page.goto("/signin")
    ada.press("Sign in with a passkey")
    expect(ada.page.get_by_role("alert")).to_contain_text("We do not know this passkey")
    assert ada.focus().startswith("There is a problem")


def test_without_one_on_the_device_the_password_is_a_way_on(ada: Person, device: Device) -> None:
    add_passkey(ada)
    sign_out(ada)
    device.forget()
    ada.page.goto("/signin")
    for _ in range(2):  # and it can be tried again
        with ada.page.expect_response("**/signin/passkey"):
            ada.press("Sign in with a passkey")
        expect(ada.page.get_by_role("alert")).to_contain_text("No passkey was used")
        expect(ada.page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()
    ada.field("Email address").fill(f"ada{ada.number}@example.com")
    ada.field("Password").fill("seven quiet herons")
    ada.press("Sign in")
    ada.is_at("signin-code")


def test_whoever_the_device_does_not_know_is_not_signed_in(ada: Person, device: Device) -> None:
    add_passkey(ada)
    sign_out(ada)
    device.verify_users(False)
    ada.page.goto("/signin")
    ada.press("Sign in with a passkey")
    expect(ada.page.get_by_role("alert")).to_contain_text("No passkey was used")


def test_without_scripts_the_page_says_that_passkeys_need_them(visit: Visit) -> None:
    page = visit("/signin", scripts=False)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("Passkeys need JavaScript")
    expect(page.get_by_label("Password", exact=True)).to_be_visible()


def test_a_browser_without_passkeys_says_so(visit: Visit) -> None:
    page = visit(None)
    page.add_init_script("delete window.PublicKeyCredential")
    page.goto("/signin")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This browser cannot use passkeys")


def test_a_browser_that_offers_passkeys_while_the_email_is_typed_signs_in_by_one(
    ada: Person, device: Device
) -> None:
    add_passkey(ada)
    sign_out(ada)
    ada.page.add_init_script(OFFERS.format("true"))
    ada.page.goto("/signin")
    ada.is_at("account")


def test_only_pages_with_a_passkeys_form_load_its_script(visit: Visit) -> None:
    page = visit(None)
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto("/signup", wait_until="networkidle")
    assert not any(url.endswith("/passkey.js") for url in loaded)
    page.goto("/signin", wait_until="networkidle")
    assert any(url.endswith("/passkey.js") for url in loaded)
