"""Another number for the account: the password, then a code to each of the two phones."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.recovery import NewPhoneForm
from webapp.accounts.journeys import change_phone as journey
from webapp.accounts.journeys.change_phone import SameNumber
from webapp.accounts.journeys.prove_again import AnsweredBefore
from webapp.accounts.people.sessions import Owner
from webapp.accounts.people.users import User
from webapp.pages import phone, state
from webapp.pages.step import (
    ACCOUNT_PHONE,
    ACCOUNT_PHONE_CODE,
    form_page,
    go_on,
    require_owner,
    throttle,
)
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.web.form import posted

TEMPLATE = "account/phone.html"
SAME = "This is the number that your account has"


async def show(request: Request) -> Response:
    owner = await require_owner(request)
    return render(request, owner.user, NewPhoneForm(country=owner.user.country))


async def submit(request: Request) -> Response:
    """Check the password and have both codes sent; the same form twice at once is sent on."""
    try:
        return await _begin(request, await require_owner(request))
    except AnsweredBefore as before:
        return await go_on(request, before.token, ACCOUNT_PHONE_CODE)


async def _begin(request: Request, owner: Owner) -> Response:
    site, user = state.site(request), owner.user
    form = NewPhoneForm.parse(await posted(request), site.countries)
    if not form.valid:
        return render(request, user, form)
    try:
        await throttle(request, "resends")
        begun = await journey.begin(site, owner, form)
    except SameNumber:
        form.errors["phone"] = SAME
        return render(request, user, form)
    except USER_ERRORS as error:
        return render(request, user, form, problem(error))
    if begun.error is None:
        return await go_on(request, begun.token, ACCOUNT_PHONE_CODE)
    response = render(request, user, form, problem(begun.error))
    state.cookie(request).write(response, begun.token)  # another one, as the password was right
    return response


def render(
    request: Request, user: User, form: NewPhoneForm, problem: Problem | None = None
) -> Response:
    shown = phone.context(user, form, state.site(request).countries)
    return form_page(request, TEMPLATE, ACCOUNT_PHONE, form, shown, problem)
