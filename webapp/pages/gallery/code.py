"""The states of the code step, and of signing in."""

from collections.abc import Mapping, Set
from functools import partial
from typing import Any

from starlette.datastructures import FormData

from webapp.accounts.forms.code import CodeForm
from webapp.accounts.forms.signin import SigninForm
from webapp.accounts.journeys.check_code import CodeExpired, WrongCode
from webapp.accounts.journeys.sign_in import WrongPassword
from webapp.accounts.policy import rules
from webapp.accounts.policy.rules import (
    CHECKS_PER_VERIFICATION,
    SENDS_PER_VERIFICATION,
)
from webapp.pages import (
    signin,
    signin_code,
    verification,
)
from webapp.pages.code_step import CodeStep
from webapp.pages.gallery.state import (
    EXPIRED,
    MINUTES,
    NOW,
    READY,
    SECONDS,
    TYPED,
    UNSENT,
    State,
    sent_code,
    with_error,
)
from webapp.pages.words import TOLD, Told, UserError
from webapp.providers import (
    Channel,
    CircuitOpen,
    DeliveryState,
    Misconfigured,
    Unreachable,
)


def _code(
    words: str,
    error: UserError | None = None,
    typed: str | None = None,
    *,
    step: CodeStep = verification.STEP,
    notice: str | None = None,
    channels: Set[Channel] = frozenset({Channel.SMS, Channel.CALL}),
    **unusual: Any,
) -> State:
    """The code step; ``typed`` is what was sent as a code, ``unusual`` how its verification is."""

    def context() -> dict[str, Any]:
        form = CodeForm() if typed is None else CodeForm.parse(FormData(code=typed))
        shown = step.context(sent_code(**unusual), NOW, channels, notice)
        return with_error(form, error, checking=typed is not None) | shown

    return State(words, step.template, context)


def _signin(
    words: str, typed: Mapping[str, str] | None = None, error: UserError | None = None
) -> State:
    def context() -> dict[str, Any]:
        form = SigninForm.parse(FormData(typed)) if typed is not None else SigninForm()
        return with_error(form, error)

    return State(words, signin.TEMPLATE, context)


_signin_code = partial(_code, step=signin_code.STEP)


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
