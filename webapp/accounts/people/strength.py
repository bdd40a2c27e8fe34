"""How hard a password is to guess: why one is refused, and what would make another better."""

import re
import unicodedata
from bisect import bisect
from collections.abc import Iterable, Sequence

from zxcvbn_rs_py import Suggestion, zxcvbn

from webapp.accounts.people import common_words
from webapp.accounts.people.passwords import normalised

MIN_LENGTH = 8
FEW_GUESSES = 1e5  # among a guesser's first hundred thousand: common, breached, and their likes
ENDS = 24  # characters of each end that zxcvbn reads: its time grows with their square, and more
ANYWHERE = 5  # letters: a shorter word of the person's own counts only where it stands by itself
SHORTEST_WORD = 3  # of the person's own that counts at all
SCORES = (1e3, 1e6, 1e8, 1e10)  # guesses below which zxcvbn's score is 0, 1, 2, 3

MISSING = "Choose a password"
SHORT = f"Use at least {MIN_LENGTH} characters"
COMMON = "This password is too easy to guess. Add another word or two"
PERSONAL = (
    "Your name, email, number and this site’s name are easy to guess. "
    "Add words that only you would think of"
)

ADVICE = (
    (Suggestion.AvoidRepeatedWordsAndCharacters, "Repeated words and letters add little."),
    (Suggestion.AvoidSequences, "Rows like abc or 123 add little."),
    (Suggestion.AvoidRecentYears, "Years are easy to guess."),
    (Suggestion.AvoidDatesAndYearsThatAreAssociatedWithYou, "Dates are easy to guess."),
    (Suggestion.UseALongerKeyboardPatternWithMoreTurns, "Rows of keys are easy to guess."),
    (Suggestion.PredictableSubstitutionsDontHelpVeryMuch, "Swaps like @ for a add little."),
)
# Of a password that is accepted, by its score
WEAK = "Accepted, but weak. Another word or two would make it strong."
STRENGTHS = (WEAK, WEAK, "Fair. Another word would make it strong.", "Strong.", "Very strong.")

# What is between the first letter and the last, with digits and signs around it, and what the
# guesses at these cost
DECORATED = re.compile(r"([\W\d_]*)([^\W\d_](?:.*[^\W\d_])?)([\W\d_]*)", re.DOTALL)
YEAR, YEARS = re.compile(r"19\d\d|20[0-3]\d"), 50
RUN, RUNS = re.compile(r"0?1(?:2(?:3(?:4(?:5(?:6(?:7(?:89?)?)?)?)?)?)?)?0?|(\d)\1*"), 10
# Letters in which zxcvbn finds nothing are taken for a word of a language it does not know.
LONGEST_WORD, ALL_WORDS = 12, 200_000
USUAL_SIGNS = "!.?*-_@# "
USUAL_SIGN, OTHER_SIGN = 5, 30
BEFORE_OR_AFTER = 2


def weakness(password: str, own_words: Iterable[str]) -> str | None:
    """Why ``password`` is refused, or None. ``own_words`` are the person's and the site's.

    No rules of composition (ASVS 6.2.5). What counts is whether a guesser tries it early (6.2.4,
    6.2.11).
    """
    if not password:
        return MISSING
    if len(normalised(password)) < MIN_LENGTH:
        return SHORT
    own = _pieces(own_words)
    if len(_without(password, own)) < MIN_LENGTH:
        return PERSONAL
    if guesses(password, own) >= FEW_GUESSES:
        return None
    return COMMON if guesses(password) < FEW_GUESSES else PERSONAL


def strength(password: str, own_words: Iterable[str]) -> tuple[int, str]:
    """How strong ``password`` is, 0 (refused) to 4, and a sentence that helps."""
    own_words = list(own_words)
    if why := weakness(password, own_words):
        return 0, f"{why}."
    score = bisect(SCORES, guesses(password, _pieces(own_words)))
    feedback = zxcvbn(password[:ENDS]).feedback
    hints = [words for each, words in ADVICE if feedback and each in feedback.suggestions]
    return score, " ".join([STRENGTHS[score], *hints[:1]])


def guesses(password: str, own_words: Sequence[str] = ()) -> float:
    """About how many passwords a guesser who knows ``own_words`` tries before ``password``."""
    return min(_zxcvbn(password, own_words), _guesses_at_decorated_word(password))


def _zxcvbn(text: str, own_words: Sequence[str] = ()) -> float:
    """zxcvbn's estimate of one end of ``text``, of the other too where the first is weak."""
    estimate = float(zxcvbn(text[:ENDS], [*own_words]).guesses)
    if estimate < FEW_GUESSES and len(text) > ENDS:
        estimate = max(estimate, float(zxcvbn(text[-ENDS:], [*own_words]).guesses))
    return estimate


def _guesses_at_decorated_word(password: str) -> float:
    """As ``guesses``, where it is a word with a year, a few digits or signs: Sommer2024!

    zxcvbn takes years from 2020 on for any digits, knows few words of other languages than
    English, and counts the orders in which the pieces could stand.
    """
    shape = DECORATED.fullmatch(common_words.fold(password)) if len(password) <= ENDS else None
    if not shape:
        return float("inf")
    before, word, after = shape.groups()
    places = BEFORE_OR_AFTER if before else 1
    return places * _guesses_at_word(word) * _guesses_at_decoration(before + after)


def _guesses_at_word(word: str) -> float:
    estimate = _zxcvbn(word)
    foreign = len(word) <= LONGEST_WORD and word.isalpha() and estimate > 10 ** (len(word) - 1)
    return min(estimate, common_words.rank(word) or (ALL_WORDS if foreign else estimate))


def _guesses_at_decoration(decoration: str) -> float:
    digits = "".join(filter(str.isdigit, decoration))
    count = 1.0
    for sign in decoration:
        if not sign.isdigit():
            count *= USUAL_SIGN if sign in USUAL_SIGNS else OTHER_SIGN
    if YEAR.fullmatch(digits):
        return count * YEARS
    return count * (RUNS if RUN.fullmatch(digits) else 10.0 ** len(digits))


def _pieces(own_words: Iterable[str]) -> list[str]:
    """The words themselves and the runs of letters and digits in them, the longest first."""
    folded = [_fold(words) for words in own_words]
    runs = (run for words in folded for run in re.findall(r"[^\W_]+", words))
    pieces = {piece for piece in (*folded, *runs) if len(piece) >= SHORTEST_WORD}
    return sorted(pieces, key=lambda piece: (-len(piece), piece))


def _without(password: str, own: Iterable[str]) -> str:
    """``password`` without the person's ``own`` pieces, the short ones only as whole words.

    So the "com" of an email address counts in "com-2024", not in "Telecom-77".
    """
    rest = _fold(password)
    for piece in own:
        pattern = re.escape(piece)
        if len(piece) < ANYWHERE:
            pattern = rf"(?<![^\W\d_]){pattern}(?![^\W\d_])"
        rest = re.sub(pattern, "\0", rest)  # which parts what stood on either side
    return rest.replace("\0", "")


def _fold(words: str) -> str:
    return unicodedata.normalize("NFKC", words).casefold()
