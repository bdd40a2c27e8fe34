"""The person's data as a download, and the deletion of the account."""

import json

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.change import ProofForm
from webapp.accounts.journeys.leave import delete_account, own_data
from webapp.pages import state
from webapp.pages.step import DELETE, DELETED, form_page, go, require_owner
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.web.form import posted
from webapp.web.templates import page

TEMPLATE, DELETED_TEMPLATE = "account/delete.html", "account/deleted.html"


async def download(request: Request) -> Response:
    """The person's own data as JSON; times are ISO 8601 in UTC."""
    owner = await require_owner(request)
    browser = state.browser_cookie(request).read(request)
    data = await own_data(state.site(request), owner, browser)
    body = json.dumps(data, ensure_ascii=False, indent=2, default=lambda time: time.isoformat())
    headers = {"Content-Disposition": 'attachment; filename="account.json"'}
    return Response(body + "\n", headers=headers, media_type="application/json")


async def show(request: Request) -> Response:
    await require_owner(request)
    return render(request, ProofForm())


async def submit(request: Request) -> Response:
    owner = await require_owner(request)
    form = ProofForm.parse(await posted(request))
    if not form.valid:
        return render(request, form)
    try:
        await delete_account(state.site(request), owner, form)
    except USER_ERRORS as error:
        return render(request, form, problem(error))
    response = go(DELETED)
    for cookie in (state.cookie(request), state.browser_cookie(request)):
        cookie.clear(response)
    return response


def render(request: Request, form: ProofForm, problem: Problem | None = None) -> Response:
    return form_page(request, TEMPLATE, DELETE, form, {}, problem)


async def deleted(request: Request) -> Response:
    """The page after the deletion. It shows nothing personal, so anybody may open it."""
    return page(request, DELETED_TEMPLATE, url=DELETED)
