"""Step 1: who you are."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms import LONGEST
from webapp.accounts.forms.signup import SignupForm
from webapp.accounts.journeys.sign_up import SignedUp, sign_up
from webapp.accounts.people import sessions
from webapp.accounts.policy.rules import Throttled, WorkNeeded
from webapp.pages import state, verification, work
from webapp.pages.locale import country_of
from webapp.pages.phone import number_context
from webapp.pages.step import (
    HOME,
    SIGNUP,
    VERIFICATION,
    Redirect,
    find_visitor,
    form_page,
    go,
    throttle,
)
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.web.form import posted
from webapp.web.templates import is_fragment

TEMPLATE = "steps/signup.html"


async def show(request: Request) -> Response:
    """The form. An application may fill in the email address, and say where the person goes on."""
    query = request.query_params
    onward = state.return_to(request, query.get("return_to", ""))
    if visitor := await find_visitor(request):
        raise Redirect(onward or HOME if visitor.user.verified_at else HOME)
    country = country_of(request.headers, state.site(request).countries)
    if onward or "login_hint" in query:
        email = query.get("login_hint", "")[:LONGEST]
        return render(request, SignupForm(country=country, email=email, return_to=onward))
    # The empty form is the same for all of one country. Rendered for each it takes 5.6 ms, a third
    # of what a whole journey costs this process besides its hash; from the cache, 0.1.
    return state.empty_forms(request).answer(
        request, country, lambda: render(request, SignupForm(country=country))
    )


async def submit(request: Request) -> Response:
    site, visitor = state.site(request), await find_visitor(request)
    fields = await posted(request)
    form = SignupForm.read(fields)
    form.return_to = state.return_to(request, form.return_to)
    try:
        await throttle(request, "forms", form=form)
    except Throttled as error:
        return render(request, form, problem(error))
    form.check(site.countries, site.name)
    if visitor and visitor.user.verified_at:
        raise Redirect(HOME)  # under form-action, no form leads to another host
    if not form.valid:
        return render(request, form)
    browser = state.browser(request, form.return_to)
    try:
        worked = await work.was_proven(request, form.profile()["phone"])
        if not worked:  # or it was counted when the work was asked for
            await throttle(request, "signups", form=form)
        network = state.networks(request)[0]
        signed_up = await sign_up(site, form, visitor, browser, network, worked=worked)
    except WorkNeeded:
        asked = await work.ask(request, form.profile()["phone"])
        return render(request, form, asked.problem, asked)
    except USER_ERRORS as error:
        return render(request, form, problem(error))
    return await on_to_the_code(request, signed_up)


async def on_to_the_code(request: Request, signed_up: SignedUp) -> Response:
    """The code step, for a browser that has the new session instead of any former one."""
    _, pending, token = signed_up
    response = (
        verification.STEP.render(request, pending) if is_fragment(request) else go(VERIFICATION)
    )
    if token:
        cookie = state.cookie(request)
        if former := cookie.read(request):
            await sessions.close_session(former)  # ASVS 7.2.4
        cookie.write(response, token)
    return response


def render(
    request: Request,
    form: SignupForm,
    problem: Problem | None = None,
    asked: work.Asked | None = None,
) -> Response:
    """The form again, with all that was typed but the password."""
    allowed = state.site(request).countries
    return form_page(request, TEMPLATE, SIGNUP, form, context(form, allowed, asked), problem)


def context(
    form: SignupForm, allowed: frozenset[str], asked: work.Asked | None = None
) -> dict[str, Any]:
    """What the template needs besides the form; ``allowed`` countries, all when empty.

    ``asked`` is the proof of work that it asks for, if it does.
    """
    return {"work": asked, **number_context(form.country, allowed)}
