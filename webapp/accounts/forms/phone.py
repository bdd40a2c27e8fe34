"""The form with a number."""

from dataclasses import dataclass, field
from typing import Self

from phonenumbers import SUPPORTED_REGIONS

from webapp.accounts.forms import Form, Typed, typed
from webapp.accounts.history.reasons import Reason
from webapp.accounts.people import phones
from webapp.accounts.people.letters import one_line

UNUSABLE = {  # by what is wrong with a number
    "landline": Reason.FORM_LANDLINE,
    "premium": Reason.FORM_SPECIAL_RATE,
    "country": Reason.FORM_NOT_SERVED,
}


@dataclass
class PhoneForm(Form):
    """A number and the country it is dialled in."""

    country: str = ""
    phone: str = ""
    number: phones.Phone | None = field(default=None, kw_only=True)
    unusable: str = field(default="", kw_only=True)  # why the number is

    @property
    def known_country(self) -> str:
        """The chosen country if it exists, else empty."""
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
