"""The password is forgotten, step 2: what the link opens. A code to the phone, another password.

To open the link changes nothing, since mail programs open links by themselves.
"""

from collections.abc import Set
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.password import own_words
from webapp.accounts.forms.recovery import ResetForm
from webapp.accounts.journeys.email_link import LinkOver
from webapp.accounts.journeys.recover import (
    Reset,
    open_link,
    recover_session,
    reset_password,
    send_code,
)
from webapp.accounts.people import phones, sessions
from webapp.accounts.people.sessions import Browser
from webapp.pages import code_step, state
from webapp.pages.forgot import LINK_MINUTES
from webapp.pages.link import GONE, behind_link, token_of, url_below
from webapp.pages.step import ACCOUNT, form_page, go, go_on, throttle
from webapp.pages.words import SENT_AGAIN, TOLD, USER_ERRORS, Problem, Told, problem
from webapp.providers import Channel
from webapp.web.form import posted
from webapp.web.templates import is_fragment, page

RESET = "/password/reset"
TEMPLATE = "recovery/reset.html"
OVER: dict[str, Any] = {
    "state": "over",
    "link_minutes": LINK_MINUTES,
    "problem": None,
    "notice": None,
}


def render_over(request: Request) -> Response:
    """The page of a link that does not work."""
    return page(request, TEMPLATE, url=url_below(RESET, request), status=GONE, **OVER)


@behind_link(render_over)
async def show(request: Request) -> Response:
    return render(request, await open_link(state.site(request), token_of(request)))


@behind_link(render_over)
async def send(request: Request) -> Response:
    """Send the code, or send it again."""
    site, token = state.site(request), token_of(request)
    channel = await code_step.channel_of(request)
    before = await open_link(site, token)
    try:
        await throttle(request, "resends")
        sent = await send_code(site, token, channel)
    except USER_ERRORS as error:
        stopped = problem(error, has_code=before.has_code)
        return render(request, await open_link(site, token), problem=stopped)
    if is_fragment(request):
        return render(request, sent, notice=TOLD[SENT_AGAIN[channel]])
    return go(url_below(RESET, request))


@behind_link(render_over)
async def submit(request: Request) -> Response:
    fields = await posted(request)
    try:
        return await _reset(request, fields)
    except LinkOver:
        if answer := await answer_again(request, fields):
            return answer
        raise


async def _reset(request: Request, fields: FormData) -> Response:
    site, token = state.site(request), token_of(request)
    opened = await open_link(site, token)
    user = opened.user
    form = ResetForm.parse(fields, own_words(user.name, user.email, user.phone, site.name))
    try:
        await throttle(request, "checks")
        if not form.valid:
            return render(request, opened, form)
        browser = Browser(request.headers.get("user-agent", ""))
        session = await reset_password(site, token, opened, form, browser)
    except USER_ERRORS as error:
        return render(request, opened, form, problem(error, checking=True))
    return await signed_in(request, session)


async def answer_again(request: Request, fields: FormData) -> Response | None:
    """The answer to a form that was taken, for a browser that never got it and sends it again."""
    form, token = ResetForm.parse(fields), token_of(request)
    if not await code_step.may_answer_again(request, token):
        return None
    session = await recover_session(state.site(request), token, form)
    return await signed_in(request, session) if session else None


async def signed_in(request: Request, session: str) -> Response:
    """On to the account, with this session instead of any former one (ASVS 7.2.4)."""
    former = state.cookie(request).read(request)
    if former and former != session:
        await sessions.close_session(former)
    return await go_on(request, session, ACCOUNT, Told.PASSWORD_CHANGED)


def render(
    request: Request,
    opened: Reset,
    form: ResetForm | None = None,
    problem: Problem | None = None,
    notice: str | None = None,
) -> Response:
    """The page as it stands for this link."""
    site, url = state.site(request), url_below(RESET, request)
    shown = context(opened, url, site.clock(), site.verifier.channels, notice)
    return form_page(request, TEMPLATE, url, form or ResetForm(), shown, problem)


def context(
    opened: Reset, url: str, now: datetime, channels: Set[Channel], notice: str | None = None
) -> dict[str, Any]:
    """What the template needs besides the form; ``url`` is the page's own."""
    user, pending = opened
    shown = {
        "state": "open",
        "action": url,
        "resend_url": f"{url}/send",
        "email": user.email,
        "phone_end": phones.end(user.phone),
        "link_minutes": LINK_MINUTES,
        "notice": notice,
    }
    return shown | code_step.context(pending, now, channels, notice) if pending else shown
