"""What a person is told when something stands in the way: a sentence, a status, and where it goes."""

from dataclasses import dataclass

from webapp.accounts import limits
from webapp.accounts.flow import CodeExpired, WrongCode
from webapp.accounts.limits import Refused
from webapp.providers import (
    Blocked,
    Busy,
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

OBSTACLES = (Refused, ProviderError, WrongCode, CodeExpired)
Obstacle = Refused | ProviderError | WrongCode | CodeExpired

REFUSALS: dict[type[Refused], str] = {
    limits.CoolingDown: "A code was sent a moment ago. You can ask for another in {wait}",
    limits.SendsSpent: "We have sent this code 5 times. The last one still works; you can ask for a new one in {wait}",
    limits.ChecksSpent: "Too many wrong codes. You can ask for a new code in {wait}",
    limits.PhoneSendsSpent: "This number has been sent too many codes today. Try again in {wait}",
    limits.PhoneChecksSpent: "Too many wrong codes were entered for this number today. Try again in {wait}",
    limits.PrefixBraked: "We cannot send codes to numbers that begin like yours just now. Try again in {wait}",
    limits.BudgetSpent: "We cannot send codes just now. Nothing you typed is lost: try again in {wait}",
    limits.ChangesSpent: "You have changed the number as often as we allow. Sign out to begin again",
    limits.Overloaded: "Many people are signing up at this moment. Nothing you typed is lost: try again in {wait}",
}

NUMBER_FAULTS: dict[type[ProviderError], str] = {
    InvalidNumber: "We cannot send a code to this number. Check it, or use another mobile number",
    NotMobile: "This is a landline, which cannot receive texts. Use a mobile number",
    CountryNotServed: "We cannot send texts to this country yet",
    Blocked: "We cannot send a code to this number now. Use another mobile number",
    OptedOut: "This number has asked not to be texted. Text START to us from it, or use another number",
}
VENDOR_FAULTS: dict[type[ProviderError], tuple[int, str]] = {
    TooManySends: (429, "This number has been sent several codes. The last one still works; wait 10 minutes for a new one"),
    TooManyChecks: (429, "Too many wrong codes. Wait 10 minutes for a new one"),
    Gone: (422, "This code is over. Ask for a new one"),
    Busy: (503, "Our text service is busy. Nothing you typed is lost: try again in a moment"),
    Misconfigured: (503, "We cannot send or check codes just now. It is not your fault, and we have been told. Nothing you typed is lost: try again later"),
}
UNREACHED = "We cannot reach our text service. Nothing you typed is lost: try again in a moment"
MAYBE_SENT = "Our text service did not answer, so a code may or may not be on its way. Nothing you typed is lost: try again"
THROTTLED = "Too many tries from your network. Nothing you typed is lost: try again in {wait}"
CHECK_UNANSWERED = "Our text service did not answer, so we could not check your code. Try it again"


@dataclass(frozen=True, slots=True)
class Problem:
    """What goes wrong, for a page."""

    status: int
    words: str
    field: str | None = None  # the field it stands beside; the whole step's if None
    retry_after: int | None = None  # seconds


def problem(obstacle: Obstacle, *, checking: bool = False) -> Problem:
    """The words for ``obstacle``; ``checking`` a code rather than sending one."""
    match obstacle:
        case WrongCode(left=left):
            tries = "1 try" if left == 1 else f"{left} tries"
            return Problem(422, f"That is not the code we sent. You have {tries} left", "code")
        case CodeExpired():
            return Problem(422, "This code has expired. Ask for a new one")
        case Refused():
            return _refused(obstacle)
        case Unreachable():
            unanswered = CHECK_UNANSWERED if checking else MAYBE_SENT
            words = unanswered if obstacle.maybe_sent else UNREACHED
            return Problem(503, words, retry_after=_seconds(obstacle))
    if not checking and type(obstacle) in NUMBER_FAULTS:
        return Problem(422, NUMBER_FAULTS[type(obstacle)], "phone")
    if checking and isinstance(obstacle, InvalidNumber):
        return Problem(422, "Enter the 6 digits of the code", "code")
    status, words = VENDOR_FAULTS.get(type(obstacle), (503, UNREACHED))
    return Problem(status, words, retry_after=_seconds(obstacle))


def _refused(refused: Refused) -> Problem:
    words = REFUSALS[type(refused)].format(wait=span(refused.seconds or 1))
    status = 503 if isinstance(refused, limits.Overloaded) else 429
    return Problem(status, words, retry_after=refused.seconds)


def throttled(seconds: float) -> Problem:
    """Too many requests from one address."""
    wait = max(1, -int(-seconds // 1))
    return Problem(429, THROTTLED.format(wait=span(wait)), retry_after=wait)


def span(seconds: int) -> str:
    """``seconds`` as people say it, rounded up: 45 seconds, 10 minutes, 3 hours."""
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds > 2 * size:
            return f"{-(-seconds // size)} {unit}s"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _seconds(error: ProviderError) -> int:
    return max(1, -int(-(error.retry_after or 5) // 1))
