"""Pwned Passwords tells whether a password is known from a breach, without learning it.

We send the first five of the forty digits of its SHA-1. The service answers with the rest of every
digest that it knows with these five, and with made-up ones (padding, whose count is 0), so that the
length of the answer tells a listener nothing. https://haveibeenpwned.com/API/v3#PwnedPasswords
"""

import hashlib
import re
import unicodedata
from datetime import timedelta
from http import HTTPStatus

from webapp.providers import ProviderError
from webapp.providers.answers import Answer, error_from
from webapp.providers.client import VendorClient

ORIGIN = "https://api.pwnedpasswords.com"
DEADLINE = timedelta(seconds=1)  # a person waits for it
PREFIX = 5  # digits
ROW = re.compile(r"[0-9A-F]{35}:[0-9]{1,12}")


class PwnedPasswords:
    """Passwords known from breaches."""

    def __init__(self, vendor: VendorClient) -> None:
        self._vendor = vendor

    async def is_breached(self, password: str) -> bool:
        """Whether the service knows ``password``; False where it cannot be asked within a second.

        The service being away must refuse nobody: the list of common passwords is our own.
        """
        text = unicodedata.normalize("NFC", password)
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            answer = await self._vendor.call(
                "range",
                "GET",
                f"{ORIGIN}/range/{digest[:PREFIX]}",
                parse_error=parse_error,
                until=self._vendor.deadline(DEADLINE),
                headers={"Add-Padding": "true"},
            )
        except ProviderError:  # the client has logged it
            return False
        counts = dict(row.split(":") for row in answer.text.split())
        return int(counts.get(digest[PREFIX:], "0")) > 0


class NoBreaches:
    """Knows of no breach, where the service is switched off."""

    async def is_breached(self, password: str) -> bool:  # noqa: ARG002
        return False


def parse_error(answer: Answer) -> ProviderError | None:
    """The error in an answer; None for rows of a digest's rest and a count, and nothing else."""
    rows = answer.text.split()
    if answer.status == HTTPStatus.OK and rows and all(map(ROW.fullmatch, rows)):
        return None
    return error_from("pwned", answer, None, {})
