"""Typed text as one line, in letters of the usual width, without those that nobody sees."""

import re
import unicodedata

JOINERS = "\u200c\u200d"  # zero-width (non-)joiners: Persian and Indic words differ by them

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt). Its reserved code points are
# included, so later versions of Unicode add none outside these ranges.
IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
BLANK = "\u2800\U0001d159"  # a braille cell without dots, a note without a head: empty space
INVISIBLE = re.compile(f"[{IGNORABLE}{BLANK}]")


def visible(text: str, keep: str = "") -> str:
    """``text`` without invisible and format characters, but for those to ``keep``."""
    return "".join(letter for letter in text if letter in keep or _is_visible(letter))


def narrow(text: str) -> str:
    """``text`` with full-width and half-width letters in their usual width (RFC 8265, 3.3.1)."""
    return "".join(
        unicodedata.normalize("NFKC", letter)
        if unicodedata.decomposition(letter).startswith(("<wide>", "<narrow>"))
        else letter
        for letter in text
    )


def one_line(text: str) -> str:
    """``text`` with each run of white space as one space, and without control characters.

    All letters stay as they were typed. Text of invisible letters alone is empty.
    """
    kept = (" " if letter.isspace() else letter for letter in text if not _is_control(letter))
    line = " ".join("".join(kept).split())
    return line if visible(line).strip() else ""


def _is_visible(letter: str) -> bool:
    return unicodedata.category(letter) != "Cf" and not INVISIBLE.match(letter)


def _is_control(letter: str) -> bool:
    """Surrogates, which no encoding can write, count as control characters."""
    return unicodedata.category(letter) in {"Cc", "Cs"} and not letter.isspace()
