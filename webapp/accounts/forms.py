"""Typed text to clean values or errors, each beside its field. No input, no output."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self

from phonenumbers import SUPPORTED_REGIONS

from webapp.accounts.challenges import codes
from webapp.accounts.history.reasons import Reason
from webapp.accounts.people import emails, phones, strength
from webapp.accounts.people.letters import one_line

NAME_LENGTH = 200
PASSKEY_NAME_LENGTH = 60
LONGEST_URL = 2048
LONGEST = 1000  # characters read of any answer: composing letters takes the square of their number
LONGEST_CREDENTIAL = 16_384  # a passkey's answer; one that is attested has certificates in it
EXPECTED_CODE_LENGTH = 6

INVALID = {  # by field, in the history
    "name": Reason.FORM_NAME,
    "email": Reason.FORM_EMAIL,
    "country": Reason.FORM_COUNTRY,
    "phone": Reason.FORM_PHONE,
    "password": Reason.FORM_PASSWORD,
    "code": Reason.FORM_CODE,
}
UNUSABLE = {  # by what is wrong with a number
    "landline": Reason.FORM_LANDLINE,
    "premium": Reason.FORM_SPECIAL_RATE,
    "country": Reason.FORM_NOT_SERVED,
}


class Typed(Protocol):
    """A submitted form: Starlette's FormData."""

    def getlist(self, key: Any, /) -> list[Any]: ...


def typed(form: Typed, name: str, longest: int = LONGEST) -> str:
    """What was typed into ``name``; nothing where it came twice or as a file (ASVS 15.3.7).

    One character more than ``longest`` at most, so that an answer too long can be told from others.
    """
    values = form.getlist(name)
    return values[0][: longest + 1] if len(values) == 1 and isinstance(values[0], str) else ""


@dataclass
class Form:
    """What was typed, and what is wrong with it: by field, and with the step as a whole."""

    errors: dict[str, str] = field(default_factory=dict, kw_only=True)
    problem: str | None = field(default=None, kw_only=True)

    @property
    def valid(self) -> bool:
        return not self.errors

    @property
    def refusal(self) -> Reason:
        """The first error of a form that is not valid, for the history."""
        return INVALID.get(next(iter(self.errors)), Reason.FORM_OTHER)

    def blame(self, words: str, name: str | None) -> None:
        """Say ``words`` beside the field ``name``; about the whole step if the form has none."""
        if name in self.__dataclass_fields__:
            self.errors[name] = words
        else:
            self.problem = words


def unusable_name(name: str) -> str | None:
    """Why ``name`` cannot be taken."""
    if not name:
        return "Enter your name"
    too_long = len(name) > NAME_LENGTH
    return f"Shorten your name to {NAME_LENGTH} characters or fewer" if too_long else None


def own_words(name: str, email: str, e164: str, site: str) -> list[str]:
    """What a guesser who knows the person, and where the account is, tries first."""
    numbers = [digits_of(e164), digits_of(phones.national(e164))] if e164 else []
    return [name, email, *numbers, site]


def digits_of(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def unusable_password(password: str, own_words: Sequence[str]) -> str | None:
    """Why ``password`` cannot be chosen; ``own_words`` are the person's and the site's."""
    if len(password) > LONGEST:  # refused, for it must never be cut (ASVS 6.2.8)
        return f"Use at most {LONGEST} characters"
    return strength.weakness(password, own_words)


@dataclass
class PhoneForm(Form):
    """A number and the country it is dialled in."""

    country: str = ""
    phone: str = ""
    number: phones.Phone | None = field(default=None, kw_only=True)
    unusable: str = field(default="", kw_only=True)  # why the number is

    @property
    def known_country(self) -> str:
        """The country that was chosen, if there is such a one."""
        return self.country if self.country in SUPPORTED_REGIONS else ""

    @property
    def readable_number(self) -> str:
        """The number in E.164, also if it is one that we do not text; empty if there is none."""
        try:
            return phones.parse(self.phone, self.country).e164
        except phones.UnusableNumber as error:
            return error.e164

    @property
    def refusal(self) -> Reason:
        first = super().refusal
        if first is not Reason.FORM_PHONE:
            return first
        return UNUSABLE.get(self.unusable, first)

    @classmethod
    def parse(cls, form: Typed, allowed: frozenset[str] = frozenset()) -> Self:
        self = cls(
            country=typed(form, "country").strip().upper(), phone=one_line(typed(form, "phone"))
        )
        self.check_phone(allowed)
        return self

    def check_phone(self, allowed: frozenset[str]) -> None:
        if self.country not in SUPPORTED_REGIONS and not phones.is_international(self.phone):
            self.errors["country"] = "Choose your country"
            if not self.phone:
                self.errors["phone"] = phones.WORDS["missing"]
            return
        try:
            self.number = phones.parse(self.phone, self.country, allowed)
        except phones.UnusableNumber as error:
            self.errors["phone"], self.unusable = str(error), error.why


@dataclass
class SignupForm(PhoneForm):
    """All that an account is made of. The password is kept only until it is hashed."""

    name: str = ""
    email: str = ""
    password: str = field(default="", repr=False)
    return_to: str = ""
    clean_email: str = field(default="", kw_only=True)

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

    def check_email(self) -> None:
        try:
            self.clean_email = emails.read(self.email)
        except emails.UnusableEmail as error:
            self.errors["email"] = str(error)

    def check_password(self, site: str) -> None:
        if why := unusable_password(self.password, self.own_words(site)):
            self.errors["password"] = why

    def own_words(self, site: str) -> list[str]:
        """What a guesser who knows the person tries first."""
        number = self.number.e164 if self.number else ""
        return [*own_words(self.name, self.email, number, site), digits_of(self.phone)]


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
            self.errors["current"] = "Enter the password that you have now"


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
class EmailForm(ProofForm):
    """Another email address for an account."""

    email: str = ""
    clean_email: str = field(default="", kw_only=True)

    @classmethod
    def parse(cls, form: Typed, *, asks: bool = True, present: str = "") -> Self:
        """``present`` is the address that the account has."""
        email = one_line(typed(form, "email"))
        self = cls(current=typed(form, "current"), email=email, asks=asks)
        try:
            self.clean_email = emails.read(email)
        except emails.UnusableEmail as error:
            self.errors["email"] = str(error)
        if self.clean_email and self.clean_email == present:
            self.errors["email"] = "This is the address that your account has"
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


@dataclass
class CodeForm(Form):
    """A one-time code, as people type and paste it."""

    code: str = ""
    digits: str = field(default="", kw_only=True)

    @classmethod
    def parse(cls, form: Typed) -> Self:
        self = cls(code=one_line(typed(form, "code")))
        self.digits = codes.find(self.code)
        if not self.code:
            self.errors["code"] = "Enter the code we sent you"
        elif not self.digits:
            self.errors["code"] = f"Enter the {EXPECTED_CODE_LENGTH} digits of the code"
        return self


class Failure(StrEnum):
    """Why a browser has no passkey for us, by the name of the error that it gives."""

    NO_SCRIPTS = ""  # it did not say: our script did not run
    CANCELLED = "NotAllowedError"  # or not allowed, or none on this device: browsers keep it back
    TIMED_OUT = "TimeoutError"
    ALREADY_THERE = "InvalidStateError"
    WRONG_ADDRESS = "SecurityError"
    UNSUPPORTED = "NotSupportedError"
    NOT_ASKED = "NetworkError"  # our script got no challenge from us
    UNKNOWN = "UnknownError"

    @classmethod
    def _missing_(cls, _: object) -> "Failure":
        return cls.UNKNOWN


@dataclass
class PasskeyForm(Form):
    """What the browser answered when it was asked for a passkey, and the name of a new one."""

    credential: str = field(default="", repr=False)
    failure: Failure = Failure.NO_SCRIPTS
    name: str = ""
    return_to: str = ""

    @classmethod
    def parse(cls, form: Typed) -> Self:
        self = cls(
            credential=typed(form, "credential", LONGEST_CREDENTIAL),
            failure=Failure(typed(form, "failure")),
            name=one_line(typed(form, "name")),
            return_to=typed(form, "return_to", LONGEST_URL),
        )
        if len(self.name) > PASSKEY_NAME_LENGTH:
            self.errors["name"] = f"Shorten the name to {PASSKEY_NAME_LENGTH} characters or fewer"
        return self
