"""The forms for changing an account."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from webapp.accounts.forms import Form, Typed, typed
from webapp.accounts.forms.email import EmailField
from webapp.accounts.forms.name import unusable_name
from webapp.accounts.forms.password import unusable_password
from webapp.accounts.people.letters import one_line


@dataclass
class ProofForm(Form):
    """What a change of the account is asked for with: the password that the person has now.

    ``asks`` says whether it is needed: it is not where the person entered it a moment ago, for
    changes that do not need it each time.
    """

    current: str = field(default="", repr=False)
    asks: bool = field(default=True, kw_only=True)

    @classmethod
    def parse(cls, form: Typed, *, asks: bool = True) -> Self:
        self = cls(current=typed(form, "current"), asks=asks)
        self.check_current()
        return self

    def check_current(self) -> None:
        if self.asks and not self.current:
            self.errors["current"] = "Enter your current password"


@dataclass
class NameForm(ProofForm):
    """Another name for a person."""

    name: str = ""

    @classmethod
    def parse(cls, form: Typed, *, asks: bool = True) -> Self:
        name = one_line(typed(form, "name"))
        self = cls(current=typed(form, "current"), name=name, asks=asks)
        if why := unusable_name(name):
            self.errors["name"] = why
        self.check_current()
        return self


@dataclass
class EmailForm(EmailField, ProofForm):
    """Another email address for an account."""

    @classmethod
    def parse(cls, form: Typed, *, asks: bool = True, present: str = "") -> Self:
        """``present`` is the address that the account has."""
        email = one_line(typed(form, "email"))
        self = cls(current=typed(form, "current"), email=email, asks=asks)
        self.check_email()
        if self.clean_email and self.clean_email == present:
            self.errors["email"] = "Your account already has this address. Enter another one"
        self.check_current()
        return self


@dataclass
class SessionForm(ProofForm):
    """Which browser is to be signed out: one by its handle, or all but this one."""

    session: str = ""
    all: bool = False

    @classmethod
    def parse(cls, form: Typed, *, asks: bool = True) -> Self:
        self = cls(
            current=typed(form, "current"),
            session=typed(form, "session"),
            all=typed(form, "all") == "1",
            asks=asks,
        )
        self.check_current()
        return self


@dataclass
class PasswordForm(ProofForm):
    """A new password for an account."""

    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, form: Typed, *, asks: bool = True, own_words: Sequence[str] = ()) -> Self:
        """``own_words``: what a guesser who knows the person tries first."""
        current, password = typed(form, "current"), typed(form, "password")
        self = cls(current=current, password=password, asks=asks)
        self.check_current()
        if why := unusable_password(self.password, own_words):
            self.errors["password"] = why
        return self
