"""The password is forgotten, step 1: an email with a link, for whoever has an account."""

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.links import LIFETIMES, Purpose
from webapp.accounts.forms.recovery import ForgotForm
from webapp.accounts.journeys.recover import send_link
from webapp.pages import state
from webapp.pages.step import FORGOT, FORGOT_SENT, form_page, go, throttle
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.web.form import posted
from webapp.web.templates import page

MINUTE = timedelta(minutes=1)
TEMPLATE = "recovery/forgot.html"
LINK_MINUTES = LIFETIMES[Purpose.RESET_PASSWORD] // MINUTE


async def show(request: Request) -> Response:
    return render(request, ForgotForm())


async def submit(request: Request) -> Response:
    """Send a link. The answer is the same whether there is an account or not."""
    form, site = ForgotForm.parse(await posted(request)), state.site(request)
    if site.emails is None or not form.valid:
        return render(request, form)
    try:
        await throttle(request, "resends")
        await send_link(site, site.emails, form)
    except USER_ERRORS as error:
        return render(request, form, problem(error))
    return go(FORGOT_SENT)


async def show_sent(request: Request) -> Response:
    return page(request, TEMPLATE, url=FORGOT_SENT, problem=None, **context("sent"))


def render(request: Request, form: ForgotForm, problem: Problem | None = None) -> Response:
    stage = "form" if state.site(request).emails else "unoffered"
    return form_page(request, TEMPLATE, FORGOT, form, context(stage), problem)


def context(stage: str) -> dict[str, Any]:
    """What the template needs besides the form: ``form``, ``sent`` or ``unoffered``."""
    return {"state": stage, "link_minutes": LINK_MINUTES}
