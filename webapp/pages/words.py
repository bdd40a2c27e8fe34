"""What a person is told when something stands in the way, with which status, at which field."""

from collections.abc import Mapping
from dataclasses import dataclass

from webapp.accounts.journeys.flow import CodeExpired, WrongCode
from webapp.accounts.policy import rules
from webapp.accounts.policy.rules import LimitExceeded
from webapp.providers import (
    Blocked,
    Busy,
    CircuitOpen,
    CountryNotServed,
    Gone,
    InvalidNumber,
    Misconfigured,
    NotMobile,
    OptedOut,
    ProviderError,
    TooManyChecks,
    TooManySends,
    Unreachable,
)

USER_ERRORS = (LimitExceeded, ProviderError, WrongCode, CodeExpired)
UserError = LimitExceeded | ProviderError | WrongCode | CodeExpired

KEPT = "Nothing you typed is lost"
LAST_WORKS = "This number has been sent several codes, and the last one still works"
OUR_FAULT = "We cannot send or check codes just now. It is not your fault, and we have been told"

REFUSED: Mapping[type[LimitExceeded], str] = {
    rules.CoolingDown: "A code was sent a moment ago. You can ask for another in {wait}",
    rules.SendsSpent: "We have sent this code 5 times, and the last one still works. "
    "You can ask for a new one in {wait}",
    rules.ChecksSpent: "Too many wrong codes. You can ask for a new code in {wait}",
    rules.PhoneSendsSpent: "This number has been sent too many codes today. Try again in {wait}",
    rules.PhoneChecksSpent: "Too many wrong codes were entered for this number today. "
    "Try again in {wait}",
    rules.PrefixBraked: "We cannot send codes to numbers that begin like yours just now. "
    "Try again in {wait}",
    rules.BudgetSpent: f"We cannot send codes just now. {KEPT}: try again in {{wait}}",
    rules.ChangesSpent: "You have changed the number as often as we allow. "
    "Use the last one, or start again",
    rules.DatabaseAway: f"We are not ready just now. {KEPT}: try again in {{wait}}",
    rules.Overloaded: f"Many people are signing up at this moment. {KEPT}: try again in {{wait}}",
}
NUMBER: Mapping[type[ProviderError], str] = {
    InvalidNumber: "We cannot send a code to this number. Check it, or use another mobile number",
    NotMobile: "This is a landline, which cannot receive texts. Use a mobile number",
    CountryNotServed: "We cannot send texts to this country yet",
    Blocked: "We cannot send a code to this number now. Use another mobile number",
    OptedOut: "This number has asked not to be texted. Text START to us from it, or use another",
}
VENDOR: Mapping[type[ProviderError], tuple[int, str]] = {
    TooManySends: (
        429,
        f"{LAST_WORKS}. You can ask for a new one in 10 minutes",
    ),
    TooManyChecks: (429, "Too many wrong codes. You can ask for a new code in 10 minutes"),
    Gone: (422, "This code is over. Ask for a new one"),
    Busy: (503, f"Our text service is busy. {KEPT}: try again in a moment"),
    Misconfigured: (
        503,
        f"{OUR_FAULT}. {KEPT}: try again later",
    ),
    Unreachable: (503, f"We cannot reach our text service. {KEPT}: try again in a moment"),
    CircuitOpen: (
        503,
        f"Our text service is out of order just now, for everybody. {KEPT}: try again in {{wait}}",
    ),
}
MAYBE_SENT = (
    "Our text service did not answer, so a code may or may not be on its way. "
    f"{KEPT}: you can try again"
)
NOT_CHECKED = "Our text service did not answer, so we could not check your code. Try again"
EXPIRED = "This code has expired. Ask for a new one"
BAD_CODE = "Enter the 6 digits of the code"
THROTTLED = f"Too many tries from your network. {KEPT}: try again in {{wait}}"

RETRY_AFTER = 5  # seconds, where nobody says when
NEXT_CODE = 600  # seconds: the life of a code
TOO_MANY = 429
UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Problem:
    """What goes wrong, for a page."""

    status: int
    words: str
    field: str | None = None  # the field it stands beside; None: the whole step's
    retry_after: int | None = None  # seconds


def problem(error: UserError, *, checking: bool = False) -> Problem:
    """The words for ``error``; ``checking`` a code rather than sending one."""
    match error:
        case WrongCode():
            tries = "1 try" if error.left == 1 else f"{error.left} tries"
            return Problem(422, f"That is not the code we sent. You have {tries} left", "code")
        case CodeExpired():
            return Problem(422, EXPIRED)
        case LimitExceeded():
            return _refused(error)
        case _:
            return _not_checked(error) if checking else _not_sent(error)


def _refused(refused: LimitExceeded) -> Problem:
    words = REFUSED[type(refused)].format(wait=span(refused.seconds or 1))
    ours = isinstance(refused, (rules.DatabaseAway, rules.Overloaded))
    status = UNAVAILABLE if ours else TOO_MANY
    return Problem(status, words, retry_after=refused.seconds)


def _not_sent(error: ProviderError) -> Problem:
    if words := NUMBER.get(type(error)):
        return Problem(422, words, "phone")
    status, words = VENDOR[type(error)]
    return _vendor_problem(status, MAYBE_SENT if error.maybe_sent else words, error)


def _not_checked(error: ProviderError) -> Problem:
    if isinstance(error, InvalidNumber):  # the one thing a check sends that people typed
        return Problem(422, BAD_CODE, "code")
    status, words = VENDOR.get(type(error), (UNAVAILABLE, NOT_CHECKED))
    return _vendor_problem(status, NOT_CHECKED if error.maybe_sent else words, error)


def _vendor_problem(status: int, words: str, error: ProviderError) -> Problem:
    wait = _wait(error, status)
    return Problem(status, words.format(wait=span(wait or RETRY_AFTER)), retry_after=wait)


def _wait(error: ProviderError, status: int) -> int | None:
    if status < TOO_MANY:
        return None
    usual = NEXT_CODE if status == TOO_MANY else RETRY_AFTER
    return max(1, -int(-(error.retry_after or usual) // 1))


def throttled(seconds: float) -> Problem:
    """Too many requests from one address."""
    wait = max(1, -int(-seconds // 1))
    return Problem(TOO_MANY, THROTTLED.format(wait=span(wait)), retry_after=wait)


def span(seconds: int) -> str:
    """``seconds`` as people say it, rounded up: 45 seconds, 10 minutes, 3 hours."""
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds > 2 * size:
            return f"{-(-seconds // size)} {unit}"
    return "1 second" if seconds == 1 else f"{seconds} seconds"
