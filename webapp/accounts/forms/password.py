"""The rules for a new password."""

from collections.abc import Sequence

from webapp.accounts.forms import LONGEST
from webapp.accounts.people import phones, strength


def own_words(name: str, email: str, e164: str, site: str) -> list[str]:
    """What a guesser who knows the person, and where the account is, tries first."""
    numbers = [digits_of(e164), digits_of(phones.national(e164))] if e164 else []
    return [name, email, *numbers, site]


def digits_of(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def unusable_password(password: str, own_words: Sequence[str]) -> str | None:
    """Why ``password`` cannot be chosen; ``own_words`` are the person's and the site's."""
    if len(password) > LONGEST:  # refused, for it must never be cut (ASVS 6.2.8)
        return f"Use at most {LONGEST} characters"
    return strength.weakness(password, own_words)
