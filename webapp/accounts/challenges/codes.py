"""One-time codes as people type and paste them."""

import re
import unicodedata
from collections.abc import Iterator

from webapp.accounts.people.letters import visible

LENGTHS = range(6, 9)  # ours have 6 digits, Authy's may have 7 or 8

# The line of https://wicg.github.io/sms-one-time-codes/, with the line breaks that an input strips
BOUND = re.compile(r"@[\w.-]+ #([0-9]+)(?![0-9])")
ADDRESS = re.compile(r"://|@|\w\.[a-z]{2}", re.IGNORECASE)  # what a word has that is one
# Six to eight digits, perhaps in halves, that are no part of a word or of a longer number
WHOLE = re.compile(
    r"(?<![0-9a-z])(?<![0-9][ -])(?:[0-9]{6,8}|[0-9]{3}[ -][0-9]{3})(?![0-9a-z]|[ -][0-9])",
    re.IGNORECASE,
)


def find(text: str) -> str:
    """The digits of the one code in ``text``, or nothing where there is none or more than one.

    ``123 456``, ``١٢٣٤٥٦`` and a whole pasted text are all understood. Of the places where a code
    may stand, the first that has any counts: alone, in the line that binds it to a web site,
    outside of web and email addresses, anywhere.
    """
    plain = _plain(text)
    for codes in _by_place(plain):
        if codes:
            return codes.pop() if len(codes) == 1 else ""
    return ""


def _plain(text: str) -> str:
    """``text`` in ASCII digits, hyphens and spaces, without invisible letters."""
    return "".join(map(_plain_letter, visible(text)))


def _plain_letter(letter: str) -> str:
    if letter.isdigit():
        return str(unicodedata.digit(letter))
    if unicodedata.category(letter) == "Pd" or letter == "\u2212":  # dashes, and the minus sign
        return "-"
    return " " if letter.isspace() else letter


def _by_place(text: str) -> Iterator[set[str]]:
    together = re.sub(r"[ .,-]", "", text)
    if re.fullmatch("[0-9]+", together):
        yield _codes([together]) or {""}  # a number of another length holds no code
    yield _codes(BOUND.findall(text))
    elsewhere = " ".join(word for word in text.split() if not ADDRESS.search(word))
    yield _codes(WHOLE.findall(elsewhere))
    yield _codes(re.findall("[0-9]+", elsewhere))
    yield _codes(re.findall("[0-9]+", text))


def _codes(numbers: list[str]) -> set[str]:
    digits = (re.sub("[ -]", "", number) for number in numbers)
    return {number for number in digits if len(number) in LENGTHS}
