"""The form that our script fills in with a passkey's answer."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from webapp.accounts.forms import LONGEST_URL, Form, Typed, typed
from webapp.accounts.people.letters import one_line
from webapp.accounts.people.passkeys import NAME_LENGTH

LONGEST_CREDENTIAL = 16_384  # a passkey's answer; one that is attested has certificates in it


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
        if len(self.name) > NAME_LENGTH:
            self.errors["name"] = f"Shorten the name to {NAME_LENGTH} characters or fewer"
        return self
