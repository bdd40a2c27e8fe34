"""Another number for the account, step 2: the codes of the two phones."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.recovery import PhoneCodesForm
from webapp.accounts.journeys import change_phone as journey
from webapp.accounts.journeys.change_phone import OldCodeRefused, Pair
from webapp.accounts.people import phones
from webapp.accounts.people.sessions import Owner
from webapp.accounts.policy.rules import whole_seconds
from webapp.pages import code_step, state
from webapp.pages.code_step import ONLY_TEXTS
from webapp.pages.step import (
    ACCOUNT,
    ACCOUNT_PHONE,
    ACCOUNT_PHONE_CODE,
    Redirect,
    form_page,
    go_on,
    require_owner,
    take_notice,
    throttle,
)
from webapp.pages.words import USER_ERRORS, Problem, Told, problem
from webapp.web.form import posted

TEMPLATE = "account/phone_code.html"


async def show(request: Request) -> Response:
    owner, pair = await require_change(request)
    return render(request, pair, notice=await take_notice(request, owner.session))


async def submit(request: Request) -> Response:
    site, (owner, pair) = state.site(request), await require_change(request)
    form = PhoneCodesForm.parse(await posted(request))
    if not form.valid:
        return render(request, pair, form)
    try:
        await throttle(request, "checks")
        await journey.change_phone(site, owner, pair, form)
    except OldCodeRefused as refused:
        stopped = problem(refused.error, checking=True)
        if stopped.field == "code":
            stopped = replace(stopped, field="old_code")
        return render(request, pair, form, stopped)
    except USER_ERRORS as error:
        return render(request, pair, form, problem(error, checking=True))
    return await go_on(request, owner.token, ACCOUNT, Told.PHONE_CHANGED)


async def resend(request: Request) -> Response:
    site, (owner, pair) = state.site(request), await require_change(request)
    try:
        await throttle(request, "resends")
        await journey.resend(site, owner.user, pair)
    except USER_ERRORS as error:
        return render(request, pair, problem=problem(error, has_code=True))
    return await go_on(request, owner.token, ACCOUNT_PHONE_CODE, Told.CODES_TEXTED)


async def require_change(request: Request) -> tuple[Owner, Pair]:
    """The person who is signed in, and the change that waits for its codes.

    Raises ``Redirect`` to its form where there is none, or where the password was last entered too
    long ago.
    """
    owner = await require_owner(request)
    pair = await journey.pending(owner.user)
    if pair is None or not owner.proved_recently(state.site(request).clock()):
        raise Redirect(ACCOUNT_PHONE)
    return owner, pair


def render(
    request: Request,
    pair: Pair,
    form: PhoneCodesForm | None = None,
    problem: Problem | None = None,
    notice: str | None = None,
) -> Response:
    shown = context(pair, state.site(request).clock(), notice)
    form = form or PhoneCodesForm()
    return form_page(request, TEMPLATE, ACCOUNT_PHONE_CODE, form, shown, problem)


def context(pair: Pair, now: datetime, notice: str | None = None) -> dict[str, Any]:
    """What the template of the two codes needs besides the form."""
    old, new = pair
    return code_step.context(new, now, ONLY_TEXTS, notice) | {
        "old_phone_end": phones.end(old.phone),
        "old_state": old.status(now),
        "resend_url": "/account/phone/resend",
        "resend_in": whole_seconds(min(each.wait_for_send(now) for each in pair)),
    }
