"""Step 2: the code on the phone."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.code import CodeForm
from webapp.accounts.journeys.complete_sign_up import EmailTaken, enter_code
from webapp.accounts.people import sessions
from webapp.accounts.people.sessions import Visitor
from webapp.pages import account, state
from webapp.pages.code_step import CodeStep
from webapp.pages.step import ACCOUNT, PHONE, VERIFICATION, go, require_pending_visitor
from webapp.web.templates import is_fragment


async def enter(request: Request, visitor: Visitor, form: CodeForm) -> Response:
    (user, verification, _), former = visitor, state.cookie(request).read(request)
    try:
        token: str | None = await enter_code(
            state.site(request), user, verification, form.digits, former
        )
    except EmailTaken:
        token = None
    return await on_to_the_account(request, visitor, token)


async def answer_again(request: Request, token: str) -> Response | None:
    site = state.site(request)
    visitor = await sessions.visitor(token, site.clock(), site.session_life)
    return await on_to_the_account(request, visitor, token) if visitor else None


async def on_to_the_account(request: Request, visitor: Visitor, token: str | None) -> Response:
    """The account step, for a browser that has the session ``token``, if there is a new one."""
    if is_fragment(request):
        response = await account.render(request, *visitor)
    else:
        response = go(ACCOUNT)
    if token:
        state.cookie(request).write(response, token)
    return response


STEP = CodeStep(
    template="steps/verification.html",
    url=VERIFICATION,
    resend_url="/verification/resend",
    change_url=PHONE,
    require=require_pending_visitor,
    enter=enter,
    answer_again=answer_again,
)
