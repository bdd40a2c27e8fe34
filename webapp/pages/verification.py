"""Step 2: the code on the phone; sending it again; another number."""

from math import ceil
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges import verifications
from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.forms import CodeForm, PhoneForm, typed
from webapp.accounts.journeys.flow import EmailTaken
from webapp.accounts.people import phones, sessions
from webapp.accounts.people.countries import countries
from webapp.accounts.people.users import User
from webapp.pages import account
from webapp.pages.step import (
    ACCOUNT,
    PHONE,
    VERIFICATION,
    cookie,
    flow,
    go,
    pending_visitor,
    throttle_visitor,
)
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.providers import Channel
from webapp.web.form import posted
from webapp.web.templates import is_fragment, page

AGAIN = {
    Channel.SMS: "We have sent the code. It can take a minute to arrive.",
    Channel.CALL: "We are calling you with the code.",
}


async def show(request: Request) -> Response:
    there = await pending_visitor(request)
    if isinstance(there, Response):
        return there
    user, verification = there
    return await render_step(request, user, verification=verification)


async def submit(request: Request) -> Response:
    there, form = await pending_visitor(request), CodeForm.parse(await posted(request))
    if isinstance(there, Response):
        return await _answer_again(request, form) or there
    user, verification = there
    if not form.valid:
        return await render_step(request, user, form, status=422)
    if fault := await throttle_visitor(request, "checks"):
        return await render_errors(request, user, form, fault)
    try:
        former = cookie(request).read(request)
        token = await flow(request).check_code(user, verification, form.digits, former)
    except EmailTaken:
        return _on_to_the_account(request, *there)
    except USER_ERRORS as error:
        return await render_errors(request, user, form, problem(error, checking=True))
    if is_fragment(request):
        await user.refresh_from_db()
    response = _on_to_the_account(request, *there)
    if token:
        cookie(request).write(response, token)
    return response


async def _answer_again(request: Request, form: CodeForm) -> Response | None:
    """The answer to the right code, for a browser that never got it and sends the code again."""
    former = cookie(request).read(request)
    if not (former and form.valid) or await throttle_visitor(request, "checks"):
        return None
    if await request.app.state.throttle.hit("answers", former):
        return None
    token = await flow(request).recover_session(former, form.digits)
    there = await sessions.visitor(token, flow(request).clock()) if token else None
    if not (token and there):
        return None
    response = _on_to_the_account(request, *there)
    cookie(request).write(response, token)
    return response


def _on_to_the_account(request: Request, user: User, verification: Verification) -> Response:
    if is_fragment(request):
        return account.render_step(request, user, verification)
    return go(ACCOUNT)


async def resend(request: Request) -> Response:
    there = await pending_visitor(request)
    if isinstance(there, Response):
        return there
    user, _ = there
    wanted = typed(await posted(request), "channel")
    channel = Channel(wanted) if wanted in flow(request).verifier.channels else Channel.SMS
    if fault := await throttle_visitor(request, "resends"):
        return await render_errors(request, user, CodeForm(), fault)
    try:
        await flow(request).resend_code(user, channel)
    except USER_ERRORS as error:
        return await render_errors(request, user, CodeForm(), problem(error))
    if not is_fragment(request):
        return go(VERIFICATION)
    return await render_step(request, user, notice=AGAIN[channel])


async def show_phone(request: Request) -> Response:
    there = await pending_visitor(request)
    if isinstance(there, Response):
        return there
    user, _ = there
    form = PhoneForm(country=user.country, phone=phones.national(user.phone))
    return _phone_page(request, user, form, 200)


async def submit_phone(request: Request) -> Response:
    there = await pending_visitor(request)
    if isinstance(there, Response):
        return there
    user, _ = there
    fields, settings = await posted(request), request.app.state.settings
    form = PhoneForm.parse(fields, settings.allowed_countries)
    if not form.number:
        return _phone_page(request, user, form, 422)
    if fault := await throttle_visitor(request, "resends"):
        return _phone_page(request, user, form, fault.status, fault)
    try:
        await flow(request).change_phone(user, form.number)
    except USER_ERRORS as error:
        await user.refresh_from_db()  # the number may be the former again
        fault = problem(error)
        return _phone_page(request, user, form, fault.status, fault)
    return await render_step(request, user) if is_fragment(request) else go(VERIFICATION)


async def render_errors(request: Request, user: User, form: CodeForm, fault: Problem) -> Response:
    """The step again, saying what stands in the way."""
    if fault.field == "code":
        form.errors["code"] = fault.words
        return await render_step(request, user, form, status=fault.status)
    return await render_step(
        request, user, form, status=fault.status, problem=fault.words, retry_after=fault.retry_after
    )


async def render_step(
    request: Request,
    user: User,
    form: CodeForm | None = None,
    verification: Verification | None = None,
    **more: Any,
) -> Response:
    """The code step as it stands for this person; ``verification``, if it is known and fresh."""
    verification = verification or await verifications.latest(user)
    now = flow(request).clock()
    more = {"notice": None, "problem": None} | more
    return page(
        request,
        "steps/verification.html",
        url=VERIFICATION,
        form=form or CodeForm(),
        phone=phones.readable(user.phone),
        state=verification.status(now),
        attempts_left=verification.checks_left,
        resend_in=ceil(verification.wait_for_send(now).total_seconds()),
        can_call=Channel.CALL in flow(request).verifier.channels and not verification.never_sent,
        **more,
    )


def _phone_page(
    request: Request, user: User, form: PhoneForm, status: int, fault: Problem | None = None
) -> Response:
    if fault and fault.field:
        form.errors[fault.field] = fault.words
    return page(
        request,
        "steps/phone.html",
        url=PHONE,
        status=status,
        retry_after=fault.retry_after if fault else None,
        form=form,
        countries=countries(request.app.state.settings.allowed_countries),
        example=phones.example(form.country),
        phone=phones.readable(user.phone),
        problem=fault.words if fault and not fault.field else None,
    )
