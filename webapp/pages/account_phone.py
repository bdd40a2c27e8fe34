"""Another number for the account: the password, then a code from each of the two phones."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.recovery import NewPhoneForm, PhoneCodesForm
from webapp.accounts.journeys import change_phone as journey
from webapp.accounts.journeys.change_phone import OldCodeRefused, Pair, SameNumber
from webapp.accounts.journeys.prove_again import AnsweredBefore
from webapp.accounts.people import phones
from webapp.accounts.people.sessions import Owner
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import whole_seconds
from webapp.pages import code_step, phone, state
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

TEMPLATE, CODE_TEMPLATE = "account/phone.html", "account/phone_code.html"
SAME = "This is the number that your account has"


async def show(request: Request) -> Response:
    owner = await require_owner(request)
    return render(request, owner.user, NewPhoneForm(country=owner.user.country))


async def submit(request: Request) -> Response:
    """Check the password and have both codes sent; the same form twice at once is sent on."""
    try:
        return await _begin(request, await require_owner(request))
    except AnsweredBefore as before:
        return await go_on(request, before.token, ACCOUNT_PHONE_CODE)


async def _begin(request: Request, owner: Owner) -> Response:
    site, user = state.site(request), owner.user
    form = NewPhoneForm.parse(await posted(request), site.countries)
    if not form.valid:
        return render(request, user, form)
    try:
        await throttle(request, "resends")
        begun = await journey.begin(site, owner, form)
    except SameNumber:
        form.errors["phone"] = SAME
        return render(request, user, form)
    except USER_ERRORS as error:
        return render(request, user, form, problem(error))
    if begun.error is None:
        return await go_on(request, begun.token, ACCOUNT_PHONE_CODE)
    response = render(request, user, form, problem(begun.error))
    state.cookie(request).write(response, begun.token)  # another one, as the password was right
    return response


async def show_code(request: Request) -> Response:
    owner = await require_owner(request)
    pair = await require_pair(request, owner)
    return render_code(request, pair, notice=await take_notice(request, owner.session))


async def submit_code(request: Request) -> Response:
    owner, site = await require_owner(request), state.site(request)
    pair = await require_pair(request, owner)
    form = PhoneCodesForm.parse(await posted(request))
    if not form.valid:
        return render_code(request, pair, form)
    try:
        await throttle(request, "checks")
        await journey.change_phone(site, owner, pair, form)
    except OldCodeRefused as refused:
        stopped = problem(refused.error, checking=True)
        if stopped.field == "code":
            stopped = replace(stopped, field="old_code")
        return render_code(request, pair, form, stopped)
    except USER_ERRORS as error:
        return render_code(request, pair, form, problem(error, checking=True))
    return await go_on(request, owner.token, ACCOUNT, Told.PHONE_CHANGED)


async def resend(request: Request) -> Response:
    owner, site = await require_owner(request), state.site(request)
    pair = await require_pair(request, owner)
    try:
        await throttle(request, "resends")
        await journey.resend(site, owner.user, pair)
    except USER_ERRORS as error:
        stopped = problem(error, has_code=True)
        return render_code(request, pair, problem=stopped)
    return await go_on(request, owner.token, ACCOUNT_PHONE_CODE, Told.CODES_TEXTED)


async def require_pair(request: Request, owner: Owner) -> Pair:
    """The change that waits for its codes.

    Raises ``Redirect`` to its form where there is none, or where the password was last entered too
    long ago.
    """
    pair = await journey.pending(owner.user)
    if pair is None or not owner.proved_recently(state.site(request).clock()):
        raise Redirect(ACCOUNT_PHONE)
    return pair


def render(
    request: Request, user: User, form: NewPhoneForm, problem: Problem | None = None
) -> Response:
    shown = phone.context(user, form, state.site(request).countries)
    return form_page(request, TEMPLATE, ACCOUNT_PHONE, form, shown, problem)


def render_code(
    request: Request,
    pair: Pair,
    form: PhoneCodesForm | None = None,
    problem: Problem | None = None,
    notice: str | None = None,
) -> Response:
    shown = code_context(pair, state.site(request).clock(), notice)
    form = form or PhoneCodesForm()
    return form_page(request, CODE_TEMPLATE, ACCOUNT_PHONE_CODE, form, shown, problem)


def code_context(pair: Pair, now: datetime, notice: str | None = None) -> dict[str, Any]:
    """What the template of the two codes needs besides the form."""
    old, new = pair
    return code_step.context(new, now, ONLY_TEXTS, notice) | {
        "old_phone_end": phones.end(old.phone),
        "old_state": old.status(now),
        "resend_url": "/account/phone/resend",
        "resend_in": whole_seconds(min(each.wait_for_send(now) for each in pair)),
    }
