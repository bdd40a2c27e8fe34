"""The forms of who cannot sign in: typed text to clean values or errors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from webapp.accounts.forms import Form, Typed, typed
from webapp.accounts.forms.code import CodeForm
from webapp.accounts.forms.password import unusable_password
from webapp.accounts.people import emails
from webapp.accounts.people.letters import one_line


@dataclass
class ForgotForm(Form):
    """The email of an account whose password is forgotten."""

    email: str = ""
    clean_email: str = field(default="", kw_only=True)

    @classmethod
    def parse(cls, form: Typed) -> Self:
        self = cls(email=one_line(typed(form, "email")))
        try:
            self.clean_email = emails.read(self.email)
        except emails.UnusableEmail as error:
            self.errors["email"] = str(error)
        return self


@dataclass
class ResetForm(CodeForm):
    """The code on the phone, and the password to be. It is kept only until it is hashed."""

    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, form: Typed, own_words: Sequence[str] = ()) -> Self:
        """``own_words``: what a guesser who knows the person tries first."""
        self = super().parse(form)
        self.password = typed(form, "password")
        if why := unusable_password(self.password, own_words):
            self.errors["password"] = why
        return self
