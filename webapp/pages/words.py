"""What a person is told when something stands in the way, with which status, at which field."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import get_args

from webapp.accounts.forms.code import EXPECTED_CODE_LENGTH
from webapp.accounts.journeys.check_code import CodeExpired, WrongCode
from webapp.accounts.journeys.new_password import BreachedPassword
from webapp.accounts.journeys.prove_again import ChangedElsewhere, WrongCurrentPassword
from webapp.accounts.journeys.prove_phone import PhoneFull
from webapp.accounts.journeys.recovery_code import WrongRecoveryCode
from webapp.accounts.journeys.sign_in import WrongPassword
from webapp.accounts.policy import rules
from webapp.accounts.policy.blocks import BlockedByOperator
from webapp.accounts.policy.rules import (
    CODE_LIFETIME,
    PASSKEYS_PER_ACCOUNT,
    RETRY_AFTER,
    SENDS_PER_VERIFICATION,
    LimitExceeded,
    whole_seconds,
)
from webapp.providers import (
    Blocked,
    Busy,
    Channel,
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

UserError = (
    LimitExceeded
    | PhoneFull
    | ProviderError
    | WrongCode
    | CodeExpired
    | BreachedPassword
    | WrongPassword
    | WrongCurrentPassword
    | ChangedElsewhere
    | WrongRecoveryCode
)
USER_ERRORS: tuple[type[UserError], ...] = get_args(UserError)


def span(time: timedelta) -> str:
    """``time`` as people say it, rounded up: 45 seconds, 10 minutes, 3 hours."""
    seconds = max(1, whole_seconds(time))
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds > 2 * size:
            return f"{-(-seconds // size)} {unit}"
    return "1 second" if seconds == 1 else f"{seconds} seconds"


KEPT = "Nothing you typed is lost"
STILL_WORKS = ", and the last one still works"  # for {works}, where the person can enter it
NEW_CODE = f"You can ask for a new code in {span(CODE_LIFETIME)}"
OUR_FAULT = "We cannot send or check codes just now. It is not your fault, and we have been told"

LIMITS: Mapping[type[LimitExceeded], str] = {
    rules.Throttled: f"Too many tries from your network. {KEPT}: try again in {{wait}}",
    rules.CoolingDown: "A code was sent a moment ago. You can ask for another in {wait}",
    rules.EmailCoolingDown: "An email was sent a moment ago. You can ask for another in {wait}",
    rules.EmailsSpent: "We have sent as many emails to this address today as we allow. "
    "You can ask for another in {wait}",
    rules.SendsSpent: f"We have sent this code {SENDS_PER_VERIFICATION} times{{works}}. "
    "You can ask for a new one in {wait}",
    rules.ChecksSpent: "Too many wrong codes. You can ask for a new code in {wait}",
    rules.PhoneSendsSpent: "This number has been sent too many codes today. Try again in {wait}",
    rules.PhoneChecksSpent: "Too many wrong codes were entered for this number today. "
    "Try again in {wait}",
    rules.PrefixBraked: "We cannot send codes to numbers that begin like yours just now. "
    "Try again in {wait}",
    rules.AddressShareSpent: f"Too many codes were asked for from your network and not entered. "
    f"{KEPT}: try again in {{wait}}",
    rules.BudgetSpent: f"We cannot send codes just now. {KEPT}: try again in {{wait}}",
    rules.SpendReached: f"We cannot send codes just now. {KEPT}: try again in {{wait}}",
    rules.ChangesSpent: "You have changed the number as often as we allow. "
    "Use the last one, or start again",
    rules.NumbersSpent: "You have tried as many numbers today as we allow. Try again in {wait}",
    rules.PasswordChecksPaused: "Too many wrong passwords for this account. Try again in {wait}",
    rules.PasswordChecksSpent: "Too many wrong passwords in a row for this account. "
    "Choose a new password to get in",
    rules.PasskeysSpent: f"An account may have {PASSKEYS_PER_ACCOUNT} passkeys. Remove one first",
    rules.DatabaseAway: f"We are not ready just now. {KEPT}: try again in {{wait}}",
    rules.WorkNeeded: "Many codes are being asked for just now, so we check that you are not a "
    "robot. Your browser does it by itself and then sends the form. Without JavaScript, wait "
    "{wait}, then press the button again",
    rules.Overloaded: f"Many people are signing up at this moment. {KEPT}: try again in {{wait}}",
}
OURS = (rules.DatabaseAway, rules.Overloaded)  # limits of the site, not of the person

SENDS_UNKNOWN = (
    f"We have asked our text service {SENDS_PER_VERIFICATION} times for this code, and it did not "
    "always say whether it sent it. If one reaches you, it works. "
    "You can ask for a new one in {wait}"
)
CANNOT_SEND = "We cannot send a code to this number now. Use another mobile number"
NUMBER: Mapping[type[ProviderError], str] = {
    InvalidNumber: "We cannot send a code to this number. Check it, or use another mobile number",
    NotMobile: "This is a landline, which cannot receive texts. Use a mobile number",
    CountryNotServed: "We cannot send texts to this country yet. Use a number in another country",
    Blocked: CANNOT_SEND,
    BlockedByOperator: CANNOT_SEND,  # which of the two it is, or what is blocked, is not said
    OptedOut: "This number has asked not to be texted. Text START to us from it, or use another",
}
VENDOR: Mapping[type[ProviderError], tuple[int, str]] = {
    TooManySends: (429, f"This number has been sent several codes{{works}}. {NEW_CODE}"),
    TooManyChecks: (429, f"Too many wrong codes. {NEW_CODE}"),
    Gone: (422, "This code no longer works. Ask for a new one"),
    Busy: (503, f"Our text service is busy. {KEPT}: try again in a moment"),
    Misconfigured: (503, f"{OUR_FAULT}. {KEPT}: try again later"),
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
WRONG_PASSWORD = "This email and password do not belong to an account. Check both and try again"  # noqa: S105
BREACHED = "This password is in a list of stolen passwords. Choose another"
WRONG_CURRENT_PASSWORD = "This is not your password. Check it and try again"  # noqa: S105 - words
CHANGED_ELSEWHERE = (
    "Your account was changed in another browser at the same moment, so nothing was changed here. "
    "Go to your account to see how it is now"
)
PHONE_FULL = (
    "This number already has as many accounts as we allow. "
    "Sign in to one of them, or use another number"
)
WRONG_RECOVERY_CODE = "This is not your recovery code. Check each letter"
EXPIRED = "This code has expired. Ask for a new one"
BAD_CODE = f"Enter the {EXPECTED_CODE_LENGTH} digits of the code"

INVALID = 422
CONFLICT = 409
TOO_MANY = 429
UNAVAILABLE = 503


class Told(StrEnum):
    """What the next page of a session says once. The value is kept in the session's row."""

    CODE_TEXTED = "code_texted"
    CODES_TEXTED = "codes_texted"
    CALLING = "calling"
    CODE_BY_WHATSAPP = "code_by_whatsapp"
    LINK_SENT = "link_sent"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - no password
    NAME_CHANGED = "name_changed"
    PHONE_CHANGED = "phone_changed"
    EMAIL_ASKED = "email_asked"
    SESSION_ENDED = "session_ended"
    SESSIONS_ENDED = "sessions_ended"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"


SENT_AGAIN = {
    Channel.SMS: Told.CODE_TEXTED,
    Channel.CALL: Told.CALLING,
    Channel.WHATSAPP: Told.CODE_BY_WHATSAPP,
}

TOLD: Mapping[str, str] = {
    Told.CODE_TEXTED: "We have sent the code. It can take a minute to arrive.",
    Told.CODES_TEXTED: "We have sent the codes. It can take a minute for them to arrive.",
    Told.CALLING: "We are calling you with the code.",
    Told.CODE_BY_WHATSAPP: "We have sent the code to your WhatsApp.",
    Told.LINK_SENT: "We have emailed you a new link. It can take a minute to arrive.",
    Told.PASSWORD_CHANGED: "Your password is changed. Every other browser is signed out.",
    Told.NAME_CHANGED: "Your name is changed.",
    Told.PHONE_CHANGED: "Your number is changed. We’ve told the old one.",
    Told.EMAIL_ASKED: "We have emailed a link to the new address. Open it to make the change.",
    Told.SESSION_ENDED: "That browser is signed out.",
    Told.SESSIONS_ENDED: "Every other browser is signed out, and each needs a code to sign in.",
    Told.PASSKEY_ADDED: "Your passkey is added. Next time you can sign in with it.",
    Told.PASSKEY_REMOVED: "The passkey is removed. It can no longer be used to sign in.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What goes wrong, for a page."""

    status: int
    words: str
    field: str | None = None  # the field it stands beside; None: the whole step's
    retry_after: int | None = None  # seconds


REFUSALS: Mapping[type[Exception], Problem] = {
    PhoneFull: Problem(INVALID, PHONE_FULL),
    WrongPassword: Problem(INVALID, WRONG_PASSWORD),
    BreachedPassword: Problem(INVALID, BREACHED, "password"),
    WrongCurrentPassword: Problem(INVALID, WRONG_CURRENT_PASSWORD, "current"),
    ChangedElsewhere: Problem(CONFLICT, CHANGED_ELSEWHERE),
    CodeExpired: Problem(INVALID, EXPIRED),
    WrongRecoveryCode: Problem(INVALID, WRONG_RECOVERY_CODE, "recovery"),
}


def problem(error: UserError, *, checking: bool = False, has_code: bool = False) -> Problem:
    """The words for ``error``; ``checking`` a code rather than sending one.

    ``has_code``: a code went out before, which the person can enter on this page.
    """
    works = STILL_WORKS if has_code else ""
    match error:
        case WrongCode():
            tries = "1 try" if error.left == 1 else f"{error.left} tries"
            return Problem(INVALID, f"That is not the code we sent. You have {tries} left", "code")
        case LimitExceeded():
            return _limit(error, works)
        case ProviderError():
            return _not_checked(error) if checking else _not_sent(error, works)
        case _:
            return REFUSALS[type(error)]


def _limit(error: LimitExceeded, works: str) -> Problem:
    unknown = isinstance(error, rules.SendsSpent) and error.unknown
    words = (SENDS_UNKNOWN if unknown else LIMITS[type(error)]).format(
        wait=span(error.wait or RETRY_AFTER), works=works
    )
    status = UNAVAILABLE if isinstance(error, OURS) else TOO_MANY
    return Problem(status, words, retry_after=error.seconds)


def _not_sent(error: ProviderError, works: str) -> Problem:
    if words := NUMBER.get(type(error)):
        return Problem(INVALID, words, "phone")
    status, words = VENDOR[type(error)]
    return _vendor_problem(status, MAYBE_SENT if error.maybe_sent else words, error, works)


def _not_checked(error: ProviderError) -> Problem:
    if isinstance(error, InvalidNumber):  # the one thing a check sends that people typed
        return Problem(INVALID, BAD_CODE, "code")
    status, words = VENDOR.get(type(error), (UNAVAILABLE, NOT_CHECKED))
    return _vendor_problem(status, NOT_CHECKED if error.maybe_sent else words, error)


def _vendor_problem(status: int, words: str, error: ProviderError, works: str = "") -> Problem:
    wait = _wait(error, status)
    told = timedelta(seconds=wait) if wait else RETRY_AFTER
    return Problem(status, words.format(wait=span(told), works=works), retry_after=wait)


def _wait(error: ProviderError, status: int) -> int | None:
    """Seconds until another try, as the vendor says or as is usual; None where none would help."""
    if status < TOO_MANY:
        return None
    usual = CODE_LIFETIME if status == TOO_MANY else RETRY_AFTER
    wait = timedelta(seconds=error.retry_after) if error.retry_after else usual
    return max(1, whole_seconds(wait))
