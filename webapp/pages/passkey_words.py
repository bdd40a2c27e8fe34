"""What a person is told when a passkey cannot be used or added, and where they go on."""

from collections.abc import Mapping
from typing import get_args

from webapp.accounts.challenges.ceremonies import PasskeyRefused
from webapp.accounts.forms.passkey import Failure
from webapp.accounts.journeys.keep_passkeys import PasskeyTaken
from webapp.accounts.journeys.use_passkey import PasskeyExpired
from webapp.pages import words
from webapp.pages.words import INVALID, Problem, UserError


class NoPasskey(Exception):
    """The browser has no passkey for us."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


PasskeyError = NoPasskey | PasskeyRefused | PasskeyExpired | PasskeyTaken | UserError
PASSKEY_ERRORS: tuple[type[PasskeyError], ...] = get_args(PasskeyError)

NOT_USED: Mapping[Failure, str] = {
    Failure.NO_SCRIPTS: "Passkeys need JavaScript, which did not run in your browser. "
    "Use your password instead",
    Failure.CANCELLED: "No passkey was used. It was cancelled or not allowed, or this device has "
    "none for this site. Try again, or use your password",
    Failure.TIMED_OUT: "That took too long, and no passkey was used. "
    "Try again, or use your password",
    Failure.WRONG_ADDRESS: "Passkeys do not work at this address. Use your password instead",
    Failure.UNSUPPORTED: "This browser cannot use passkeys. Use your password instead",
    Failure.NOT_ASKED: "We could not ask for your passkey just now. "
    "Try again in a moment, or use your password",
}
NOT_USED_OTHERWISE = "Your browser could not use a passkey. Try again, or use your password"
UNKNOWN = (
    "We do not know this passkey. It may have been removed from your account. "
    "Use another one, or your password"
)

NOT_ADDED: Mapping[Failure, str] = {
    Failure.NO_SCRIPTS: "Passkeys need JavaScript, which did not run in your browser. "
    "You can go on signing in with your password",
    Failure.CANCELLED: "No passkey was made: it was cancelled, or not allowed. You can try again",
    Failure.TIMED_OUT: "That took too long, and no passkey was made. You can try again",
    Failure.ALREADY_THERE: "This device already has a passkey for your account",
    Failure.WRONG_ADDRESS: "Passkeys do not work at this address. "
    "You can go on signing in with your password",
    Failure.UNSUPPORTED: "This browser or device cannot make passkeys. "
    "You can go on signing in with your password",
    Failure.NOT_ASKED: "We could not ask for a passkey just now. Try again in a moment",
}
NOT_ADDED_OTHERWISE = "Your browser could not make a passkey. You can try again"
UNUSABLE = "We cannot use the passkey that your browser made. Try again, or on another device"
TAKEN = "This passkey already belongs to an account. Add another one"
EXPIRED = "That took too long. Try again"


def problem(error: PasskeyError, *, adding: bool = False) -> Problem:
    """The words for ``error``; ``adding`` a passkey rather than using one."""
    match error:
        case NoPasskey():
            return Problem(INVALID, _no_passkey(error.failure, adding=adding))
        case PasskeyRefused():
            return Problem(INVALID, UNUSABLE if adding else UNKNOWN)
        case PasskeyExpired():
            return Problem(INVALID, EXPIRED)
        case PasskeyTaken():
            return Problem(INVALID, TAKEN)
        case _:
            return words.problem(error)


def _no_passkey(failure: Failure, *, adding: bool) -> str:
    if adding:
        return NOT_ADDED.get(failure, NOT_ADDED_OTHERWISE)
    return NOT_USED.get(failure, NOT_USED_OTHERWISE)
