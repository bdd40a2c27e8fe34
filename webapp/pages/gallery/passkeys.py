"""Every state of the pages with passkeys. Development only."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from webapp.accounts.challenges.ceremonies import PasskeyRefused
from webapp.accounts.forms.change import ProofForm
from webapp.accounts.forms.passkey import Failure, PasskeyForm
from webapp.accounts.forms.signin import SigninForm
from webapp.accounts.journeys.keep_passkeys import PasskeyTaken
from webapp.accounts.journeys.prove_again import WrongCurrentPassword
from webapp.accounts.journeys.use_passkey import PasskeyExpired
from webapp.accounts.people.passkeys import Passkey
from webapp.accounts.policy.rules import PasskeysSpent
from webapp.pages import account_passkeys, account_proof, signin
from webapp.pages.gallery.state import State
from webapp.pages.passkey_words import NoPasskey, PasskeyError, problem
from webapp.pages.step import PASSKEYS as PAGE
from webapp.pages.step import form_context
from webapp.pages.words import TOLD, Told

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
ADDED = (
    Passkey(credential_id="a", name="My laptop", created_at=WHEN, last_used_at=WHEN),
    Passkey(credential_id="b", name="Telephone", created_at=WHEN),
)


def _signin(words: str, error: PasskeyError) -> State:
    """The form to sign in, after a passkey did not."""
    return State(words, signin.TEMPLATE, lambda: form_context(SigninForm(), problem(error)))


def _page(
    words: str,
    error: PasskeyError | None = None,
    *,
    present: Sequence[Passkey] = ADDED,
    proved: bool = True,
    notice: str | None = None,
    **form: Any,
) -> State:
    """The account's page of passkeys."""

    def context() -> dict[str, Any]:
        stopped = problem(error, adding=True) if error else None
        shown = account_passkeys.context(present, proved=proved, notice=notice)
        return form_context(PasskeyForm(**form), stopped) | shown

    return State(words, account_passkeys.TEMPLATE, context)


def _proof(
    words: str, error: PasskeyError | None = None, *, has_passkey: bool = True, **form: Any
) -> State:
    def context() -> dict[str, Any]:
        stopped = problem(error) if error else None
        shown = account_proof.context(PAGE, has_passkey=has_passkey)
        return form_context(ProofForm(**form), stopped) | shown

    return State(words, account_proof.TEMPLATE, context)


PASSKEYS = {
    "signin-no-passkeys": State(
        "Sign in, at an address where there can be none",
        signin.TEMPLATE,
        lambda: form_context(SigninForm(), None) | {"offers_passkeys": False},
    ),
    "passkey-no-scripts": _signin("Sign in: no scripts", NoPasskey(Failure.NO_SCRIPTS)),
    "passkey-cancelled": _signin("Sign in: cancelled", NoPasskey(Failure.CANCELLED)),
    "passkey-timed-out": _signin("Sign in: too slow for it", NoPasskey(Failure.TIMED_OUT)),
    "passkey-expired": _signin("Sign in: too slow for us", PasskeyExpired()),
    "passkey-wrong-address": _signin(
        "Sign in: another address of ours", NoPasskey(Failure.WRONG_ADDRESS)
    ),
    "passkey-unsupported": _signin(
        "Sign in: a browser without passkeys", NoPasskey(Failure.UNSUPPORTED)
    ),
    "passkey-not-asked": _signin("Sign in: nothing came from us", NoPasskey(Failure.NOT_ASKED)),
    "passkey-other": _signin("Sign in: what else a browser says", NoPasskey(Failure.UNKNOWN)),
    "passkey-unknown": _signin("Sign in: unknown or false", PasskeyRefused()),
    "account-passkeys": _page("Two passkeys"),
    "account-passkeys-none": _page("None yet", present=()),
    "account-passkeys-to-prove": _page("Long after signing in", proved=False),
    "account-passkeys-added": _page("Just added", notice=TOLD[Told.PASSKEY_ADDED]),
    "account-passkeys-removed": _page(
        "Just removed", present=ADDED[1:], notice=TOLD[Told.PASSKEY_REMOVED]
    ),
    "account-passkeys-here": _page(
        "This device has one", NoPasskey(Failure.ALREADY_THERE), name="Laptop"
    ),
    "account-passkeys-cancelled": _page("Cancelled", NoPasskey(Failure.CANCELLED)),
    "account-passkeys-timed-out": _page("Too slow for the browser", NoPasskey(Failure.TIMED_OUT)),
    "account-passkeys-expired": _page("Too slow for us", PasskeyExpired()),
    "account-passkeys-no-scripts": _page("Without scripts", NoPasskey(Failure.NO_SCRIPTS)),
    "account-passkeys-unsupported": _page("A browser without", NoPasskey(Failure.UNSUPPORTED)),
    "account-passkeys-wrong-address": _page(
        "At another address of ours", NoPasskey(Failure.WRONG_ADDRESS)
    ),
    "account-passkeys-not-asked": _page("No challenge from us", NoPasskey(Failure.NOT_ASKED)),
    "account-passkeys-other": _page("What else a browser says", NoPasskey(Failure.UNKNOWN)),
    "account-passkeys-unusable": _page("Not made for us", PasskeyRefused()),
    "account-passkeys-taken": _page("Another account’s", PasskeyTaken()),
    "account-passkeys-spent": _page("Too many", PasskeysSpent()),
    "account-passkeys-impossible": State(
        "At an address where there can be none",
        account_passkeys.TEMPLATE,
        lambda: {**_page("").context(), "offers_passkeys": False},
    ),
    "account-proof": _proof("Proof, before a change"),
    "account-proof-no-passkey": _proof("Proof, without a passkey", has_passkey=False),
    "account-proof-wrong": _proof("Proof: the password is another", WrongCurrentPassword()),
    "account-proof-unknown": _proof("Proof: not a passkey of this account", PasskeyRefused()),
}
