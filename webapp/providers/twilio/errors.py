"""Twilio's error codes and error bodies, in our words."""

from http import HTTPStatus

from webapp.providers import (
    Blocked,
    Busy,
    CountryNotServed,
    Gone,
    InvalidNumber,
    Misconfigured,
    NotMobile,
    OptedOut,
    ProviderError,
    TooManyChecks,
    TooManySends,
)
from webapp.providers.answers import Answer, error_from

REJECTED_CREDENTIALS = "20003"
KINDS: dict[str, type[ProviderError]] = {
    REJECTED_CREDENTIALS: Misconfigured,
    "20404": Gone,
    "20429": Busy,
    "21211": InvalidNumber,
    "21408": CountryNotServed,  # not switched on for the account
    "21603": Misconfigured,  # no sender
    "21604": InvalidNumber,
    "21606": Misconfigured,  # not our sender
    "21608": Misconfigured,  # a trial account
    "21610": OptedOut,
    "21611": Busy,  # the sender's queue is full
    "21612": CountryNotServed,  # no way there from this sender
    "21614": InvalidNumber,
    "30034": Misconfigured,  # the sender is not registered
    "30450": Blocked,  # taken for pumping
    "60006": InvalidNumber,
    "60200": InvalidNumber,  # the one parameter that people give us
    "60202": TooManyChecks,
    "60203": TooManySends,
    "60205": NotMobile,
    "60212": Busy,
    "60217": Misconfigured,
    "60220": CountryNotServed,
    "60221": Misconfigured,  # the channel is off
    "60223": Misconfigured,
    "60238": CountryNotServed,
    "60410": Blocked,
    "60413": Blocked,
    "60605": CountryNotServed,
}


def parse_error(answer: Answer) -> ProviderError | None:
    """The error in an answer of Twilio's; None for a success."""
    if answer.status in (HTTPStatus.OK, HTTPStatus.CREATED):
        return None
    return error_from("twilio", answer, answer.fields.get("code"), KINDS)
