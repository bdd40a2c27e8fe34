"""What every form that a passkey answers needs: options for the browser, and its answer."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webapp.accounts.forms.passkey import PasskeyForm
from webapp.pages.passkey_words import PASSKEY_ERRORS, NoPasskey, problem
from webapp.pages.step import throttle


async def options(request: Request, ask: Callable[[], Awaitable[dict[str, Any]]]) -> Response:
    """What ``ask`` has the browser asked for, as JSON for our script.

    A refusal has no words: our script sends the form in any case, and its answer has them.
    """
    try:
        await throttle(request, "passkeys")
        return JSONResponse(await ask())
    except PASSKEY_ERRORS as error:
        return JSONResponse({}, problem(error).status)


def credential_of(form: PasskeyForm) -> str:
    """What the browser answered. Raises ``NoPasskey`` where it had nothing for us."""
    if not form.credential:
        raise NoPasskey(form.failure)
    return form.credential
