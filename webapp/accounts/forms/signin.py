"""The sign-in form."""

from dataclasses import dataclass, field
from typing import Self

from webapp.accounts.forms import LONGEST_URL, Typed, typed
from webapp.accounts.forms.email import EmailField
from webapp.accounts.people.letters import one_line


@dataclass
class SigninForm(EmailField):
    """The email and password of an account."""

    password: str = field(default="", repr=False)
    return_to: str = ""

    @classmethod
    def parse(cls, form: Typed) -> Self:
        self = cls(
            email=one_line(typed(form, "email")),
            password=typed(form, "password"),
            return_to=typed(form, "return_to", LONGEST_URL),
        )
        self.check_email()
        if not self.password:
            self.errors["password"] = "Enter your password"  # noqa: S105 - words
        return self
