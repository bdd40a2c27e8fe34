"""Every state of every step, from the real templates, forms and words. Development only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms import CodeForm, PhoneForm, SignupForm
from webapp.accounts.journeys.flow import CodeExpired, WrongCode
from webapp.accounts.people import phones
from webapp.accounts.people.countries import countries
from webapp.accounts.policy import rules
from webapp.pages import errors, verification
from webapp.pages.words import Problem, UserError, problem, throttled
from webapp.providers import (
    Blocked,
    Busy,
    Channel,
    CircuitOpen,
    CountryNotServed,
    InvalidNumber,
    Misconfigured,
    NotMobile,
    Unreachable,
)
from webapp.web.security import CONTENT_SECURITY_POLICY
from webapp.web.templates import page, render, respond

COUNTRY = "GB"
PHONE = "+44 7400 123456"
TYPED = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "country": COUNTRY,
    "phone": "07400 123456",
    "password": "seven quiet herons",
}
WRONG = {"name": "", "email": "ada@", "country": COUNTRY, "phone": "1", "password": "password1"}
LONG_EMAIL = f"{'ada' * 20}@{'example' * 8}.com"
MINUTES, SECONDS = timedelta(minutes=8), timedelta(seconds=5)
DIRECTIONS = ("ltr", "rtl")
# Only here, in development, may our own page frame our own pages.
FRAMED = (
    CONTENT_SECURITY_POLICY.replace("ancestors 'none'", "ancestors 'self'") + "; frame-src 'self'"
)


@dataclass(frozen=True)
class State:
    """One page as it can come to be: its words for the index, and what its template is given."""

    words: str
    template: str
    context: Callable[[], Mapping[str, Any]]


# --- the states, step by step ----------------------------------------------------------------


def _signup(
    words: str, typed: Mapping[str, str] | None = None, fault: Problem | None = None
) -> State:
    """The form with ``typed`` in it; without, as it is before anything was sent."""

    def context() -> dict[str, Any]:
        form = SignupForm.parse(FormData(typed)) if typed else SignupForm(country=COUNTRY)
        return _stopped(form, fault) | _numbers(form) | {"signup_key": "gallery"}

    return State(words, "steps/signup.html", context)


def _phone(words: str, typed: str = TYPED["phone"], fault: Problem | None = None) -> State:
    def context() -> dict[str, Any]:
        form = PhoneForm.parse(FormData(country=COUNTRY, phone=typed))
        return _stopped(form, fault) | _numbers(form) | {"phone": PHONE}

    return State(words, "steps/phone.html", context)


def _code(
    words: str, fault: Problem | None = None, typed: str | None = None, **status: Any
) -> State:
    """The code step; ``typed`` is what was sent as a code, and ``status`` what is unusual."""

    def context() -> dict[str, Any]:
        form = CodeForm() if typed is None else CodeForm.parse(FormData(code=typed))
        usual = {"state": "waiting", "attempts_left": 5, "resend_in": 30, "can_call": True}
        return {"phone": PHONE, "notice": None} | _stopped(form, fault) | usual | status

    return State(words, "steps/verification.html", context)


def _account(
    words: str, *, verified: bool = False, email_taken: bool = False, **person: str
) -> State:
    usual = {"name": TYPED["name"], "email": TYPED["email"], "phone": PHONE}
    status = {"verified": verified, "email_taken": email_taken}
    return State(words, "steps/account.html", lambda: usual | person | status)


def _error(status: int) -> State:
    title, text = errors.WORDS[status]
    context = {"title": title, "text": text, "request_id": "3f9a1c7e52d04b86"}
    return State(f"{status}: {title}", "errors/error.html", lambda: context)


def _stopped(form: SignupForm | PhoneForm | CodeForm, fault: Problem | None) -> dict[str, Any]:
    if fault and fault.field:
        form.errors[fault.field] = fault.words
    return {"form": form, "problem": fault.words if fault and not fault.field else None}


def _numbers(form: PhoneForm) -> dict[str, Any]:
    return {"countries": countries(), "example": phones.example(form.country)}


def _checking(error: UserError) -> Problem:
    return problem(error, checking=True)


SIGNUP = {
    "signup": _signup("Empty"),
    "signup-missing": _signup("Sent with nothing in it", {"country": COUNTRY}),
    "signup-errors": _signup("Every field wrong", WRONG),
    "signup-no-country": _signup("No country chosen", TYPED | {"country": ""}),
    "signup-short-number": _signup("Number too short", TYPED | {"phone": "0740"}),
    "signup-number-abroad": _signup("Another country's", TYPED | {"phone": "49 1512 3456789"}),
    "signup-landline": _signup("A landline", TYPED | {"phone": "020 7946 0000"}),
    "signup-premium": _signup("A special-rate number", TYPED | {"phone": "0909 879 0000"}),
    "signup-short-password": _signup("Password too short", TYPED | {"password": "heron"}),
    "signup-own-words": _signup("Password made of the name", TYPED | {"password": "adalovelace"}),
    "signup-blocked-country": _signup("Country not served", TYPED, problem(CountryNotServed())),
    "signup-throttled": _signup("Too many from one network", TYPED, throttled(1500)),
    "signup-braked": _signup("Prefix braked", TYPED, problem(rules.PrefixBraked(MINUTES))),
    "signup-provider-down": _signup("Text service down", TYPED, problem(Busy())),
    "signup-database": _signup("Database away", TYPED, problem(rules.DatabaseAway(SECONDS))),
    "signup-overloaded": _signup("Too many visitors", TYPED, problem(rules.Overloaded(MINUTES))),
}
CODE = {
    "code": _code("Waiting for the code, cooling down", can_call=False),
    "code-call": _code("A call is offered", resend_in=0),
    "code-resent": _code("Sent again", notice=verification.AGAIN[Channel.SMS]),
    "code-calling": _code("Calling", notice=verification.AGAIN[Channel.CALL]),
    "code-missing": _code("Sent empty", typed=""),
    "code-malformed": _code("Not six digits", typed="12 34"),
    "code-wrong": _code("Wrong code", _checking(WrongCode(3)), "123456", attempts_left=3),
    "code-last-attempt": _code(
        "Wrong code, one try left", _checking(WrongCode(1)), "123456", attempts_left=1
    ),
    "code-one-left": _code("One try left, after a reload", attempts_left=1),
    "code-cooling-down": _code("Asked too soon", problem(rules.CoolingDown(timedelta(seconds=25)))),
    "code-sends-spent": _code(
        "Sent as often as we do", problem(rules.SendsSpent(MINUTES)), resend_in=480
    ),
    "code-throttled": _code("Too many tries from one network", throttled(300), "123456"),
    "code-unchecked": _code(
        "Text service down while checking", _checking(Unreachable(maybe_sent=True)), "123456"
    ),
    "code-unsent": _code(
        "Text service down while sending",
        problem(Unreachable(maybe_sent=False)),
        state="unsent",
        resend_in=0,
    ),
    "code-out-of-order": _code(
        "Text service out of order for everybody",
        problem(CircuitOpen("", 30.0)),
        state="unsent",
        resend_in=0,
    ),
    "code-maybe-sent": _code("Text service fell silent", problem(Unreachable(maybe_sent=True))),
    "code-misconfigured": _code(
        "Text service refuses us", problem(Misconfigured()), state="unsent", resend_in=0
    ),
    "code-expired": _code("Expired", state="expired", resend_in=0),
    "code-entered-late": _code(
        "Entered after it expired", _checking(CodeExpired()), state="expired", resend_in=0
    ),
    "code-exhausted": _code("Too many wrong codes", state="exhausted", resend_in=480),
}
NUMBER = {
    "phone": _phone("The number we have", TYPED["phone"]),
    "phone-missing": _phone("Sent empty", ""),
    "phone-short": _phone("Number too short", "0740"),
    "phone-refused": _phone("Not a number in use", fault=problem(InvalidNumber())),
    "phone-landline": _phone("The vendor says landline", fault=problem(NotMobile())),
    "phone-blocked": _phone("The vendor blocks it", fault=problem(Blocked())),
    "phone-changes-spent": _phone("Changed too often", fault=problem(rules.ChangesSpent())),
    "phone-provider-down": _phone("Text service down", fault=problem(Busy())),
}
ACCOUNT = {
    "account": _account("Verified", verified=True),
    "account-pending_visitor": _account("Not verified yet"),
    "account-email-taken": _account("The email has an account", email_taken=True),
    "account-long": _account("Very long names", verified=True, name="Ada" * 60, email=LONG_EMAIL),
}
ERRORS = {f"error-{status}": _error(status) for status in errors.WORDS}

GROUPS = {
    "Sign-up": SIGNUP,
    "Code": CODE,
    "Another number": NUMBER,
    "Account": ACCOUNT,
    "Errors": ERRORS,
}
STATES = SIGNUP | CODE | NUMBER | ACCOUNT | ERRORS


# --- the pages -------------------------------------------------------------------------------


async def index(request: Request) -> Response:
    """What there is to look at."""
    return respond(request, render(request, "sandbox/gallery.html", groups=GROUPS))


async def show(request: Request) -> Response:
    """One state, whole, as a visitor meets it; ``?dir=rtl`` from right to left."""
    state = _state(request)
    asked = request.query_params.get("dir", "")
    direction = asked if asked in DIRECTIONS else DIRECTIONS[0]
    return _framed(page(request, state.template, dir=direction, **state.context()))


async def side_by_side(request: Request) -> Response:
    """One state as a phone and a desk show it, light and dark, from both sides."""
    names, state = list(STATES), _state(request)
    at = names.index(request.path_params["state"])
    around = {"before": names[at - 1], "name": names[at], "after": names[(at + 1) % len(names)]}
    return _framed(
        respond(request, render(request, "sandbox/side_by_side.html", state=state, **around))
    )


def _state(request: Request) -> State:
    state = STATES.get(request.path_params["state"])
    if state is None:
        raise HTTPException(404)
    return state


def _framed(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = FRAMED
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
