"""The account's passkeys: which there are, adding one, removing one."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms import typed
from webapp.accounts.forms.passkey import PasskeyForm
from webapp.accounts.journeys import keep_passkeys
from webapp.accounts.people import user_agents
from webapp.accounts.people.passkeys import LONGEST_ID, Passkey, of_user
from webapp.accounts.people.sessions import Owner
from webapp.pages import passkeys, state
from webapp.pages.account_proof import require_recent_proof
from webapp.pages.passkey_words import PASSKEY_ERRORS, problem
from webapp.pages.step import PASSKEYS, asks_password, form_page, go_on, require_owner, take_notice
from webapp.pages.words import Problem, Told
from webapp.web.form import posted

TEMPLATE = "account/passkeys.html"


async def show(request: Request) -> Response:
    owner = await require_owner(request, PASSKEYS)
    return await render(
        request, owner, PasskeyForm(), notice=await take_notice(request, owner.session)
    )


async def options(request: Request) -> Response:
    """What our script asks the browser for."""
    owner = await require_owner(request, PASSKEYS)
    require_recent_proof(request, owner, PASSKEYS)
    return await passkeys.options(
        request, partial(keep_passkeys.ask_for_new, state.site(request), owner)
    )


async def submit(request: Request) -> Response:
    owner, site = await require_owner(request, PASSKEYS), state.site(request)
    require_recent_proof(request, owner, PASSKEYS)
    form = PasskeyForm.parse(await posted(request))
    if not form.valid:
        return await render(request, owner, form)
    try:
        credential = passkeys.credential_of(form)
        name = form.name or user_agents.describe(request.headers.get("user-agent", ""))
        await keep_passkeys.add(site, owner, credential, name)
    except PASSKEY_ERRORS as error:
        return await render(request, owner, form, problem(error, adding=True))
    return await go_on(request, owner.token, PASSKEYS, Told.PASSKEY_ADDED)


async def remove(request: Request) -> Response:
    owner, site = await require_owner(request, PASSKEYS), state.site(request)
    require_recent_proof(request, owner, PASSKEYS)
    credential_id = typed(await posted(request), "passkey", LONGEST_ID)
    try:
        removed = await keep_passkeys.remove(site, owner, credential_id)
    except PASSKEY_ERRORS as error:
        return await render(request, owner, PasskeyForm(), problem(error))
    # One that another browser removed at the same moment is gone all the same.
    return await go_on(request, owner.token, PASSKEYS, Told.PASSKEY_REMOVED if removed else "")


async def render(
    request: Request,
    owner: Owner,
    form: PasskeyForm,
    problem: Problem | None = None,
    notice: str | None = None,
) -> Response:
    shown = context(
        await of_user(owner.user.id),
        proved=not asks_password(request, owner),
        notice=notice,
    )
    return form_page(request, TEMPLATE, PASSKEYS, form, shown, problem)


def context(
    present: Sequence[Passkey], *, proved: bool, notice: str | None = None
) -> dict[str, Any]:
    """What the template needs besides the form.

    ``proved``: whether the person proved lately who they are, and may add and remove passkeys.
    """
    return {
        "passkeys": [_shown(passkey) for passkey in present],
        "proved": proved,
        "notice": notice,
    }


def _shown(passkey: Passkey) -> dict[str, str]:
    used = passkey.last_used_at
    return {
        "id": passkey.credential_id,
        "name": passkey.name,
        "added": _day(passkey.created_at),
        "used": _day(used) if used else "",
    }


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
