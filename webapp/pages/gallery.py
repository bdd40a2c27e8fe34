"""Every state of every step, from the real templates, forms and words. Development only."""

from collections.abc import Mapping, Set
from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.verifications import Outcome
from webapp.accounts.forms.change import EmailForm, NameForm, PasswordForm, ProofForm, SessionForm
from webapp.accounts.forms.code import CodeForm
from webapp.accounts.forms.phone import PhoneForm
from webapp.accounts.forms.signin import SigninForm
from webapp.accounts.forms.signup import SignupForm
from webapp.accounts.journeys.check_code import CodeExpired, WrongCode
from webapp.accounts.journeys.confirm_email import Confirmation, LinkStatus
from webapp.accounts.journeys.new_password import BreachedPassword
from webapp.accounts.journeys.prove_again import ChangedElsewhere, WrongCurrentPassword
from webapp.accounts.journeys.sign_in import WrongPassword
from webapp.accounts.policy import rules
from webapp.accounts.policy.rules import (
    CHECKS_PER_VERIFICATION,
    SENDS_PER_VERIFICATION,
)
from webapp.pages import (
    account,
    account_email,
    account_leave,
    account_name,
    account_password,
    account_sessions,
    email,
    errors,
    phone,
    signin,
    signin_code,
    signup,
    verification,
)
from webapp.pages.gallery_emails import SAMPLES
from webapp.pages.gallery_passkeys import PASSKEYS
from webapp.pages.gallery_phones import PHONES
from webapp.pages.gallery_recovery import RECOVERY
from webapp.pages.gallery_state import (
    COUNTRY,
    EVERY_COUNTRY,
    EXPIRED,
    LONGER,
    MINUTES,
    NOW,
    READY,
    SECONDS,
    TYPED,
    UNSENT,
    State,
    person,
    sent_code,
    with_error,
)
from webapp.pages.words import TOLD, Told, UserError, problem
from webapp.providers import (
    Blocked,
    Busy,
    Channel,
    CircuitOpen,
    CountryNotServed,
    DeliveryState,
    InvalidNumber,
    Misconfigured,
    NotMobile,
    Unreachable,
)
from webapp.web.headers import CONTENT_SECURITY_POLICY
from webapp.web.templates import page, render, respond

WRONG = {"name": "", "email": "ada@", "country": COUNTRY, "phone": "1", "password": "password1"}
LONG_EMAIL = f"{'ada' * 20}@{'example' * 8}.com"
LONG_AGO = timedelta(days=90)
DIRECTIONS = ("ltr", "rtl")
# Only here, in development, may our own page frame our own pages.
FRAMED = (
    CONTENT_SECURITY_POLICY.replace("ancestors 'none'", "ancestors 'self'") + "; frame-src 'self'"
)


# --- the states, step by step ----------------------------------------------------------------


def _signup(
    words: str, typed: Mapping[str, str] | None = None, error: UserError | None = None
) -> State:
    """The form with ``typed`` in it; without, as it is before anything was sent."""

    def context() -> dict[str, Any]:
        form = SignupForm.parse(FormData(typed)) if typed else SignupForm(country=COUNTRY)
        return with_error(form, error) | signup.context(form, EVERY_COUNTRY)

    return State(words, signup.TEMPLATE, context)


def _code(
    words: str,
    error: UserError | None = None,
    typed: str | None = None,
    *,
    notice: str | None = None,
    channels: Set[Channel] = frozenset({Channel.SMS, Channel.CALL}),
    **unusual: Any,
) -> State:
    """The code step; ``typed`` is what was sent as a code, ``unusual`` how its verification is."""

    def context() -> dict[str, Any]:
        form = CodeForm() if typed is None else CodeForm.parse(FormData(code=typed))
        shown = verification.context(person(), sent_code(**unusual), NOW, channels, notice)
        return with_error(form, error, checking=typed is not None) | shown

    return State(words, verification.TEMPLATE, context)


def _signin(
    words: str, typed: Mapping[str, str] | None = None, error: UserError | None = None
) -> State:
    def context() -> dict[str, Any]:
        form = SigninForm.parse(FormData(typed)) if typed is not None else SigninForm()
        return with_error(form, error)

    return State(words, signin.TEMPLATE, context)


def _signin_code(
    words: str, error: UserError | None = None, typed: str | None = None, **unusual: Any
) -> State:
    """The code step, as it is for somebody who signs in."""

    def context() -> Mapping[str, Any]:
        return _code(words, error, typed, **unusual).context()

    return State(words, signin_code.TEMPLATE, context)


def _phone(words: str, typed: str = TYPED["phone"], error: UserError | None = None) -> State:
    def context() -> dict[str, Any]:
        form = PhoneForm.parse(FormData(country=COUNTRY, phone=typed))
        return with_error(form, error) | phone.context(person(), form, EVERY_COUNTRY)

    return State(words, phone.TEMPLATE, context)


def _account(
    words: str,
    outcome: Outcome = Outcome.PENDING,
    *,
    resend_in: int | None = None,
    notice: str | None = None,
    error: UserError | None = None,
    new_email: str = "",
    **unusual: Any,
) -> State:
    """The account step; ``resend_in`` is there where the email is still to be confirmed."""

    def context() -> dict[str, Any]:
        user, verification = person(**unusual), sent_code(outcome=outcome)
        shown = account.context(user, verification, NOW, resend_in, notice, new_email=new_email)
        return {"problem": problem(error).words if error else None} | shown

    return State(words, account.TEMPLATE, context)


def _own_page(
    words: str, template: str, form: ProofForm, error: UserError | None = None, **more: Any
) -> State:
    """One of the account's own pages, with its form."""

    def context() -> dict[str, Any]:
        fresh = replace(form, errors=dict(form.errors))  # the state is shown more than once
        return with_error(fresh, error) | {"user": person(verified_at=NOW), **more}

    return State(words, template, context)


def _link(words: str, confirmation: Confirmation, *, signed_in: bool = False) -> State:
    """The page that a link in an email opens."""

    def context() -> dict[str, Any]:
        link = LinkStatus(confirmation, TYPED["email"])
        return email.context(link, "/email/confirm/token", signed_in=signed_in)

    return State(words, email.TEMPLATE, context)


def _error(status: int) -> State:
    title, text = errors.WORDS[status]
    context = {"title": title, "text": text, "request_id": "3f9a1c7e52d04b86"}
    return State(f"{status}: {title}", "errors/error.html", lambda: context)


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
    "signup-breached": _signup("Password known from a breach", TYPED, BreachedPassword()),
    "signup-blocked-country": _signup("Country not served", TYPED, CountryNotServed()),
    "signup-throttled": _signup("Too many from one network", TYPED, rules.Throttled(LONGER)),
    "signup-braked": _signup("Prefix braked", TYPED, rules.PrefixBraked(MINUTES)),
    "signup-provider-down": _signup("Text service down", TYPED, Busy()),
    "signup-database": _signup("Database away", TYPED, rules.DatabaseAway(SECONDS)),
    "signup-work": _signup("A proof of work is asked for", TYPED, rules.WorkNeeded(MINUTES)),
    "signup-overloaded": _signup("Too many visitors", TYPED, rules.Overloaded(MINUTES)),
}
SENT: dict[str, Any] = {"message": "SM1", "sent_at": NOW}
CODE = {
    "code": _code("Waiting for the code, cooling down", channels={Channel.SMS}),
    "code-call": _code("A call is offered", **READY),
    "code-whatsapp": _code("WhatsApp is offered", channels=frozenset(Channel), **READY),
    "code-resent": _code("Sent again", notice=TOLD[Told.CODE_TEXTED]),
    "code-calling": _code("Calling", notice=TOLD[Told.CALLING]),
    "code-missing": _code("Sent empty", typed=""),
    "code-malformed": _code("Not six digits", typed="12 34"),
    "code-wrong": _code("Wrong code", WrongCode(3), "123456", checks=2),
    "code-last-attempt": _code("Wrong code, one try left", WrongCode(1), "123456", checks=4),
    "code-one-left": _code("One try left, after a reload", checks=4),
    "code-cooling-down": _code("Asked too soon", rules.CoolingDown(5 * SECONDS)),
    "code-sends-spent": _code(
        "Sent as often as we do",
        rules.SendsSpent(MINUTES),
        sends=SENDS_PER_VERIFICATION,
        expires_at=NOW + MINUTES,
    ),
    "code-throttled": _code("Too many tries from one network", rules.Throttled(MINUTES), "123456"),
    "code-unchecked": _code(
        "Text service down while checking", Unreachable(maybe_sent=True), "123456"
    ),
    "code-unsent": _code(
        "Text service down while sending", Unreachable(maybe_sent=False), **UNSENT
    ),
    "code-out-of-order": _code(
        "Text service out of order for everybody", CircuitOpen("", 30.0), **UNSENT
    ),
    "code-maybe-sent": _code("Text service fell silent", Unreachable(maybe_sent=True)),
    "code-misconfigured": _code("Text service refuses us", Misconfigured(), **UNSENT),
    "code-delivered": _code("The network delivered it", **SENT, delivery=DeliveryState.DELIVERED),
    "code-refused": _code("The network refused it", **SENT, delivery=DeliveryState.FAILED),
    "code-refused-no-calls": _code(
        "The network refused it, and there are no calls",
        channels=frozenset({Channel.SMS}),
        **SENT,
        delivery=DeliveryState.FAILED,
    ),
    "code-expired": _code("Expired", **EXPIRED),
    "code-entered-late": _code("Entered after it expired", CodeExpired(), "123456", **EXPIRED),
    "code-exhausted": _code(
        "Too many wrong codes", checks=CHECKS_PER_VERIFICATION, expires_at=NOW + MINUTES
    ),
}
NUMBER = {
    "phone": _phone("The number we have", TYPED["phone"]),
    "phone-missing": _phone("Sent empty", ""),
    "phone-short": _phone("Number too short", "0740"),
    "phone-refused": _phone("Not a number in use", error=InvalidNumber()),
    "phone-landline": _phone("The vendor says landline", error=NotMobile()),
    "phone-blocked": _phone("The vendor blocks it", error=Blocked()),
    "phone-changes-spent": _phone("Changed too often", error=rules.ChangesSpent()),
    "phone-provider-down": _phone("Text service down", error=Busy()),
}
RETURNING = {"email": TYPED["email"], "password": TYPED["password"]}
SIGNIN = {
    "signin": _signin("Empty"),
    "signin-missing": _signin("Sent with nothing in it", {}),
    "signin-wrong": _signin("Wrong email or password", RETURNING, WrongPassword()),
    "signin-paused": _signin(
        "Too many wrong passwords", RETURNING, rules.PasswordChecksPaused(MINUTES)
    ),
    "signin-spent": _signin("A hundred in a row", RETURNING, rules.PasswordChecksSpent()),
    "signin-code": _signin_code("Waiting for the code"),
    "signin-code-wrong": _signin_code("Wrong code", WrongCode(3), "123456", checks=2),
    "signin-code-unsent": _signin_code(
        "Text service down", Unreachable(maybe_sent=False), **UNSENT
    ),
    "signin-code-refused": _signin_code(
        "The network refused it", **SENT, delivery=DeliveryState.FAILED
    ),
    "signin-code-expired": _signin_code("Expired", **EXPIRED),
    "signin-continue": State(
        "On the way to where they came from", signin.ONWARD_TEMPLATE, lambda: {"onward": "#"}
    ),
}
ACCOUNT = {
    "account": _account("Verified a moment ago", verified_at=NOW),
    "account-later": _account("Coming back", verified_at=NOW - LONG_AGO, email_confirmed_at=NOW),
    "account-new-email": _account(
        "A new email waits to be confirmed",
        verified_at=NOW - LONG_AGO,
        email_confirmed_at=NOW,
        new_email="ada@example.net",
    ),
    "account-changed": _account(
        "Just changed", verified_at=NOW - LONG_AGO, notice=TOLD[Told.PASSWORD_CHANGED]
    ),
    "account-unconfirmed": _account("Email still to be confirmed", verified_at=NOW, resend_in=50),
    "account-link-sent": _account(
        "Another link sent", verified_at=NOW, resend_in=60, notice=TOLD[Told.LINK_SENT]
    ),
    "account-link-too-soon": _account(
        "Another link asked for too soon",
        verified_at=NOW,
        resend_in=25,
        error=rules.EmailCoolingDown(5 * SECONDS),
    ),
    "account-emails-spent": _account(
        "Too many emails to this address",
        verified_at=NOW,
        resend_in=0,
        error=rules.EmailsSpent(60 * MINUTES),
    ),
    "account-confirmed": _account("Email confirmed", verified_at=NOW, email_confirmed_at=NOW),
    "account-unverified": _account("Not verified yet"),
    "account-email-taken": _account("The email has an account", Outcome.EMAIL_TAKEN),
    "account-long": _account("Very long names", verified_at=NOW, name="Ada" * 60, email=LONG_EMAIL),
}
TOO_SHORT = {"password": "heron"}
OWN_PAGES = {
    "account-password": _own_page("Another password", account_password.TEMPLATE, PasswordForm()),
    "account-password-errors": _own_page(
        "Another password, too short",
        account_password.TEMPLATE,
        PasswordForm.parse(FormData(TOO_SHORT)),
    ),
    "account-password-wrong": _own_page(
        "The password is another", account_password.TEMPLATE, PasswordForm(), WrongCurrentPassword()
    ),
    "account-password-paused": _own_page(
        "Too many wrong passwords",
        account_password.TEMPLATE,
        PasswordForm(),
        rules.PasswordChecksPaused(MINUTES),
    ),
    "account-changed-elsewhere": _own_page(
        "Changed in another browser", account_password.TEMPLATE, PasswordForm(), ChangedElsewhere()
    ),
    "account-name": _own_page(
        "Another name", account_name.TEMPLATE, NameForm(name=TYPED["name"], asks=False)
    ),
    "account-name-asks": _own_page(
        "Another name, long after signing in", account_name.TEMPLATE, NameForm(name=TYPED["name"])
    ),
}
BROWSERS = [
    {"handle": "1", "browser": "Firefox on Linux", "since": "1 January 2026", "ago": ""}
    | {"is_here": True},
    {"handle": "2", "browser": "Safari on iPhone", "since": "3 December 2025", "ago": "3 days"}
    | {"is_here": False},
    {"handle": "3", "browser": "A browser", "since": "1 January 2026", "ago": ""}
    | {"is_here": False},
]
OWN_PAGES |= {
    "account-email": _own_page(
        "Another email address", account_email.TEMPLATE, EmailForm(), offered=True
    ),
    "account-email-errors": _own_page(
        "Another email address, sent with nothing in it",
        account_email.TEMPLATE,
        EmailForm.parse(FormData()),
        offered=True,
    ),
    "account-email-spent": _own_page(
        "Too many emails",
        account_email.TEMPLATE,
        EmailForm(email="ada@example.net"),
        rules.EmailsSpent(60 * MINUTES),
        offered=True,
    ),
    "account-email-not-offered": _own_page(
        "No email is sent here", account_email.TEMPLATE, EmailForm(), offered=False
    ),
    "account-sessions": _own_page(
        "Where they are signed in",
        account_sessions.TEMPLATE,
        SessionForm(asks=False),
        **account_sessions.context(BROWSERS, BROWSERS[:2]),
    ),
    "account-sessions-ended": _own_page(
        "One signed out",
        account_sessions.TEMPLATE,
        SessionForm(asks=False),
        **account_sessions.context(BROWSERS[:1], [], TOLD[Told.SESSION_ENDED]),
    ),
    "account-sessions-asks": _own_page(
        "All others, long after signing in",
        account_sessions.TEMPLATE,
        SessionForm.parse(FormData(all="1")),
        **account_sessions.context(BROWSERS, []),
    ),
    "account-delete": _own_page("The end of the account", account_leave.TEMPLATE, ProofForm()),
    "account-delete-wrong": _own_page(
        "The end, with a wrong password",
        account_leave.TEMPLATE,
        ProofForm(),
        WrongCurrentPassword(),
    ),
    "account-deleted": State("Deleted", account_leave.DELETED_TEMPLATE, dict),
}
LINKS = {
    "confirm-email": _link("A link that works", Confirmation.OPEN),
    "confirm-email-done": _link("Confirmed", Confirmation.CONFIRMED),
    "confirm-email-done-here": _link(
        "Confirmed, signed in", Confirmation.CONFIRMED, signed_in=True
    ),
    "confirm-email-taken": _link("A new address that has an account", Confirmation.TAKEN),
    "confirm-email-over": _link("A link used or too old", Confirmation.OVER),
    "confirm-email-over-here": _link(
        "A link used or too old, signed in", Confirmation.OVER, signed_in=True
    ),
}
PIECES = {"pieces": State("What more pages can be made of", "sandbox/pieces.html", dict)}
ERRORS = {f"error-{status}": _error(status) for status in errors.WORDS}

GROUPS = {
    "Sign-up": SIGNUP,
    "Code": CODE,
    "Another number": NUMBER,
    "Sign in": SIGNIN,
    "Forgotten passwords": RECOVERY,
    "Numbers and recovery codes": PHONES,
    "Account": ACCOUNT,
    "The account’s own pages": OWN_PAGES,
    "Passkeys": PASSKEYS,
    "Links in emails": LINKS,
    "Errors": ERRORS,
    "Pieces": PIECES,
}
STATES = (
    SIGNUP
    | CODE
    | NUMBER
    | SIGNIN
    | RECOVERY
    | PHONES
    | ACCOUNT
    | OWN_PAGES
    | PASSKEYS
    | LINKS
    | ERRORS
    | PIECES
)


# --- the pages -------------------------------------------------------------------------------


async def index(request: Request) -> Response:
    """What there is to look at."""
    return respond(request, render(request, "sandbox/gallery.html", groups=GROUPS, emails=SAMPLES))


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
