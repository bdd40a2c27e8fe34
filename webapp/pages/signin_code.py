"""Sign in, step 2: the code on the phone, unless this browser is remembered."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.forms import typed
from webapp.accounts.forms.code import CodeForm
from webapp.accounts.journeys.sign_in import CodeEntered, enter_code
from webapp.accounts.people.sessions import Stage, Visitor
from webapp.accounts.people.users import User
from webapp.pages import state
from webapp.pages.step import (
    CONTINUE,
    HOME,
    SIGNIN,
    SIGNIN_CODE,
    Redirect,
    find_visitor,
    form_page,
    go,
    take_notice,
    throttle,
)
from webapp.pages.verification import context, recovered_token, send_again
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.web.form import posted

TEMPLATE = "steps/signin_code.html"


async def require_half_signed_in(request: Request) -> Visitor:
    """The person who entered a password. Raises ``Redirect`` to the step of this browser."""
    visitor = await find_visitor(request, Stage.SIGN_IN)
    if visitor is None:
        raise Redirect(HOME if await find_visitor(request) else SIGNIN)
    return visitor


async def show(request: Request) -> Response:
    visitor = await require_half_signed_in(request)
    return render(request, *visitor[:2], notice=await take_notice(request, visitor.session))


async def submit(request: Request) -> Response:
    fields, token = await posted(request), state.cookie(request).read(request)
    form, remember = CodeForm.parse(fields), typed(fields, "remember") == "1"
    try:
        visitor = await require_half_signed_in(request)
    except Redirect:
        if answer := await _answer_again(request, form, token):
            return answer
        raise
    if not form.valid:
        return render(request, *visitor[:2], form)
    try:
        await throttle(request, "checks")
        known, site = state.browser_cookie(request).read(request), state.site(request)
        entered = await enter_code(site, visitor, form.digits, token, known, remember=remember)
    except USER_ERRORS as error:
        return render(request, *visitor[:2], form, problem(error, checking=True))
    return _onward(request, entered)


async def _answer_again(request: Request, form: CodeForm, former: str) -> Response | None:
    """The answer to the right code, for a browser that never got it and sends the code again."""
    token = await recovered_token(request, form, former)
    return _onward(request, CodeEntered(token)) if token else None


def _onward(request: Request, entered: CodeEntered) -> Response:
    response = go(CONTINUE)
    state.cookie(request).write(response, entered.token)
    if entered.browser:
        state.browser_cookie(request).write(response, entered.browser)
    return response


async def resend(request: Request) -> Response:
    return await send_again(request, await require_half_signed_in(request), render, SIGNIN_CODE)


def render(
    request: Request,
    user: User,
    verification: Verification,
    form: CodeForm | None = None,
    problem: Problem | None = None,
    notice: str | None = None,
) -> Response:
    """The code's step as it stands for this person."""
    site = state.site(request)
    shown = context(user, verification, site.clock(), site.verifier.channels, notice)
    return form_page(request, TEMPLATE, SIGNIN_CODE, form or CodeForm(), shown, problem)
