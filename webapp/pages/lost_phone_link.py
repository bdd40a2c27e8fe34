"""The phone is lost: what the link in the email opens, another number and its code.

To open it changes nothing, since mail programs open links by themselves.
"""

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.forms.code import CodeForm
from webapp.accounts.forms.phone import PhoneForm
from webapp.accounts.journeys import lost_phone as journey
from webapp.accounts.journeys.change_phone import send_to_new
from webapp.accounts.journeys.lost_phone import Opened
from webapp.accounts.journeys.prove_phone import resend_code
from webapp.pages import code_step, state
from webapp.pages.code_step import ONLY_TEXTS
from webapp.pages.link import GONE, behind_link, token_of, url_below
from webapp.pages.lost_phone import LINK_MINUTES, WAIT_HOURS
from webapp.pages.phone import number_context
from webapp.pages.step import LOST_PHONE_LINK, form_page, go, throttle
from webapp.pages.words import TOLD, USER_ERRORS, Problem, Told, problem
from webapp.providers import Channel
from webapp.web.form import posted
from webapp.web.templates import is_fragment, page

TEMPLATE = "recovery/lost_phone_link.html"


def render_over(request: Request) -> Response:
    """The page of a link that does not work."""
    return render_end(request, "over", GONE)


@behind_link(render_over)
async def show(request: Request) -> Response:
    """The number, or the code that was sent to it; ``?another`` for another number."""
    opened = await open_link(request)
    if "another" in request.query_params:
        opened = opened._replace(verification=None)
    return render(request, opened)


@behind_link(render_over)
async def submit(request: Request) -> Response:
    """Send a code to the number to be."""
    site = state.site(request)
    form = PhoneForm.parse(await posted(request), site.countries)
    opened = await open_link(request)
    numberless = opened._replace(verification=None)
    if not form.number:
        return render(request, numberless, form)
    try:
        await throttle(request, "resends", form=form)
        new = await send_to_new(site, opened.user, form.number)
    except USER_ERRORS as error:
        return render(request, numberless, form, problem(error))
    if is_fragment(request):
        return render(request, opened._replace(verification=new))
    return go(url_below(LOST_PHONE_LINK, request))


@behind_link(render_over)
async def submit_code(request: Request) -> Response:
    site, form = state.site(request), CodeForm.parse(await posted(request))
    opened = await open_link(request)
    if not (opened.verification and form.valid):
        return render(request, opened, form)
    try:
        await throttle(request, "checks")
        await journey.begin_to_wait(site, token_of(request), opened.verification, form.digits)
    except USER_ERRORS as error:
        return render(request, opened, form, problem(error, checking=True))
    return render_end(request, "begun")


@behind_link(render_over)
async def resend(request: Request) -> Response:
    opened = await open_link(request)
    if opened.verification is None:
        return render(request, opened)
    try:
        await throttle(request, "resends")
        site = state.site(request)
        new = await resend_code(site, opened.user, opened.verification, Channel.SMS)
    except USER_ERRORS as error:
        return render(request, opened, problem=problem(error, has_code=True))
    if is_fragment(request):
        return render(request, opened._replace(verification=new), notice=TOLD[Told.CODE_TEXTED])
    return go(url_below(LOST_PHONE_LINK, request))


async def open_link(request: Request) -> Opened:
    return await journey.open_link(state.site(request), token_of(request))


def render(
    request: Request,
    opened: Opened,
    form: PhoneForm | CodeForm | None = None,
    problem: Problem | None = None,
    notice: str | None = None,
) -> Response:
    """The page as it stands for this link."""
    url, new = url_below(LOST_PHONE_LINK, request), opened.verification
    if form is None:
        form = CodeForm() if new else PhoneForm(country=opened.user.country)
    site = state.site(request)
    shown = context(opened, url, site.clock(), site.countries, notice)
    return form_page(request, TEMPLATE, url, form, shown, problem)


def context(
    opened: Opened, url: str, now: datetime, allowed: frozenset[str], notice: str | None = None
) -> dict[str, Any]:
    """What the template needs besides the form; ``url`` is the page's own."""
    user, new = opened
    shown = {
        "state": "number",
        "action": url,
        "resend_url": f"{url}/resend",
        "wait_hours": WAIT_HOURS,
        **number_context(user.country, allowed),
        "notice": notice,
    }
    if new is None:
        return shown
    return shown | code_step.context(new, now, ONLY_TEXTS, notice)


def render_end(request: Request, stage: str, status: int = 200) -> Response:
    """The page of a link that does not work any more: it is ``over``, or has ``begun`` the wait."""
    url = url_below(LOST_PHONE_LINK, request)
    return page(request, TEMPLATE, url=url, status=status, **end_context(stage))


def end_context(stage: str) -> dict[str, Any]:
    """What the template needs where there is no form."""
    words = {"link_minutes": LINK_MINUTES, "wait_hours": WAIT_HOURS}
    return {"state": stage, "problem": None, "notice": None, **words}
