"""Sign in, step 2: the code on the phone, unless this browser is remembered."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms import typed
from webapp.accounts.forms.code import CodeForm
from webapp.accounts.journeys.sign_in import CodeEntered, enter_code
from webapp.accounts.people.sessions import Stage, Visitor
from webapp.pages import state
from webapp.pages.code_step import CodeStep
from webapp.pages.step import CONTINUE, HOME, SIGNIN, SIGNIN_CODE, Redirect, find_visitor, go
from webapp.web.form import posted


async def require_half_signed_in(request: Request) -> Visitor:
    """The person who entered a password. Raises ``Redirect`` to the step of this browser."""
    visitor = await find_visitor(request, Stage.SIGN_IN)
    if visitor is None:
        raise Redirect(HOME if await find_visitor(request) else SIGNIN)
    return visitor


async def enter(request: Request, visitor: Visitor, form: CodeForm) -> Response:
    site, token = state.site(request), state.cookie(request).read(request)
    known = state.browser_cookie(request).read(request)
    remember = typed(await posted(request), "remember") == "1"
    entered = await enter_code(site, visitor, form.digits, token, known, remember=remember)
    return onward(request, entered)


async def answer_again(request: Request, token: str) -> Response:
    return onward(request, CodeEntered(token))


def onward(request: Request, entered: CodeEntered) -> Response:
    """On to where the person came from, with the new session."""
    response = go(CONTINUE)
    state.cookie(request).write(response, entered.token)
    if entered.browser:
        state.browser_cookie(request).write(response, entered.browser)
    return response


STEP = CodeStep(
    template="steps/signin_code.html",
    url=SIGNIN_CODE,
    resend_url="/signin/resend",
    require=require_half_signed_in,
    enter=enter,
    answer_again=answer_again,
)
