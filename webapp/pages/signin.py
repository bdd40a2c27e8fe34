"""Sign in, step 1: email and password. And where the person goes on to, once signed in."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms import LONGEST
from webapp.accounts.forms.signin import SigninForm
from webapp.accounts.journeys.sign_in import SignedIn, sign_in
from webapp.accounts.people import sessions
from webapp.pages import signin_code, state
from webapp.pages.step import (
    CONTINUE,
    HOME,
    SIGNIN,
    SIGNIN_CODE,
    Redirect,
    find_visitor,
    form_page,
    go,
    throttle,
)
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.web.form import posted
from webapp.web.templates import is_fragment, page

TEMPLATE, ONWARD_TEMPLATE = "steps/signin.html", "steps/continue.html"


async def show(request: Request) -> Response:
    """The form. ``prompt=login`` has people sign in again who are signed in already."""
    query = request.query_params
    onward = state.return_to(request, query.get("return_to", ""))
    visitor = await find_visitor(request)
    if visitor and visitor.user.verified_at and query.get("prompt") != "login":
        raise Redirect(onward or HOME)
    return render(
        request, SigninForm(email=query.get("login_hint", "")[:LONGEST], return_to=onward)
    )


async def submit(request: Request) -> Response:
    form, site = SigninForm.parse(await posted(request)), state.site(request)
    form.return_to = state.return_to(request, form.return_to)
    if not form.valid:
        return render(request, form)
    browser = state.browser(request, form.return_to)
    try:
        await throttle(request, "signins")
        remembered = state.browser_cookie(request).read(request)
        signed_in = await sign_in(site, form, browser, remembered)
    except USER_ERRORS as error:
        return render(request, form, problem(error))
    return await enter(request, signed_in)


async def enter(request: Request, signed_in: SignedIn) -> Response:
    """To the code's step or onward, with the new session instead of any former one."""
    cookie = state.cookie(request)
    if former := cookie.read(request):
        await sessions.close_session(former)  # ASVS 7.2.4
    _, token, verification, error, known = signed_in
    if verification is None:
        response = go(CONTINUE)
    elif is_fragment(request) or error:
        stopped = problem(error) if error else None
        response = signin_code.STEP.render(request, verification, problem=stopped)
    else:
        response = go(SIGNIN_CODE)
    cookie.write(response, token)
    if known:
        state.browser_cookie(request).write(response, known)
    return response


async def show_onward(request: Request) -> Response:
    """Where the person came from.

    A page of its own, because under ``form-action 'self'`` Chromium lets no form's redirect lead
    to another host: this page is loaded first, and the browser goes on from it by GET.
    """
    visitor, now = await find_visitor(request), state.site(request).clock()
    onward = sessions.return_to(visitor.session, now) if visitor else ""
    if not onward:
        raise Redirect(HOME)
    response = page(request, ONWARD_TEMPLATE, url=CONTINUE, onward=onward)
    response.headers["Refresh"] = f"0; url={onward}"  # for whole pages; app.js sees to a fragment
    return response


def render(request: Request, form: SigninForm, problem: Problem | None = None) -> Response:
    """The form again, with the email that was typed."""
    return form_page(request, TEMPLATE, SIGNIN, form, {}, problem)
