"""Help while typing, for htmx alone: an example number, and how strong a password is.

By POST, so that nothing typed is ever in a URL (ASVS 14.2.1); nothing is stored or logged.
"""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts import passwords, phones
from webapp.accounts.forms import SignupForm, typed
from webapp.pages.visitors import too_many
from webapp.web.form import posted
from webapp.web.templates import render, respond

SILENCE = 204  # which htmx swaps nothing for


async def phone(request: Request) -> Response:
    country = typed(await posted(request), "country")[:2].upper()
    return respond(
        request, render(request, "partials/hint_phone.html", example=phones.example(country))
    )


async def password(request: Request) -> Response:
    if await too_many(request, "hints"):
        return Response(status_code=SILENCE)
    fields, site = await posted(request), request.app.state.settings.site_name
    word = typed(fields, "password")
    own = SignupForm.parse(fields, site=site).own_words(site)
    score, advice = passwords.strength(word, own) if word else (0, "")
    return respond(
        request, render(request, "partials/hint_password.html", strength=score, advice=advice)
    )
