"""Step 2, another number: nothing else is typed again."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.phone import PhoneForm
from webapp.accounts.journeys.correct_phone import correct_phone
from webapp.accounts.people import phones
from webapp.accounts.people.countries import countries
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import WorkNeeded
from webapp.pages import state, verification, work
from webapp.pages.step import (
    PHONE,
    VERIFICATION,
    form_page,
    go,
    require_pending_visitor,
    throttle,
)
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.web.form import posted
from webapp.web.templates import is_fragment

TEMPLATE = "steps/phone.html"


async def show(request: Request) -> Response:
    user, *_ = await require_pending_visitor(request)
    return render(request, user, PhoneForm(country=user.country, phone=phones.national(user.phone)))


async def submit(request: Request) -> Response:
    site, (user, pending, _) = state.site(request), await require_pending_visitor(request)
    form = PhoneForm.parse(await posted(request), site.countries)
    if not form.number:
        return render(request, user, form)
    try:
        await throttle(request, "resends", form=form)
        worked = await work.was_proven(request, form.number.e164)
        pending = await correct_phone(site, user, pending, form.number, worked=worked)
    except WorkNeeded:
        asked = await work.ask(request, form.number.e164)
        return render(request, user, form, asked.problem, asked)
    except USER_ERRORS as error:
        return render(request, user, form, problem(error))
    return verification.STEP.render(request, pending) if is_fragment(request) else go(VERIFICATION)


def render(
    request: Request,
    user: User,
    form: PhoneForm,
    problem: Problem | None = None,
    asked: work.Asked | None = None,
) -> Response:
    """The form for another number than the one ``user`` has."""
    shown = context(user, form, state.site(request).countries, asked)
    return form_page(request, TEMPLATE, PHONE, form, shown, problem)


def context(
    user: User, form: PhoneForm, allowed: frozenset[str], asked: work.Asked | None = None
) -> dict[str, Any]:
    """What the template needs besides the form; ``allowed`` countries, all when empty.

    ``asked`` is the proof of work that it asks for, if it does.
    """
    return {
        "phone": phones.readable(user.phone),
        "work": asked,
        **number_context(form.country, allowed),
    }


def number_context(country: str, allowed: frozenset[str]) -> dict[str, Any]:
    """What every template with a field for a number needs; ``country`` is the one chosen in it."""
    return {"countries": countries(allowed), "example": phones.example(country)}
