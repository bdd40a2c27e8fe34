"""The emails that we send: which there are, and what their templates are given."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from webapp.accounts.challenges.links import LIFETIMES, Purpose
from webapp.providers import Email

LONGEST_SUBJECT = 200  # characters
HOUR = timedelta(hours=1)

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

    def _write(self, name: str, **context: Any) -> Email:
        """The first line of the text is the subject, which the HTML is given."""
        first, _, text = self._render(f"emails/{name}.txt", context).partition("\n")
        subject = " ".join(first.split())[:LONGEST_SUBJECT]
        html = self._render(f"emails/{name}.html", {**context, "subject": subject})
        return Email(subject, text.strip() + "\n", html)
