"""The states of the account, of its own pages, and of the links that we email."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.datastructures import FormData

from webapp.accounts.challenges.verifications import Outcome
from webapp.accounts.forms.change import EmailForm, NameForm, PasswordForm, ProofForm, SessionForm
from webapp.accounts.journeys.confirm_email import Confirmation, LinkStatus
from webapp.accounts.journeys.prove_again import ChangedElsewhere, WrongCurrentPassword
from webapp.accounts.policy import rules
from webapp.pages import (
    account,
    account_email,
    account_leave,
    account_name,
    account_password,
    account_sessions,
    email,
)
from webapp.pages.gallery.state import (
    MINUTES,
    NOW,
    SECONDS,
    TYPED,
    State,
    person,
    sent_code,
    with_error,
)
from webapp.pages.words import TOLD, Told, UserError, problem

LONG_EMAIL = f"{'ada' * 20}@{'example' * 8}.com"
LONG_AGO = timedelta(days=90)


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
