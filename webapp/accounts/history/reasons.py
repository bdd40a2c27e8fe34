"""Every event of the history by its id, in the words that an operator reads.

Ids are stored, counted and documented in docs/operate-details.md: never change one, only add.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from webapp import providers
from webapp.accounts.policy import rules

REFUSALS = (
    "form_",
    "throttle_",
    "limit_",
    "site_",
    "block_",
    "vendor_",
    "code_",
    "password_",
    "passkey_",
)
"""What the id of a refusal begins with: by what we refused."""


class Reason(StrEnum):
    """What happened, or why something was refused. ``words`` say it of one phone."""

    words: str

    def __new__(cls, reason_id: str, words: str) -> Self:
        member = str.__new__(cls, reason_id)
        member._value_, member.words = reason_id, words
        return member

    @property
    def is_refusal(self) -> bool:
        """Whether a person did not get what they asked for."""
        return self.startswith(REFUSALS)

    # What happens on a good day, and what the network reports afterwards
    ASKED = "asked", "a code was asked for"
    SENT = "sent", "the vendor took the message"
    DELIVERED = "delivered", "the network delivered the message"
    FAILED = "failed", "the network did not deliver the message"
    PRICED = "priced", "the vendor told what the message cost"
    VERIFIED = "verified", "the right code was entered: the phone is verified"
    SIGNED_IN = "signed_in", "signed in"
    PHONE_FULL = "phone_full", "the right code was entered, but the number has ACCOUNTS_PER_PHONE"
    EMAIL_TAKEN = "email_taken", "the right code was entered, but the email is another account's"

    # The form
    FORM_NAME = "form_name", "the name was missing or too long"
    FORM_EMAIL = "form_email", "the email address was not usable"
    FORM_COUNTRY = "form_country", "no country was chosen"
    FORM_PHONE = "form_phone", "the number was missing, or is no number in use"
    FORM_LANDLINE = "form_landline", "the number is a landline"
    FORM_SPECIAL_RATE = "form_special_rate", "the number is a special-rate number"
    FORM_NOT_SERVED = "form_not_served", "the country is not in ALLOWED_COUNTRIES"
    FORM_PASSWORD = "form_password", "the password was too weak or too long"
    FORM_BREACHED = "form_breached", "the password is known from a breach"
    FORM_CODE = "form_code", "what was entered is no code"
    FORM_OTHER = "form_other", "another field was not filled in well"

    # Too many requests from one address: settings ending in _PER_IP
    THROTTLE_FORMS = "throttle_forms", "too many forms came from the address"
    THROTTLE_SIGNUPS = "throttle_signups", "too many sign-ups came from the address"
    THROTTLE_SIGNINS = "throttle_signins", "too many passwords came from the address"
    THROTTLE_CHECKS = "throttle_checks", "too many codes were entered from the address"
    THROTTLE_RESENDS = "throttle_resends", "too many codes were asked for from the address"

    # A limit of the number, its prefix or the site
    LIMIT_COOLING_DOWN = "limit_cooling_down", "a code was sent moments before"
    LIMIT_SENDS = "limit_sends", "this code had been sent as often as one code may"
    LIMIT_CHECKS = "limit_checks", "too many wrong codes were entered for this code"
    LIMIT_PHONE_SENDS = "limit_phone_sends", "the number had its codes for the day: SENDS_PER_PHONE"
    LIMIT_PHONE_CHECKS = "limit_phone_checks", "the number had its wrong codes for the day"
    LIMIT_PREFIX = (
        "limit_prefix",
        "its prefix is braked: too many codes to it were never entered (PREFIX_BRAKE)",
    )
    LIMIT_ADDRESS = (
        "limit_address",
        "budget or brake ran low, and the address had asked for more codes than were entered",
    )
    LIMIT_BUDGET = "limit_budget", "the site had used its SENDS_PER_HOUR"
    LIMIT_SPEND = "limit_spend", "texts had cost SPEND_PER_HOUR or SPEND_PER_DAY"
    LIMIT_CHANGES = "limit_changes", "the number was changed as often as one sign-up may"
    LIMIT_NUMBERS = "limit_numbers", "the account tried as many numbers today as it may"
    LIMIT_EMAIL_COOLING_DOWN = "limit_email_cooling_down", "an email was sent moments before"
    LIMIT_EMAILS = "limit_emails", "the email address had its emails for the day"

    LIMIT_WORK = "limit_work", "the browser was asked to prove work first (CHALLENGE)"
    LIMIT_PASSKEYS = "limit_passkeys", "the account had as many passkeys as one may"

    # A block by an operator: `python -m webapp blocks`
    BLOCK_COUNTRY = "block_country", "an operator blocked the country"
    BLOCK_PREFIX = "block_prefix", "an operator blocked the prefix"
    BLOCK_PHONE = "block_phone", "an operator blocked the number"
    BLOCK_ADDRESS = "block_address", "an operator blocked the address that asked"
    BLOCK_DOMAIN = "block_domain", "an operator blocked the domain of the email address"

    # The site itself
    SITE_DATABASE = "site_database", "the database did not answer"
    SITE_OVERLOADED = "site_overloaded", "more people were waiting than could be served"

    # The vendor
    VENDOR_NUMBER = "vendor_number", "the vendor says that the number cannot be texted"
    VENDOR_LANDLINE = "vendor_landline", "the vendor says that the number is a landline"
    VENDOR_COUNTRY = "vendor_country", "the vendor's account does not send to the country"
    VENDOR_BLOCKED = "vendor_blocked", "the vendor's fraud protection blocks the number"
    VENDOR_OPTED_OUT = "vendor_opted_out", "the owner of the number asked not to be texted"
    VENDOR_SENDS = "vendor_sends", "the vendor sends no more codes to the number just now"
    VENDOR_CHECKS = "vendor_checks", "the vendor checks this code no more"
    VENDOR_BUSY = "vendor_busy", "the vendor was busy"
    VENDOR_SETUP = "vendor_setup", "the vendor rejects our credentials, service or sender"
    VENDOR_UNREACHABLE = "vendor_unreachable", "the vendor could not be reached"
    VENDOR_SILENT = "vendor_silent", "the vendor did not answer: a message may be on its way"

    # What was entered
    CODE_WRONG = "code_wrong", "a wrong code was entered"
    CODE_RECOVERY = "code_recovery", "a wrong recovery code was entered"
    CODE_EXPIRED = "code_expired", "the code was entered when it no longer counted"
    PASSWORD_WRONG = "password_wrong", "a wrong password was entered"
    PASSWORD_PAUSED = "password_paused", "a pause after wrong passwords was not over"
    PASSWORD_SPENT = "password_spent", "a hundred wrong passwords in a row were entered"
    PASSKEY_REFUSED = "passkey_refused", "a passkey's answer was false, or came too late"


BY_ID = {reason.value: reason for reason in Reason}


class Refusal(Exception):
    """An error of the journeys themselves; each class has its reason."""

    reason: Reason


REASONS: Mapping[type[Exception], Reason] = {
    rules.CoolingDown: Reason.LIMIT_COOLING_DOWN,
    rules.SendsSpent: Reason.LIMIT_SENDS,
    rules.ChecksSpent: Reason.LIMIT_CHECKS,
    rules.PhoneSendsSpent: Reason.LIMIT_PHONE_SENDS,
    rules.PhoneChecksSpent: Reason.LIMIT_PHONE_CHECKS,
    rules.PrefixBraked: Reason.LIMIT_PREFIX,
    rules.AddressShareSpent: Reason.LIMIT_ADDRESS,
    rules.BudgetSpent: Reason.LIMIT_BUDGET,
    rules.SpendReached: Reason.LIMIT_SPEND,
    rules.ChangesSpent: Reason.LIMIT_CHANGES,
    rules.NumbersSpent: Reason.LIMIT_NUMBERS,
    rules.EmailCoolingDown: Reason.LIMIT_EMAIL_COOLING_DOWN,
    rules.EmailsSpent: Reason.LIMIT_EMAILS,
    rules.WorkNeeded: Reason.LIMIT_WORK,
    rules.PasskeysSpent: Reason.LIMIT_PASSKEYS,
    rules.PasswordChecksPaused: Reason.PASSWORD_PAUSED,
    rules.PasswordChecksSpent: Reason.PASSWORD_SPENT,
    rules.DatabaseAway: Reason.SITE_DATABASE,
    rules.Overloaded: Reason.SITE_OVERLOADED,
    providers.InvalidNumber: Reason.VENDOR_NUMBER,
    providers.NotMobile: Reason.VENDOR_LANDLINE,
    providers.CountryNotServed: Reason.VENDOR_COUNTRY,
    providers.Blocked: Reason.VENDOR_BLOCKED,
    providers.OptedOut: Reason.VENDOR_OPTED_OUT,
    providers.TooManySends: Reason.VENDOR_SENDS,
    providers.TooManyChecks: Reason.VENDOR_CHECKS,
    providers.Gone: Reason.CODE_EXPIRED,
    providers.Busy: Reason.VENDOR_BUSY,
    providers.Misconfigured: Reason.VENDOR_SETUP,
    providers.Unreachable: Reason.VENDOR_UNREACHABLE,
    providers.CircuitOpen: Reason.VENDOR_UNREACHABLE,
}
"""The reason of each error that a limit or a vendor raises, apart from throttles: see ``step``."""


def reason_of(error: Exception) -> Reason:
    """The reason of an error that keeps a person from going on."""
    if isinstance(error, Refusal):
        return error.reason
    if isinstance(error, providers.ProviderError) and error.maybe_sent:
        return Reason.VENDOR_SILENT
    return REASONS[type(error)]
