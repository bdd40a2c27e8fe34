"""Words that passwords are made of, in languages that zxcvbn does not know."""

import unicodedata
from functools import cache
from pathlib import Path

# A word a line, folded, most likely first; made by tests/common_words.py. Kept as bytes and
# searched from end to end, it takes 0.2 MB of a process and 20 µs; as a set it would take 2 MB.
FILE = Path(__file__).with_suffix(".txt")
LANGUAGES = 12  # whose words take turns in the file


def fold(word: str) -> str:
    """``word`` as the list has it: small letters without accents."""
    letters = unicodedata.normalize("NFKD", word).casefold()
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Mn")


def rank(word: str) -> int | None:
    """About how many more likely words its language has; None where it is not on the list."""
    words = _words()
    place = words.find(f"\n{fold(word)}\n".encode())
    return None if place < 0 else 1 + words.count(b"\n", 0, place) // LANGUAGES


@cache
def _words() -> bytes:
    return FILE.read_bytes()
