"""The phone is lost: the code of the new number, with the recovery code."""

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.forms.recovery import LostPhoneForm
from webapp.accounts.journeys.change_phone import new_number
from webapp.accounts.journeys.prove_phone import resend_code
from webapp.accounts.journeys.recovery_code import replace_at_once
from webapp.accounts.people import recovery_codes
from webapp.accounts.people.users import User
from webapp.pages import account_recovery, code_step, state
from webapp.pages.code_step import ONLY_TEXTS
from webapp.pages.lost_phone import require_person
from webapp.pages.step import (
    ACCOUNT,
    LOST_PHONE,
    LOST_PHONE_CODE,
    RECOVERY,
    Redirect,
    form_page,
    go,
    go_on,
    throttle,
)
from webapp.pages.words import TOLD, USER_ERRORS, Problem, Told, problem
from webapp.providers import Channel
from webapp.web.form import posted
from webapp.web.templates import is_fragment, page

TEMPLATE = "recovery/lost_phone_code.html"


async def show(request: Request) -> Response:
    return await render(request, await require_person(request))


async def submit(request: Request) -> Response:
    user, site = await require_person(request), state.site(request)
    form, new = LostPhoneForm.parse(await posted(request)), await require_new_number(user)
    if not form.valid:
        return await render(request, user, form)
    try:
        await throttle(request, "checks")
        session = state.cookie(request).read(request)
        replaced = await replace_at_once(site, user, new, form, session)
    except USER_ERRORS as error:
        return await render(request, user, form, problem(error, checking=True))
    if not replaced.recovery_code:
        return await go_on(request, replaced.token, ACCOUNT, Told.PHONE_CHANGED)
    shown = account_recovery.context(user, replaced.recovery_code, replaced=True)
    response = page(request, account_recovery.TEMPLATE, url=RECOVERY, problem=None, **shown)
    state.cookie(request).write(response, replaced.token)
    return response


async def resend(request: Request) -> Response:
    user, site = await require_person(request), state.site(request)
    new = await require_new_number(user)
    try:
        await throttle(request, "resends")
        await resend_code(site, user, new, Channel.SMS)
    except USER_ERRORS as error:
        return await render(request, user, problem=problem(error, has_code=True))
    if is_fragment(request):
        return await render(request, user, notice=TOLD[Told.CODE_TEXTED])
    return go(LOST_PHONE_CODE)


async def require_new_number(user: User) -> Verification:
    """The number that waits for its code. Raises ``Redirect`` to its form where none does."""
    new = await new_number(user)
    if new is None:
        raise Redirect(LOST_PHONE)
    return new


async def render(
    request: Request,
    user: User,
    form: LostPhoneForm | None = None,
    problem: Problem | None = None,
    notice: str | None = None,
) -> Response:
    """The step as it stands by now for the number of this person. Raises ``Redirect``."""
    new = await require_new_number(user)
    shown = context(new, state.site(request).clock(), notice)
    return form_page(request, TEMPLATE, LOST_PHONE_CODE, form or LostPhoneForm(), shown, problem)


def context(new: Verification, now: datetime, notice: str | None = None) -> dict[str, Any]:
    """What the template of the codes needs besides the form."""
    return code_step.context(new, now, ONLY_TEXTS, notice) | {
        "resend_url": "/phone/lost/resend",
        "recovery_letters": recovery_codes.LENGTH,
    }
