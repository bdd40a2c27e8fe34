"""Where the person is signed in, and which browsers need no code."""

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.change import SessionForm
from webapp.accounts.journeys.end_access import WayIn, end_all_others, end_way_in, ways_in
from webapp.accounts.people.sessions import Owner
from webapp.accounts.people.user_agents import describe
from webapp.pages import state
from webapp.pages.step import (
    SESSIONS,
    asks_password,
    form_page,
    go_on,
    require_owner,
    take_notice,
)
from webapp.pages.words import USER_ERRORS, Problem, Told, problem, span
from webapp.web.form import posted

TEMPLATE = "account/sessions.html"
JUST_NOW = timedelta(minutes=10)  # last_seen_at is minutes stale, see SESSION_TOUCH


async def show(request: Request) -> Response:
    owner = await require_owner(request)
    form = SessionForm(asks=asks_password(request, owner))
    return await render(request, owner, form, notice=await take_notice(request, owner.session))


async def end(request: Request) -> Response:
    owner, site = await require_owner(request), state.site(request)
    form = SessionForm.parse(await posted(request), asks=asks_password(request, owner))
    if not form.valid:
        return await render(request, owner, form)
    try:
        if form.all:
            browser = state.browser_cookie(request).read(request)
            token = await end_all_others(site, owner, form.current, browser)
        else:
            token = await end_way_in(site, owner, form.current, form.session)
    except USER_ERRORS as error:
        return await render(request, owner, form, problem(error))
    told = Told.SESSIONS_ENDED if form.all else Told.SESSION_ENDED
    return await go_on(request, token, SESSIONS, told)


async def render(
    request: Request,
    owner: Owner,
    form: SessionForm,
    problem: Problem | None = None,
    notice: str | None = None,
) -> Response:
    site = state.site(request)
    ways = await ways_in(site, owner, state.browser_cookie(request).read(request))
    signed_in, remembered = ([_row(way, site.clock() - _at(way)) for way in part] for part in ways)
    shown = context(signed_in, remembered, notice)
    return form_page(request, TEMPLATE, SESSIONS, form, shown, problem)


def context(
    signed_in: list[dict[str, Any]], remembered: list[dict[str, Any]], notice: str | None = None
) -> dict[str, Any]:
    """What the template needs besides the form."""
    return {"signed_in": signed_in, "remembered": remembered, "notice": notice}


def _at(way: WayIn) -> Any:
    return way.seen or way.since


def _row(way: WayIn, ago: timedelta) -> dict[str, Any]:
    """A browser as the list shows it, last seen or remembered ``ago``."""
    return {
        "handle": way.handle,
        "browser": describe(way.user_agent),
        "since": f"{way.since.day} {way.since:%B %Y}",
        "ago": "" if ago < JUST_NOW else span(ago),
        "is_here": way.is_here,
    }
