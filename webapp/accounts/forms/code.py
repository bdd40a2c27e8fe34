"""The form with a one-time code."""

from dataclasses import dataclass, field
from typing import Self

from webapp.accounts.challenges import codes
from webapp.accounts.forms import Form, Typed, typed
from webapp.accounts.people.letters import one_line

EXPECTED_CODE_LENGTH = 6


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
