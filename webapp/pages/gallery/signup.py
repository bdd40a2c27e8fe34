"""The states of sign-up: the form, and the change of number."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData

from webapp.accounts.forms.phone import PhoneForm
from webapp.accounts.forms.signup import SignupForm
from webapp.accounts.journeys.new_password import BreachedPassword
from webapp.accounts.policy import rules
from webapp.pages import (
    phone,
    signup,
)
from webapp.pages.gallery.state import (
    COUNTRY,
    EVERY_COUNTRY,
    LONGER,
    MINUTES,
    SECONDS,
    TYPED,
    State,
    person,
    with_error,
)
from webapp.pages.words import UserError
from webapp.providers import (
    Blocked,
    Busy,
    CountryNotServed,
    InvalidNumber,
    NotMobile,
)

WRONG = {"name": "", "email": "ada@", "country": COUNTRY, "phone": "1", "password": "password1"}


def _signup(
    words: str, typed: Mapping[str, str] | None = None, error: UserError | None = None
) -> State:
    """The form with ``typed`` in it; without, as it is before anything was sent."""

    def context() -> dict[str, Any]:
        form = SignupForm.parse(FormData(typed)) if typed else SignupForm(country=COUNTRY)
        return with_error(form, error) | signup.context(form, EVERY_COUNTRY)

    return State(words, signup.TEMPLATE, context)


def _phone(words: str, typed: str = TYPED["phone"], error: UserError | None = None) -> State:
    def context() -> dict[str, Any]:
        form = PhoneForm.parse(FormData(country=COUNTRY, phone=typed))
        return with_error(form, error) | phone.context(person(), form, EVERY_COUNTRY)

    return State(words, phone.TEMPLATE, context)


SIGNUP = {
    "signup": _signup("Empty"),
    "signup-missing": _signup("Sent with nothing in it", {"country": COUNTRY}),
    "signup-errors": _signup("Every field wrong", WRONG),
    "signup-no-country": _signup("No country chosen", TYPED | {"country": ""}),
    "signup-short-number": _signup("Number too short", TYPED | {"phone": "0740"}),
    "signup-number-abroad": _signup("Another country's", TYPED | {"phone": "49 1512 3456789"}),
    "signup-landline": _signup("A landline", TYPED | {"phone": "020 7946 0000"}),
    "signup-premium": _signup("A special-rate number", TYPED | {"phone": "0909 879 0000"}),
    "signup-short-password": _signup("Password too short", TYPED | {"password": "heron"}),
    "signup-own-words": _signup("Password made of the name", TYPED | {"password": "adalovelace"}),
    "signup-breached": _signup("Password known from a breach", TYPED, BreachedPassword()),
    "signup-blocked-country": _signup("Country not served", TYPED, CountryNotServed()),
    "signup-throttled": _signup("Too many from one network", TYPED, rules.Throttled(LONGER)),
    "signup-braked": _signup("Prefix braked", TYPED, rules.PrefixBraked(MINUTES)),
    "signup-provider-down": _signup("Text service down", TYPED, Busy()),
    "signup-database": _signup("Database away", TYPED, rules.DatabaseAway(SECONDS)),
    "signup-work": _signup("A proof of work is asked for", TYPED, rules.WorkNeeded(MINUTES)),
    "signup-overloaded": _signup("Too many visitors", TYPED, rules.Overloaded(MINUTES)),
}


NUMBER = {
    "phone": _phone("The number we have", TYPED["phone"]),
    "phone-missing": _phone("Sent empty", ""),
    "phone-short": _phone("Number too short", "0740"),
    "phone-refused": _phone("Not a number in use", error=InvalidNumber()),
    "phone-landline": _phone("The vendor says landline", error=NotMobile()),
    "phone-blocked": _phone("The vendor blocks it", error=Blocked()),
    "phone-changes-spent": _phone("Changed too often", error=rules.ChangesSpent()),
    "phone-provider-down": _phone("Text service down", error=Busy()),
}
