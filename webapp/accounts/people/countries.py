"""The countries that numbers belong to: names, dialling codes, languages that point to them."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

# A line for every region of libphonenumber's: ISO 3166 code, English name, and the languages that
# most likely point to it, as Unicode's CLDR has them. A library that knows all of CLDR takes 5 MB
# of every process to tell us this.
LIST = Path(__file__).with_suffix(".tsv")

# Asking phonenumbers for each code would load what it knows of all the world's numbers: 5 MB.
DIALS = {code: dial for dial, codes in COUNTRY_CODE_TO_REGION_CODE.items() for code in codes}


# Territories whose numbers share their country's code and differ from its own: people there choose
# the country, and whoever allows it means them too. Canada and the Caribbean states, which also
# share +1, and Kazakhstan, which shares +7, are countries of their own.
TERRITORIES = {"GB": ("GG", "IM", "JE"), "US": ("AS", "GU", "MP", "PR", "VI")}


@dataclass(frozen=True, slots=True)
class Country:
    """A row of the country list."""

    code: str  # ISO 3166
    name: str
    flag: str
    dial: str  # "+44"


@cache
def countries(allowed: frozenset[str] = frozenset()) -> tuple[Country, ...]:
    """Every region libphonenumber knows, or those ``allowed`` with their territories, in English
    alphabetical order.
    """
    listed = with_territories(allowed)
    rows = (
        Country(code, name, _flag(code), f"+{DIALS[code]}")
        for code, name, _ in _lines()
        if not listed or code in listed
    )
    return tuple(sorted(rows, key=lambda row: _alphabetical(row.name)))


@cache
def with_territories(allowed: frozenset[str]) -> frozenset[str]:
    """The countries ``allowed``, and those of their territories that share the calling code."""
    return allowed.union(*(TERRITORIES.get(code, ()) for code in allowed))


def place(code: str) -> str:
    """The country ``code`` as it is called in a sentence: Germany (+49)."""
    return f"{_names()[code]} (+{DIALS[code]})"


@cache
def _names() -> dict[str, str]:
    return {code: name for code, name, _ in _lines()}


def country_speaking(language: str) -> str:
    """The ISO code of the country that ``language`` ("de") most likely points to, or nothing."""
    return _by_language().get(language, "")


@cache
def _by_language() -> dict[str, str]:
    return {language: code for code, _, languages in _lines() for language in languages}


def _lines() -> Iterator[tuple[str, str, list[str]]]:
    for line in LIST.read_text("utf-8").splitlines():
        code, name, *languages = line.split("\t")
        yield code, name, languages


def _flag(code: str) -> str:
    return "".join(chr(0x1F1E6 + ord(letter) - ord("A")) for letter in code)


def _alphabetical(name: str) -> str:
    """Åland stands with A, Côte d'Ivoire with C."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
