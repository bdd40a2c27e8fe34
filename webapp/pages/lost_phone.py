"""The phone is lost: for who has entered the password, another number by the recovery code.

Who has none asks for the link that ``lost_phone_link`` is about.
"""

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.links import LIFETIMES, Purpose
from webapp.accounts.forms.phone import PhoneForm
from webapp.accounts.journeys.change_phone import send_to_new
from webapp.accounts.journeys.lost_phone import send_link
from webapp.accounts.people import phone_changes, phones
from webapp.accounts.people.phone_changes import PhoneChange
from webapp.accounts.people.sessions import Session, Stage
from webapp.accounts.people.users import User
from webapp.accounts.policy.rules import LOST_PHONE_PROOF, PHONE_CHANGE_WAITS
from webapp.pages import state
from webapp.pages.phone import number_context
from webapp.pages.step import (
    LOST_PHONE,
    LOST_PHONE_CODE,
    LOST_PHONE_SENT,
    SIGNIN,
    Redirect,
    find_visitor,
    form_page,
    go,
    throttle,
)
from webapp.pages.words import USER_ERRORS, Problem, problem, span
from webapp.web.form import posted
from webapp.web.templates import page

TEMPLATE, SENT_TEMPLATE = "recovery/lost_phone.html", "recovery/lost_phone_sent.html"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LINK_MINUTES, WAIT_HOURS = LIFETIMES[Purpose.LOST_PHONE] // MINUTE, PHONE_CHANGE_WAITS // HOUR


async def require_person(request: Request) -> User:
    """Who entered the password of a verified account lately, the code or not.

    Raises ``Redirect`` to the password.
    """
    half = await find_visitor(request, Stage.SIGN_IN)
    visitor = half or await find_visitor(request)
    if not (visitor and visitor.user.verified_at and _proved_lately(request, visitor.session)):
        raise Redirect(f"{SIGNIN}?prompt=login&return_to={LOST_PHONE}")
    return visitor.user


def _proved_lately(request: Request, session: Session) -> bool:
    since = state.site(request).clock() - LOST_PHONE_PROOF
    return session.proved_at is not None and session.proved_at >= since


async def show(request: Request) -> Response:
    user = await require_person(request)
    return await render(request, user, PhoneForm(country=user.country))


async def submit(request: Request) -> Response:
    """Send a code to the number to be, for who has a recovery code."""
    user, site = await require_person(request), state.site(request)
    form = PhoneForm.parse(await posted(request), site.countries)
    if not form.number or user.recovery_code_hash is None:
        return await render(request, user, form)
    try:
        await throttle(request, "resends", form=form)
        await send_to_new(site, user, form.number)
    except USER_ERRORS as error:
        return await render(request, user, form, problem(error))
    return go(LOST_PHONE_CODE)


async def email(request: Request) -> Response:
    """Send the link, for who has no recovery code."""
    user, site = await require_person(request), state.site(request)
    try:
        await throttle(request, "resends")
        if site.emails:
            await send_link(site, site.emails, user)
    except USER_ERRORS as error:
        form = PhoneForm(country=user.country)
        return await render(request, user, form, problem(error))
    return go(LOST_PHONE_SENT if site.emails else LOST_PHONE)


async def show_sent(request: Request) -> Response:
    return page(request, SENT_TEMPLATE, url=LOST_PHONE_SENT, link_minutes=LINK_MINUTES)


async def render(
    request: Request, user: User, form: PhoneForm, problem: Problem | None = None
) -> Response:
    site, change = state.site(request), await phone_changes.waiting(user)
    waits = change.effective_at - site.clock() if change else None
    shown = context(user, form, site.countries, change, waits, offers_email=site.emails is not None)
    return form_page(request, TEMPLATE, LOST_PHONE, form, shown, problem)


def context(
    user: User,
    form: PhoneForm,
    allowed: frozenset[str],
    change: PhoneChange | None = None,
    waits: timedelta | None = None,
    *,
    offers_email: bool = True,
) -> dict[str, Any]:
    """What the template needs besides the form; ``change`` becomes effective after ``waits``."""
    return {
        "phone_end": phones.end(user.phone),
        "has_recovery_code": user.recovery_code_hash is not None,
        "offers_email": offers_email,
        "waits_for": phones.end(change.phone) if change else "",
        "waits": span(waits) if waits else "",
        "wait_hours": WAIT_HOURS,
        **number_context(form.country, allowed),
    }
