"""Changing the person's name."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.change import NameForm
from webapp.accounts.journeys.change import change_name
from webapp.pages import state
from webapp.pages.step import ACCOUNT, NAME, asks_password, form_page, go_on, require_owner
from webapp.pages.words import USER_ERRORS, Problem, Told, problem
from webapp.web.form import posted

TEMPLATE = "account/name.html"


async def show(request: Request) -> Response:
    owner = await require_owner(request)
    return render(request, NameForm(name=owner.user.name, asks=asks_password(request, owner)))


async def submit(request: Request) -> Response:
    owner = await require_owner(request)
    form = NameForm.parse(await posted(request), asks=asks_password(request, owner))
    if not form.valid:
        return render(request, form)
    try:
        token = await change_name(state.site(request), owner, form)
    except USER_ERRORS as error:
        return render(request, form, problem(error))
    return await go_on(request, token, ACCOUNT, Told.NAME_CHANGED)


def render(request: Request, form: NameForm, problem: Problem | None = None) -> Response:
    return form_page(request, TEMPLATE, NAME, form, {}, problem)
