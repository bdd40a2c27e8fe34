"""The forms of recovery and of another number: typed text to clean values or errors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from webapp.accounts.challenges import codes
from webapp.accounts.forms import Typed, typed
from webapp.accounts.forms.code import EXPECTED_CODE_LENGTH, CodeForm
from webapp.accounts.forms.email import EmailField
from webapp.accounts.forms.password import unusable_password
from webapp.accounts.forms.phone import PhoneForm
from webapp.accounts.people import recovery_codes
from webapp.accounts.people.letters import one_line


@dataclass
class ForgotForm(EmailField):
    """The email of an account whose password is forgotten."""

    @classmethod
    def parse(cls, form: Typed) -> Self:
        self = cls(email=one_line(typed(form, "email")))
        self.check_email()
        return self


@dataclass
class ResetForm(CodeForm):
    """The code on the phone and the new password, which is kept only until it is hashed."""

    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, form: Typed, own_words: Sequence[str] = ()) -> Self:
        """``own_words``: what a guesser who knows the person tries first."""
        self = super().parse(form)
        self.password = typed(form, "password")
        if why := unusable_password(self.password, own_words):
            self.errors["password"] = why
        return self


@dataclass
class NewPhoneForm(PhoneForm):
    """Another number for an account, with the password that it has."""

    current: str = field(default="", repr=False)
    asks: bool = field(default=True, kw_only=True)  # for the password, as all forms of changes say

    @classmethod
    def parse(cls, form: Typed, allowed: frozenset[str] = frozenset()) -> Self:
        self = super().parse(form, allowed)
        self.current = typed(form, "current")
        if not self.current:
            self.errors["current"] = "Enter your current password"
        return self


@dataclass
class PhoneCodesForm(CodeForm):
    """The codes on the old phone and on the new one."""

    old_code: str = ""
    old_digits: str = field(default="", kw_only=True)

    @classmethod
    def parse(cls, form: Typed) -> Self:
        self = cls(old_code=one_line(typed(form, "old_code")), code=one_line(typed(form, "code")))
        self.old_digits, self.digits = codes.find(self.old_code), codes.find(self.code)
        for name, digits, phone in (
            ("old_code", self.old_digits, "old"),
            ("code", self.digits, "new"),
        ):
            if not digits:
                self.errors[name] = (
                    f"Enter the {EXPECTED_CODE_LENGTH} digits sent to your {phone} number"
                )
        return self


@dataclass
class LostPhoneForm(CodeForm):
    """The code on the new phone, and the recovery code."""

    recovery: str = field(default="", repr=False)

    @classmethod
    def parse(cls, form: Typed) -> Self:
        self = super().parse(form)
        self.recovery = one_line(typed(form, "recovery"))
        if not recovery_codes.is_whole(recovery_codes.read(self.recovery)):
            self.errors["recovery"] = (
                f"Enter your recovery code, {recovery_codes.LENGTH} letters and digits"
            )
        return self
