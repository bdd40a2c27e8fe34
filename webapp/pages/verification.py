"""Step 2: the code on the phone, and sending it again."""

from collections.abc import Callable, Set
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.forms import typed
from webapp.accounts.forms.code import CodeForm
from webapp.accounts.journeys.complete_sign_up import (
    EmailTaken,
    enter_code,
    recover_session,
)
from webapp.accounts.journeys.prove_phone import resend_code
from webapp.accounts.people import phones, sessions
from webapp.accounts.people.sessions import Visitor
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import LimitExceeded, whole_seconds
from webapp.pages import account, delivery, state
from webapp.pages.step import (
    ACCOUNT,
    VERIFICATION,
    Redirect,
    form_page,
    go,
    go_on,
    require_pending_visitor,
    take_notice,
    throttle,
)
from webapp.pages.words import SENT_AGAIN, USER_ERRORS, Problem, problem
from webapp.providers import Channel
from webapp.web.form import posted
from webapp.web.templates import is_fragment

TEMPLATE = "steps/verification.html"


async def show(request: Request) -> Response:
    user, verification, session = await require_pending_visitor(request)
    return render(request, user, verification, notice=await take_notice(request, session))


async def submit(request: Request) -> Response:
    form, token = CodeForm.parse(await posted(request)), state.cookie(request).read(request)
    try:
        visitor = await require_pending_visitor(request)
    except Redirect:
        if answer := await answer_again(request, form, token):
            return answer
        raise
    user, verification, _ = visitor
    if not form.valid:
        return render(request, user, verification, form)
    try:
        await throttle(request, "checks")
        next_token = await enter_code(state.site(request), user, verification, form.digits, token)
    except EmailTaken:
        return await on_to_the_account(request, visitor, None)
    except USER_ERRORS as error:
        return render(request, user, verification, form, problem(error, checking=True))
    return await on_to_the_account(request, visitor, next_token)


async def answer_again(request: Request, form: CodeForm, former: str) -> Response | None:
    """The answer to the right code, for a browser that never got it and sends the code again."""
    token = await recovered_token(request, form, former)
    site = state.site(request)
    visitor = await sessions.visitor(token, site.clock(), site.session_life) if token else None
    return await on_to_the_account(request, visitor, token) if visitor else None


async def recovered_token(request: Request, form: CodeForm, former: str) -> str | None:
    """The token that the session ``former`` became by this code, within limits of its own."""
    if not (former and form.valid):
        return None
    try:
        await throttle(request, "checks")
        await throttle(request, "answers", former)
    except LimitExceeded:
        return None
    return await recover_session(state.site(request), former, form.digits)


async def on_to_the_account(request: Request, visitor: Visitor, token: str | None) -> Response:
    """The account step, for a browser that has the session ``token``, if there is a new one."""
    if is_fragment(request):
        response = await account.render(request, *visitor)
    else:
        response = go(ACCOUNT)
    if token:
        state.cookie(request).write(response, token)
    return response


async def resend(request: Request) -> Response:
    return await send_again(request, await require_pending_visitor(request), render, VERIFICATION)


async def send_again(
    request: Request, visitor: Visitor, render: Callable[..., Response], url: str
) -> Response:
    """Send the code again by the channel that the form asks for; answer with the step at ``url``.

    A channel that codes cannot take is a text. ``render`` is the step's own.
    """
    (user, verification, _), site = visitor, state.site(request)
    wanted = typed(await posted(request), "channel")
    channel = Channel(wanted) if wanted in site.verifier.channels else Channel.SMS
    has_code = not verification.never_sent
    try:
        await throttle(request, "resends")
        await resend_code(site, user, verification, channel)
    except USER_ERRORS as error:
        return render(request, user, verification, problem=problem(error, has_code=has_code))
    return await go_on(request, state.cookie(request).read(request), url, SENT_AGAIN[channel])


def render(
    request: Request,
    user: User,
    verification: Verification,
    form: CodeForm | None = None,
    problem: Problem | None = None,
    notice: str | None = None,
) -> Response:
    """The code step as it stands for this person."""
    site = state.site(request)
    shown = context(user, verification, site.clock(), site.verifier.channels, notice)
    return form_page(request, TEMPLATE, VERIFICATION, form or CodeForm(), shown, problem)


def context(
    user: User,
    verification: Verification,
    now: datetime,
    channels: Set[Channel],
    notice: str | None = None,
) -> dict[str, Any]:
    """What the template needs besides the form; ``channels`` are those that codes can take."""
    return {
        "phone": phones.readable(user.phone),
        "phone_end": phones.end(user.phone),
        "state": verification.status(now),
        "checks_left": verification.checks_left,
        "resend_in": whole_seconds(verification.wait_for_send(now)),
        **delivery.context(verification, now, channels),
        "can_whatsapp": Channel.WHATSAPP in channels and not verification.never_sent,
        "notice": notice,
    }
