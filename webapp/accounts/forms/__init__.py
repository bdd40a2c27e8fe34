"""Typed text to clean values or errors, each beside its field. No input, no output."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from webapp.accounts.history.reasons import Reason

LONGEST_URL = 2048
LONGEST = 1000  # characters read of any answer: composing letters takes the square of their number

INVALID = {  # by field, in the history
    "name": Reason.FORM_NAME,
    "email": Reason.FORM_EMAIL,
    "country": Reason.FORM_COUNTRY,
    "phone": Reason.FORM_PHONE,
    "password": Reason.FORM_PASSWORD,
    "code": Reason.FORM_CODE,
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
