"""The form of who signs in."""

from dataclasses import dataclass, field
from typing import Self

from webapp.accounts.forms import LONGEST_URL, Form, Typed, typed
from webapp.accounts.people import emails
from webapp.accounts.people.letters import one_line


@dataclass
class SigninForm(Form):
    """The email and password of an account."""

    email: str = ""
    password: str = field(default="", repr=False)
    return_to: str = ""
    clean_email: str = field(default="", kw_only=True)

    @classmethod
    def parse(cls, form: Typed) -> Self:
        self = cls(
            email=one_line(typed(form, "email")),
            password=typed(form, "password"),
            return_to=typed(form, "return_to", LONGEST_URL),
        )
        try:
            self.clean_email = emails.read(self.email)
        except emails.UnusableEmail as error:
            self.errors["email"] = str(error)
        if not self.password:
            self.errors["password"] = "Enter your password"  # noqa: S105 - words
        return self
