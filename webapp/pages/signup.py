"""Step 1: who you are."""

from secrets import token_urlsafe
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms import SignupForm, typed
from webapp.accounts.people import emails, phones, sessions
from webapp.accounts.people.countries import countries
from webapp.accounts.people.phones import Phone
from webapp.accounts.people.users import User
from webapp.pages import verification
from webapp.pages.locale import country_of
from webapp.pages.step import SIGNUP, VERIFICATION, cookie, flow, go, throttle_visitor, visitor
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.web.form import posted
from webapp.web.templates import Prepared, is_fragment, page, render_page

TEMPLATE = "steps/signup.html"
KEY = "the-key-of-this-form"  # stands for it in the page that is rendered once for all
KEY_LENGTH = 64
MOST_PREPARED = 16  # pages, of some 350 KB each with their compressors


async def show(request: Request) -> Response:
    if cookie(request).read(request) and await visitor(request):
        return go("/")
    country = country_of(request.headers, request.app.state.settings.allowed_countries)
    headers = {"HX-Replace-Url": SIGNUP} if is_fragment(request) else {}
    return prepared(request, country).response(request, token_urlsafe(16), headers)


async def submit(request: Request) -> Response:
    settings, fields = request.app.state.settings, await posted(request)
    form = SignupForm.parse(fields, settings.allowed_countries, settings.site_name)
    key, there = typed(fields, "key")[:KEY_LENGTH], await visitor(request)
    if there and there.user.verified_at:
        return go("/")
    if not form.valid:
        return render_errors(request, form, key)
    if there and _signed_up_as(there.user, form):
        return go("/")
    if fault := await throttle_visitor(request, "signups"):
        return render_errors(request, form, key, fault)
    try:
        token = await flow(request).sign_up(form, key)
    except USER_ERRORS as error:
        return render_errors(request, form, key, problem(error))
    if former := cookie(request).read(request):
        await sessions.close_session(former)  # ASVS 7.2.4
    response = await _on_to_the_code(request, token)
    cookie(request).write(response, token)
    return response


def _signed_up_as(user: User, form: SignupForm) -> bool:
    """Whether these are the very same email and phone.

    Other answers are a correction, from a form that the back button brought back.
    """
    asked = emails.fold(form.clean_email), form.number
    return asked == (emails.fold(user.email), Phone(user.phone, user.country))


async def _on_to_the_code(request: Request, token: str) -> Response:
    there = await sessions.visitor(token, flow(request).clock()) if is_fragment(request) else None
    if not there:
        return go(VERIFICATION)
    return await verification.render_step(request, there.user, verification=there.verification)


def render_errors(
    request: Request, form: SignupForm, key: str, fault: Problem | None = None
) -> Response:
    """The form again, with all that was typed but the password."""
    if fault and fault.field:
        form.errors[fault.field] = fault.words
    return page(
        request,
        TEMPLATE,
        url=SIGNUP,
        status=fault.status if fault else 422,
        retry_after=fault.retry_after if fault else None,
        problem=fault.words if fault and not fault.field else None,
        **context(request, form, key or token_urlsafe(16)),
    )


def context(request: Request, form: SignupForm, key: str) -> dict[str, Any]:
    """What the template needs."""
    allowed = request.app.state.settings.allowed_countries
    return {
        "form": form,
        "signup_key": key,
        "countries": countries(allowed),
        "example": phones.example(form.country),
    }


def prepared(request: Request, country: str) -> Prepared:
    """The empty form, the same for everybody from one country but for its key."""
    name = "fragment.html" if is_fragment(request) else "layout.html"
    pages: dict[tuple[str, str], Prepared] = request.app.state.prepared
    if request.app.state.settings.development:
        pages.clear()  # a designer may be at the template
    if (name, country) not in pages:
        if len(pages) >= MOST_PREPARED:
            pages.clear()
        form = SignupForm(country=country)
        empty = context(request, form, KEY) | {"problem": None}
        html = render_page(request, TEMPLATE, **empty)
        pages[name, country] = Prepared(html, KEY)
    return pages[name, country]
