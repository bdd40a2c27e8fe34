"""Changing the account's email address; `email.py` has the page of the link that confirms it."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.change import EmailForm
from webapp.accounts.journeys.change_email import ask_for_email
from webapp.pages import state
from webapp.pages.step import ACCOUNT, EMAIL, form_page, go_on, require_owner, throttle
from webapp.pages.words import USER_ERRORS, Problem, Told, problem
from webapp.web.form import posted

TEMPLATE = "account/email.html"


async def show(request: Request) -> Response:
    await require_owner(request)
    return render(request, EmailForm())


async def submit(request: Request) -> Response:
    owner, site = await require_owner(request), state.site(request)
    form = EmailForm.parse(await posted(request), present=owner.user.email)
    if not form.valid or site.emails is None:
        return render(request, form)
    try:
        await throttle(request, "resends")
        token = await ask_for_email(site, site.emails, owner, form)
    except USER_ERRORS as error:
        return render(request, form, problem(error))
    return await go_on(request, token, ACCOUNT, Told.EMAIL_ASKED)


def render(request: Request, form: EmailForm, problem: Problem | None = None) -> Response:
    """The form; without a mail server no address can be confirmed, and the page says so."""
    offered = state.site(request).emails is not None
    return form_page(request, TEMPLATE, EMAIL, form, {"offered": offered}, problem)
