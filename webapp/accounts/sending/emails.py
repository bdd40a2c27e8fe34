"""The emails that we send: which there are, and what their templates are given."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from webapp.accounts.challenges.links import LIFETIMES, Purpose
from webapp.accounts.policy.rules import PHONE_CHANGE_WAITS
from webapp.accounts.sending.notices import Notice
from webapp.providers import Email

LONGEST_SUBJECT = 200  # characters
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

Render = Callable[[str, Mapping[str, Any]], str]  # a template's name and its context to its text


class EmailWriter:
    """Writes emails by the templates in `templates/emails`: one as text and its twin in HTML.

    No email to an address that is not confirmed holds a name: somebody else may have typed it, and
    would have us send their words to strangers.
    """

    def __init__(self, render: Render, base_url: str) -> None:
        self._render, self._base_url = render, base_url

    def confirm_email(self, address: str, token: str) -> Email:
        """The link that confirms ``address``."""
        return self._write(
            "confirm_email",
            address=address,
            link=f"{self._base_url}/email/confirm/{token}",
            hours=LIFETIMES[Purpose.CONFIRM_EMAIL] // HOUR,
        )

    def change_email(self, address: str, token: str) -> Email:
        """The link that makes ``address`` the address of an account."""
        return self._write(
            "change_email",
            address=address,
            link=f"{self._base_url}/email/confirm/{token}",
            hours=LIFETIMES[Purpose.CHANGE_EMAIL] // HOUR,
        )

    def lost_phone(self, token: str) -> Email:
        """The link for entering another number after the phone was lost."""
        return self._write(
            "lost_phone",
            link=f"{self._base_url}/phone/new/{token}",
            minutes=LIFETIMES[Purpose.LOST_PHONE] // MINUTE,
            hours=PHONE_CHANGE_WAITS // HOUR,
        )

    def phone_change_waits(self, token: str) -> Email:
        """The number will change in a day, unless its owner follows the link."""
        hours = PHONE_CHANGE_WAITS // HOUR
        return self._write("phone_change_waits", link=self.link_to_stop(token), hours=hours)

    def link_to_stop(self, token: str) -> str:
        return f"{self._base_url}/phone/stop/{token}"

    def notice(self, about: Notice, at: datetime, browser: str = "") -> Email:
        """Tells of a change of the account that was made at the time ``at``, with ``browser``.

        Its words are in one template, for which `notice.html` makes the twin.
        """
        when = f"{at.day} {at:%B %Y, %H:%M} UTC"
        subject, text = self._words(
            about, {"when": when, "home": self._base_url, "browser": browser}
        )
        paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
        html = self._render("emails/notice.html", {"subject": subject, "paragraphs": paragraphs})
        return Email(subject, text, html)

    def reset_password(self, token: str) -> Email:
        """The link for resetting a forgotten password."""
        return self._write(
            "reset_password",
            link=f"{self._base_url}/password/reset/{token}",
            minutes=LIFETIMES[Purpose.RESET_PASSWORD] // MINUTE,
        )

    def _write(self, name: str, **context: Any) -> Email:
        subject, text = self._words(name, context)
        html = self._render(f"emails/{name}.html", {**context, "subject": subject})
        return Email(subject, text, html)

    def _words(self, name: str, context: Mapping[str, Any]) -> tuple[str, str]:
        """The subject, which is the first line of the text's template, and the text."""
        first, _, text = self._render(f"emails/{name}.txt", context).partition("\n")
        return " ".join(first.split())[:LONGEST_SUBJECT], text.strip() + "\n"
