"""The gallery's states of the pages for who cannot sign in."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData

from webapp.accounts.forms.recovery import ForgotForm, ResetForm
from webapp.accounts.journeys.check_code import WrongCode
from webapp.accounts.journeys.new_password import BreachedPassword
from webapp.accounts.journeys.recover import Reset
from webapp.accounts.policy import rules
from webapp.accounts.policy.rules import CHECKS_PER_VERIFICATION
from webapp.pages import forgot, reset
from webapp.pages.gallery.state import (
    EXPIRED,
    MINUTES,
    NOW,
    SECONDS,
    TYPED,
    UNSENT,
    State,
    person,
    sent_code,
    with_error,
)
from webapp.pages.words import TOLD, Told, UserError
from webapp.providers import Channel, Unreachable

RESET_URL = "/password/reset/token"


def _forgot(
    words: str, stage: str, typed: Mapping[str, str] | None = None, error: UserError | None = None
) -> State:
    def context() -> dict[str, Any]:
        form = ForgotForm() if typed is None else ForgotForm.parse(FormData(typed))
        return with_error(form, error) | forgot.context(stage)

    return State(words, forgot.TEMPLATE, context)


def _reset(
    words: str,
    error: UserError | None = None,
    typed: Mapping[str, str] | None = None,
    *,
    notice: str | None = None,
    sent: bool = True,
    **unusual: Any,
) -> State:
    """The page behind the link; ``sent`` says whether a code was asked for."""

    def context() -> dict[str, Any]:
        form = ResetForm() if typed is None else ResetForm.parse(FormData(typed))
        opened = Reset(person(verified_at=NOW), sent_code(**unusual) if sent else None)
        shown = reset.context(opened, RESET_URL, NOW, frozenset(Channel), notice)
        return with_error(form, error, checking=typed is not None) | shown

    return State(words, reset.TEMPLATE, context)


CODE = {"code": "123456", "password": TYPED["password"]}
RECOVERY = {
    "forgot": _forgot("Empty", "form"),
    "forgot-malformed": _forgot("No email address", "form", {"email": "ada@"}),
    "forgot-too-soon": _forgot(
        "Asked too soon", "form", {"email": TYPED["email"]}, rules.EmailCoolingDown(5 * SECONDS)
    ),
    "forgot-spent": _forgot(
        "Asked too often", "form", {"email": TYPED["email"]}, rules.EmailsSpent(60 * MINUTES)
    ),
    "forgot-sent": _forgot("The link is on its way", "sent"),
    "forgot-unoffered": _forgot("A site that sends no email", "unoffered"),
    "reset": _reset("The link is opened", sent=False),
    "reset-code": _reset("The code is on its way"),
    "reset-resent": _reset("Sent again", notice=TOLD[Told.CODE_TEXTED]),
    "reset-wrong": _reset("Wrong code", WrongCode(3), CODE, checks=2),
    "reset-missing": _reset("Sent with nothing in it", typed={}),
    "reset-breached": _reset("Password known from a breach", BreachedPassword(), CODE),
    "reset-unsent": _reset("Text service down", Unreachable(maybe_sent=False), **UNSENT),
    "reset-expired": _reset("Code expired", **EXPIRED),
    "reset-exhausted": _reset(
        "Too many wrong codes", checks=CHECKS_PER_VERIFICATION, expires_at=NOW + MINUTES
    ),
    "reset-over": State("A link used or too old", reset.TEMPLATE, lambda: reset.OVER),
}
