"""For htmx alone: countries to choose from, an example number, how strong a password is.

What is typed comes by POST, so that it is in no URL (ASVS 14.2.1); nothing is stored or logged.
"""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms import typed
from webapp.accounts.forms.signup import SignupForm
from webapp.accounts.people import phones, strength
from webapp.accounts.people.countries import countries as every_country
from webapp.accounts.policy.rules import Throttled
from webapp.pages import state
from webapp.pages.step import throttle
from webapp.web.form import posted
from webapp.web.templates import render, respond

NO_CONTENT = 204  # which htmx swaps nothing for
FOR_AN_HOUR = "private, max-age=3600"


async def countries(request: Request) -> Response:
    """The list that a step swapped in leaves out, the same for everybody."""

    def answer() -> Response:
        rows = every_country(state.site(request).countries)
        response = respond(request, render(request, "partials/countries.html", countries=rows))
        response.headers["Cache-Control"] = FOR_AN_HOUR
        return response

    return state.empty_forms(request).answer(request, "countries", answer)


async def phone(request: Request) -> Response:
    country = typed(await posted(request), "country")[:2].upper()
    return respond(
        request, render(request, "partials/hint_phone.html", example=phones.example(country))
    )


async def password(request: Request) -> Response:
    try:
        await throttle(request, "hints")
    except Throttled:
        return Response(status_code=NO_CONTENT)
    fields, site = await posted(request), state.site(request).name
    word = typed(fields, "password")
    form = SignupForm.read(fields)
    form.check_phone(frozenset())  # the number's spellings are words of one's own
    score, advice = strength.strength(word, form.own_words(site)) if word else (0, "")
    return respond(
        request, render(request, "partials/hint_password.html", strength=score, advice=advice)
    )
