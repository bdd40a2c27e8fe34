"""Every limit by name, its number beside it, and the refusals they lead to.

Those that operators may change are settings, in ``SpendingLimits``; docs/settings.md lists all.
"""

from dataclasses import dataclass
from datetime import timedelta

# One code (NIST SP 800-63B-4, 3.1.3.2: short-lived, few guesses, a resend gives none back)
CODE_LIFETIME = timedelta(minutes=10)
CHECKS_PER_VERIFICATION = 5
SENDS_PER_VERIFICATION = 5  # within CODE_LIFETIME; it is also what Twilio Verify allows
COOL_DOWNS = tuple(timedelta(seconds=seconds) for seconds in (30, 40, 60, 90, 120))

# One phone, across sign-ups
DAY = timedelta(days=1)
WRONG_CHECKS_PER_PHONE = 20  # a day

# One sign-up
PHONE_CHANGES = 3
SIGNUP_LIFETIME = timedelta(days=1)  # never verified: purged after it (ASVS 14.2.7)

# One account
NUMBERS_PER_ACCOUNT = 5  # that it may try to change to in a day
LOST_PHONE_PROOF = timedelta(minutes=30)  # since the password, to look for a recovery code
PHONE_CHANGE_WAITS = timedelta(hours=24)  # where the former phone is lost and cannot agree

# Emails that a person asks for, to one address
EMAIL_COOL_DOWN = timedelta(minutes=1)
EMAILS_PER_ADDRESS = 10  # a day, of all that we send to it

# Notices of account changes to one phone, counted with all other plain texts: more would tell
# nothing new, and changing an account must not be a way to make the site pay for texts
NOTICE_TEXTS_PER_PHONE = 10  # a day

# Spending
BRAKE_WINDOW = timedelta(hours=1)
BUDGET_WINDOW = timedelta(hours=1)
BUDGET_FOR_KNOWN = 0.1  # of the budget, for confirmations and people who entered their password

SPEND_WARNING_FROM = 0.8  # of SPEND_PER_HOUR and SPEND_PER_DAY: then the owner is told

# Spending when the budget or a brake runs low; ``shares`` explains it
SCARCE_FROM = 0.5  # of what sign-ups may use, or of a prefix's brake
KEPT_FROM = 0.75  # of what sign-ups may use
SCARCE_SENDS_PER_ADDRESS = SENDS_PER_VERIFICATION  # an hour, not entered: one person's
SCARCE_SENDS_PER_PREFIX = 10  # an hour, not entered

# One address; the other limits by address are settings
FORMS_PER_SIGNUP = 30  # sign-up forms, valid or not, for each allowed sign-up: 50 ms to check one
HINTS_PER_IP = "600/10minutes"  # estimates of a password's strength, of some milliseconds each

# Replays of a right code by a browser that lost our answer. Bounds the guesses of somebody who
# stole the former session's token
ANSWERS_PER_SESSION = "60/10minutes"

# Passwords entered for one account in a row (NIST SP 800-63B-4, 3.2.2: at most 100)
PASSWORD_CHECKS_IN_A_ROW = 100
FREE_PASSWORD_CHECKS = 5
LONGEST_PASSWORD_PAUSE = timedelta(minutes=15)
PASSWORD_PAUSES = (
    *(timedelta() for _ in range(FREE_PASSWORD_CHECKS)),
    *(timedelta(seconds=2**turn) for turn in range(10)),
    LONGEST_PASSWORD_PAUSE,
)
"""The pause after each check; the last one after every further check."""
PASSWORD_CHECKS_KEPT = timedelta(days=90)  # then the row of wrong ones begins anew
BROWSER_REMEMBERED = timedelta(days=30)
RECENT_PROOF = timedelta(minutes=10)  # how long a password entered allows changes of the account
ANSWER_KEPT = timedelta(
    minutes=10
)  # for a browser that sends a change again, as our answer got lost

# Passkeys
PASSKEY_CHALLENGE_LIFETIME = timedelta(minutes=10)  # WebAuthn Level 3, 15.1: 5 to 10 minutes
PASSKEY_CHALLENGES_PER_IP = "120/10minutes"  # each is a row, for strangers too
PASSKEYS_PER_ACCOUNT = 20

# Sessions (ASVS 7.3)
SIGN_IN_LIFETIME = timedelta(minutes=30)  # from the password to the code, with three codes sent
RETURN_LIFETIME = timedelta(hours=1)  # an application waits no longer for whom it sent
SESSION_TOUCH = timedelta(minutes=5)  # how stale last_seen_at may be, to spare a write a request

# Our own bad days: when nobody knows how long one lasts
RETRY_AFTER = timedelta(seconds=5)

# Proofs of work
WORK_LIFETIME = timedelta(minutes=15)
WORK_WAIT = timedelta(minutes=2)  # for browsers without scripts, instead of the work

# Housekeeping
OUTBOX_KEPT = timedelta(days=7)  # after a message is done
PHONE_CHANGES_KEPT = timedelta(days=7)  # after their time
LINKS_KEPT = timedelta(days=7)  # after they expired, for words better than "unknown"
UNDELIVERED_KEPT = timedelta(days=7)  # longer than any is tried: nobody carries its channel now


@dataclass(frozen=True, slots=True)
class SessionLife:
    """When a session ends by itself."""

    idle: timedelta  # after the last use
    absolute: timedelta  # after signing in


# The defaults of the settings. Signing in costs a text, and whoever comes back every other week
# should not pay for one each time; nobody stays signed in for more than a quarter of a year. What
# a thief could change needs the password after ten minutes.
SESSION_LIFE = SessionLife(idle=timedelta(days=14), absolute=timedelta(days=90))
HALF_SIGNED_IN = SessionLife(idle=SIGN_IN_LIFETIME, absolute=SIGN_IN_LIFETIME)


@dataclass(frozen=True, slots=True)
class SpendingLimits:
    """What may be spent on texts and calls; ``None`` is no limit."""

    sends_per_phone: int | None  # a day
    sends_per_hour: int | None  # the whole site
    prefix_brake: int | None  # unverified sends to one dialling prefix in an hour

    @property
    def sends_per_hour_for_signups(self) -> int | None:
        """The part of the budget that is not kept for confirmations and known people."""
        most = self.sends_per_hour
        return None if most is None else most - int(most * BUDGET_FOR_KNOWN)


def whole_seconds(time: timedelta) -> int:
    """``time`` in whole seconds, rounded up, so that waiting that long is enough."""
    return -int(-time.total_seconds() // 1)


class LimitExceeded(Exception):
    """A limit stands in the way; ``wait`` says how long, where waiting helps."""

    def __init__(self, wait: timedelta | None = None) -> None:
        super().__init__()
        self.wait = wait

    @property
    def seconds(self) -> int | None:
        """Whole seconds to wait, at least one."""
        return None if self.wait is None else max(1, whole_seconds(self.wait))


class Throttled(LimitExceeded):
    """This visitor's address did this too often."""


class CoolingDown(LimitExceeded):
    """The last code was sent a moment ago."""


class SendsSpent(LimitExceeded):
    """This verification has had its sends; of ``unknown`` nobody knows whether they went out."""

    def __init__(self, wait: timedelta | None = None, *, unknown: int = 0) -> None:
        super().__init__(wait)
        self.unknown = unknown


class ChecksSpent(LimitExceeded):
    """This verification has had its guesses."""


class PhoneSendsSpent(LimitExceeded):
    """This phone has had its sends for the day."""


class PhoneChecksSpent(LimitExceeded):
    """This phone has had its wrong guesses for the day."""


class PrefixBraked(LimitExceeded):
    """Too many codes to this dialling prefix were never entered: it looks like SMS pumping."""


class AddressShareSpent(LimitExceeded):
    """The budget or a brake runs low, and this address asked for more than was entered."""


class BudgetSpent(LimitExceeded):
    """The site's sends for this hour are used up."""


class SpendReached(LimitExceeded):
    """Texts and calls have cost what they may in this hour or day."""


class EmailCoolingDown(LimitExceeded):
    """The last email with a link was sent a moment ago."""


class EmailsSpent(LimitExceeded):
    """This email address has been sent as many emails today as anybody may ask for."""


class ChangesSpent(LimitExceeded):
    """The number was changed as often as one sign-up may."""


class NumbersSpent(LimitExceeded):
    """The account has tried to change to as many numbers today as it may."""


class PasswordChecksPaused(LimitExceeded):
    """Too many wrong passwords in a row for this account: the next one has to wait."""


class PasswordChecksSpent(LimitExceeded):
    """A hundred wrong passwords in a row: only a new password opens this account."""


class PasskeysSpent(LimitExceeded):
    """The account has as many passkeys as one may."""


class DatabaseAway(LimitExceeded):
    """The database did not answer, or is full. The same form again is still one sign-up."""


class WorkNeeded(LimitExceeded):
    """The browser has to prove work first; without scripts, to wait."""


class Overloaded(LimitExceeded):
    """More people are waiting than can be served in time."""
