"""Before the account is changed: whoever is signed in proves again who they are."""

import re
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms import LONGEST_URL, typed
from webapp.accounts.forms.change import ProofForm
from webapp.accounts.forms.passkey import PasskeyForm
from webapp.accounts.journeys import use_passkey
from webapp.accounts.journeys.prove_again import prove
from webapp.accounts.people.passkeys import of_user
from webapp.accounts.people.sessions import Owner
from webapp.pages import passkey_words as words
from webapp.pages import passkeys, state
from webapp.pages.passkey_words import PASSKEY_ERRORS
from webapp.pages.step import (
    ACCOUNT,
    PROOF,
    Redirect,
    asks_password,
    form_page,
    go_on,
    require_owner,
)
from webapp.pages.words import USER_ERRORS, Problem, problem
from webapp.web.form import posted

TEMPLATE = "account/proof.html"
ACCOUNT_PAGE = re.compile(r"/account/[a-z]+")


def require_recent_proof(request: Request, owner: Owner, page: str) -> None:
    """Raise ``Redirect`` to the proof, and from there to ``page``, if the last one is too old."""
    if asks_password(request, owner):
        raise Redirect(f"{PROOF}?return_to={quote(page, safe='')}")


async def show(request: Request) -> Response:
    owner, onward = (
        await require_owner(request, PROOF),
        _onward(request.query_params.get("return_to", "")),
    )
    if not asks_password(request, owner):
        raise Redirect(onward)
    return await render(request, owner, ProofForm(), onward)


async def submit(request: Request) -> Response:
    owner, fields = await require_owner(request, PROOF), await posted(request)
    form, onward = ProofForm.parse(fields), _onward(typed(fields, "return_to", LONGEST_URL))
    if not form.valid:
        return await render(request, owner, form, onward)
    try:
        token = await prove(state.site(request), owner, form.current)
    except USER_ERRORS as error:
        return await render(request, owner, form, onward, problem(error))
    return await go_on(request, token, onward)


async def passkey_options(request: Request) -> Response:
    """What our script asks the browser for."""
    owner = await require_owner(request, PROOF)
    return await passkeys.options(
        request, partial(use_passkey.ask_to_prove, state.site(request), owner)
    )


async def submit_passkey(request: Request) -> Response:
    owner, form = await require_owner(request, PROOF), PasskeyForm.parse(await posted(request))
    onward = _onward(form.return_to)
    try:
        credential = passkeys.credential_of(form)
        token = await use_passkey.prove(state.site(request), owner, credential)
    except PASSKEY_ERRORS as error:
        return await render(request, owner, ProofForm(), onward, words.problem(error))
    return await go_on(request, token, onward)


async def render(
    request: Request,
    owner: Owner,
    form: ProofForm,
    onward: str,
    problem: Problem | None = None,
) -> Response:
    shown = context(onward, has_passkey=bool(await of_user(owner.user.id)))
    return form_page(request, TEMPLATE, PROOF, form, shown, problem)


def context(onward: str, *, has_passkey: bool) -> dict[str, Any]:
    """What the template needs besides the form."""
    return {"onward": onward, "has_passkey": has_passkey}


def _onward(url: str) -> str:
    """The page of the account that the person came from."""
    return url if ACCOUNT_PAGE.fullmatch(url) else ACCOUNT
