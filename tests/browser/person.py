"""What a person does at the page, by the words they read on it."""

import time

from playwright.sync_api import Locator, Page, expect

PASSWORD = "seven quiet herons"
PATIENCE = 10.0  # seconds in which a text must come


class Person:
    """Somebody with a phone, in front of a tab."""

    def __init__(self, page: Page, number: str) -> None:
        self.page, self.number = page, number

    def fill_in(self, **other: str) -> None:
        """Fill in the sign-up form; ``other`` replaces what would be typed."""
        usual = {
            "Full name": "Ada Lovelace",
            "Email address": f"ada{self.number}@example.com",
            "Mobile number": self.number,
            "Password": PASSWORD,
        }
        for label, text in (
            usual | {key.replace("_", " "): value for key, value in other.items()}
        ).items():
            self.field(label).fill(text)

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(label, exact=True)

    def press(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()

    def sign_up(self, **other: str) -> None:
        """As far as the code step."""
        self.fill_in(**other)
        self.press("Create account")
        self.is_at("verification")

    def verify(self) -> None:
        """From the code step to the account."""
        self.type_code(self.code())
        self.press("Confirm")
        self.is_at("account")

    def type_code(self, code: str) -> None:
        """Digit by digit, over what is there."""
        self.field("6-digit code").fill("")
        self.field("6-digit code").press_sequentially(code)

    def texts(self) -> list[str]:
        """What reached the phone, newest first."""
        answer = self.page.request.get("/sandbox/messages.json", params={"to": self.number})
        return [message["body"] for message in answer.json()]

    def text(self, words: str) -> str:
        """The newest text with ``words`` in it; waits for one to come."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for body in self.texts():
                if words in body:
                    return body
            self.page.wait_for_timeout(50)
        raise AssertionError(f"No text with {words!r} in {self.texts()}")

    def code(self) -> str:
        """The code on the phone."""
        answer = self.page.request.get("/sandbox/messages.json", params={"to": self.number})
        return next(str(message["code"]) for message in answer.json() if message["code"])

    def is_at(self, step: str) -> None:
        """Wait for the step, and for the countries that follow it: to leave would cut them off."""
        expect(self.page.locator("main [data-step]")).to_have_attribute("data-step", step)
        expect(self.page.locator("main [hx-get='/countries']")).to_have_count(0)

    def focus(self) -> str:
        """The words of what has the focus, or its id where it has none."""
        words = "document.activeElement.innerText || document.activeElement.id"
        return " ".join(str(self.page.evaluate(words)).split())


def wrong(code: str) -> str:
    """Another code than ``code``."""
    return f"{(int(code) + 1) % 1_000_000:06}"
