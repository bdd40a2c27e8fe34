"""Sign in by a passkey alone, instead of email, password and code."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.passkey import PasskeyForm
from webapp.accounts.forms.signin import SigninForm
from webapp.accounts.journeys import use_passkey
from webapp.pages import passkeys, signin, state
from webapp.pages.passkey_words import PASSKEY_ERRORS, problem
from webapp.pages.step import throttle
from webapp.web.form import posted


async def options(request: Request) -> Response:
    """What our script asks the browser for."""
    return await passkeys.options(request, partial(use_passkey.ask_to_sign_in, state.site(request)))


async def submit(request: Request) -> Response:
    form, site = PasskeyForm.parse(await posted(request)), state.site(request)
    form.return_to = state.return_to(request, form.return_to)
    browser = state.browser(request, form.return_to)
    known = state.browser_cookie(request).read(request)
    try:
        await throttle(request, "signins")
        signed_in = await use_passkey.sign_in(site, passkeys.credential_of(form), browser, known)
    except PASSKEY_ERRORS as error:
        return signin.render(request, SigninForm(return_to=form.return_to), problem(error))
    return await signin.enter(request, signed_in)
