"""The sign-up form."""

from dataclasses import dataclass, field
from typing import Any, Self

from webapp.accounts.forms import LONGEST_URL, Typed, typed
from webapp.accounts.forms.email import EmailField
from webapp.accounts.forms.name import unusable_name
from webapp.accounts.forms.password import digits_of, own_words, unusable_password
from webapp.accounts.forms.phone import PhoneForm
from webapp.accounts.people.letters import one_line


@dataclass
class SignupForm(EmailField, PhoneForm):
    """Everything an account needs. The password is kept only until it is hashed."""

    name: str = ""
    password: str = field(default="", repr=False)
    return_to: str = ""

    @classmethod
    def read(cls, form: Typed) -> Self:
        """What was typed, not checked."""
        return cls(
            name=one_line(typed(form, "name")),
            email=one_line(typed(form, "email")),
            country=typed(form, "country").strip().upper(),
            phone=one_line(typed(form, "phone")),
            password=typed(form, "password"),
            return_to=typed(form, "return_to", LONGEST_URL),
        )

    @classmethod
    def parse(cls, form: Typed, allowed: frozenset[str] = frozenset(), site: str = "") -> Self:
        self = cls.read(form)
        self.check(allowed, site)
        return self

    def check(self, allowed: frozenset[str], site: str) -> None:
        """Find what is wrong, in the order of the page, which is the order of the summary."""
        self.check_name()
        self.check_email()
        self.check_phone(allowed)
        self.check_password(site)

    def profile(self) -> dict[str, Any]:
        """A valid form's answers by column of ``users``, but for the password.

        Whatever is in here is saved, and tells one sign-up from another.
        """
        assert self.number  # noqa: S101 - a valid form has one
        return {
            "name": self.name,
            "email": self.clean_email,
            "country": self.number.country,
            "phone": self.number.e164,
        }

    def check_name(self) -> None:
        if why := unusable_name(self.name):
            self.errors["name"] = why

    def check_password(self, site: str) -> None:
        if why := unusable_password(self.password, self.own_words(site)):
            self.errors["password"] = why

    def own_words(self, site: str) -> list[str]:
        """What a guesser who knows the person tries first."""
        number = self.number.e164 if self.number else ""
        return [*own_words(self.name, self.email, number, site), digits_of(self.phone)]
