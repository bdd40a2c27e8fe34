"""Typed text to clean values or errors, each beside its field. No input, no output."""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from email_validator import EmailNotValidError, validate_email
from phonenumbers import SUPPORTED_REGIONS

from webapp.accounts.people import passwords, phones

NAME_LENGTH = 200
EMAIL_LENGTH = 254
LONGEST = 1000  # characters read of any answer: composing letters takes the square of their number
CODE_LENGTHS = range(6, 9)  # Authy's may have 7 or 8 digits
EXPECTED_CODE_LENGTH = 6


class Typed(Protocol):
    """A submitted form: Starlette's FormData."""

    def getlist(self, key: Any, /) -> list[Any]: ...


def typed(form: Typed, name: str) -> str:
    """What was typed into ``name``; nothing where it came twice or as a file (ASVS 15.3.7).

    One character more than ``LONGEST`` at most, so that an answer too long can be told from others.
    """
    values = form.getlist(name)
    return values[0][: LONGEST + 1] if len(values) == 1 and isinstance(values[0], str) else ""


def line(text: str) -> str:
    """``text`` as one line: spaces folded, letters composed, what cannot be written left out.

    Joiners and marks of direction stay, which names and emoji need; of these alone it is empty.
    """
    written = (" " if letter.isspace() else letter for letter in text if _printable(letter))
    folded = " ".join(unicodedata.normalize("NFC", "".join(written)).split())
    return folded if any(unicodedata.category(letter) != "Cf" for letter in folded) else ""


def _printable(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cs", "Co", "Cn")


@dataclass
class _Form:
    errors: dict[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def valid(self) -> bool:
        return not self.errors


@dataclass
class PhoneForm(_Form):
    """A number and the country it is dialled in."""

    country: str = ""
    phone: str = ""
    number: phones.Phone | None = field(default=None, kw_only=True)

    @classmethod
    def parse(cls, form: Typed, allowed: frozenset[str] = frozenset()) -> Self:
        self = cls(country=typed(form, "country").strip().upper(), phone=line(typed(form, "phone")))
        self.check_phone(allowed)
        return self

    def check_phone(self, allowed: frozenset[str]) -> None:
        if self.country not in SUPPORTED_REGIONS and not self.phone.startswith("+"):
            self.errors["country"] = "Choose your country"
            if not self.phone:
                self.errors["phone"] = phones.WORDS["missing"]
            return
        try:
            self.number = phones.parse(self.phone, self.country, allowed)
        except phones.UnusableNumber as error:
            self.errors["phone"] = str(error)


@dataclass
class SignupForm(PhoneForm):
    """All that an account is made of. The password is kept only until it is hashed."""

    name: str = ""
    email: str = ""
    password: str = field(default="", repr=False)
    clean_email: str = field(default="", kw_only=True)

    @classmethod
    def parse(cls, form: Typed, allowed: frozenset[str] = frozenset(), site: str = "") -> Self:
        self = cls(
            name=line(typed(form, "name")),
            email=line(typed(form, "email")),
            country=typed(form, "country").strip().upper(),
            phone=line(typed(form, "phone")),
            password=typed(form, "password"),
        )
        # In the order of the page, which is the order of the summary
        self.check_name()
        self.check_email()
        self.check_phone(allowed)
        self.check_password(site)
        return self

    def check_name(self) -> None:
        if not self.name:
            self.errors["name"] = "Enter your name"
        elif len(self.name) > NAME_LENGTH:
            self.errors["name"] = f"Shorten your name to {NAME_LENGTH} characters or fewer"

    def check_email(self) -> None:
        if not self.email:
            self.errors["email"] = "Enter your email address"
            return
        try:
            if len(self.email) <= EMAIL_LENGTH:
                valid = validate_email(
                    self.email,
                    check_deliverability=False,
                    test_environment=True,  # .test is nobody's (RFC 6761), and testers' own
                )
                self.clean_email = valid.normalized
        except EmailNotValidError:
            self.errors["email"] = "Enter an email address in the right form, like name@example.com"
            return
        # Folded it can be longer: one Arabic ligature is eighteen letters.
        lengths = len(self.email), len(self.clean_email), len(fold_email(self.clean_email))
        if max(lengths) > EMAIL_LENGTH:
            self.errors["email"] = "This email address is too long"

    def check_password(self, site: str) -> None:
        if len(self.password) > LONGEST:  # refused, for it must never be cut (ASVS 6.2.8)
            self.errors["password"] = f"Use at most {LONGEST} characters"
        elif why := passwords.weakness(self.password, self.own_words(site)):
            self.errors["password"] = why

    def own_words(self, site: str) -> list[str]:
        """What a guesser who knows the person tries first."""
        digits = "".join(filter(str.isdigit, self.phone))
        numbers = [self.number.e164, phones.national(self.number.e164)] if self.number else []
        digits_of = ["".join(filter(str.isdigit, number)) for number in numbers]
        return [self.name, self.email, digits, *digits_of, site]


@dataclass
class CodeForm(_Form):
    """A one-time code, as people type and paste it."""

    code: str = ""
    digits: str = field(default="", kw_only=True)

    @classmethod
    def parse(cls, form: Typed) -> Self:
        self = cls(code=line(typed(form, "code")))
        self.digits = code_in(self.code)
        if not self.code:
            self.errors["code"] = "Enter the code we sent you"
        elif not self.digits:
            self.errors["code"] = f"Enter the {EXPECTED_CODE_LENGTH} digits of the code"
        return self


def code_in(text: str) -> str:
    """The digits of the one code in ``text``, or nothing.

    ``123 456``, ``١٢٣٤٥٦`` and a whole pasted text are all understood.
    """
    ascii_digits = "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in text)
    together = re.sub(r"[\s\-–.,]", "", ascii_digits)
    if together.isdecimal() and together.isascii():
        return together if len(together) in CODE_LENGTHS else ""
    runs = {run for run in re.findall(r"[0-9]+", ascii_digits) if len(run) in CODE_LENGTHS}
    spaced = {
        a + b for a, b in re.findall(r"(?<![0-9])([0-9]{3})[ -]([0-9]{3})(?![0-9])", ascii_digits)
    }
    found = runs or spaced
    return found.pop() if len(found) == 1 else ""


def fold_email(email: str) -> str:
    """``email`` for comparison: people do not tell addresses apart by case, nor do mail hosts."""
    return unicodedata.normalize("NFKC", email).casefold()
