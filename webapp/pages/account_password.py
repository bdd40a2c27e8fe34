"""Changing the account's password, with the current one."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.change import PasswordForm
from webapp.accounts.forms.password import own_words
from webapp.accounts.journeys.change import change_password
from webapp.accounts.people.sessions import Owner
from webapp.pages import state
from webapp.pages.step import ACCOUNT, PASSWORD, form_page, go, go_on, require_owner
from webapp.pages.words import USER_ERRORS, Problem, Told, problem
from webapp.web.form import posted

TEMPLATE = "account/password.html"


async def show(request: Request) -> Response:
    return render(request, await require_owner(request), PasswordForm())


async def submit(request: Request) -> Response:
    owner, site = await require_owner(request), state.site(request)
    user = owner.user
    words = own_words(user.name, user.email, user.phone, site.name)
    form = PasswordForm.parse(await posted(request), own_words=words)
    if not form.valid:
        return render(request, owner, form)
    try:
        token = await change_password(site, owner, form)
    except USER_ERRORS as error:
        return render(request, owner, form, problem(error))
    return await go_on(request, token, ACCOUNT, Told.PASSWORD_CHANGED)


def render(
    request: Request, owner: Owner, form: PasswordForm, problem: Problem | None = None
) -> Response:
    return form_page(request, TEMPLATE, PASSWORD, form, {"user": owner.user}, problem)


async def well_known(_: Request) -> Response:
    """Where password managers look (https://w3c.github.io/webappsec-change-password-url/)."""
    return go(PASSWORD)
