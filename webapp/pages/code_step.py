"""The step at which the code that was sent to a phone is entered.

Signing up and signing in have one, as a session leads to both: `verification` and `signin_code` say
what is their own, and ``CodeStep`` answers the requests. The other pages with such a code use the
functions below it.
"""

from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.forms import typed
from webapp.accounts.forms.code import CodeForm
from webapp.accounts.journeys.complete_sign_up import recover_session
from webapp.accounts.journeys.prove_phone import resend_code
from webapp.accounts.people import phones
from webapp.accounts.people.sessions import Visitor
from webapp.accounts.policy.rules import LimitExceeded, WorkNeeded, whole_seconds
from webapp.pages import delivery, state, work
from webapp.pages.step import Redirect, form_page, go_on, take_notice, throttle
from webapp.pages.words import SENT_AGAIN, USER_ERRORS, Problem, problem
from webapp.providers import Channel
from webapp.web.form import posted

ONLY_TEXTS = frozenset({Channel.SMS})


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeStep:
    """A code's step, whose handlers are ``show``, ``submit``, ``resend`` and ``show_delivery``."""

    template: str
    url: str
    resend_url: str
    change_url: str = ""  # where another number can be entered
    # The person at this step. Raises ``Redirect``.
    require: Callable[[Request], Awaitable[Visitor]]
    # Checks the code and answers the right one. Raises ``USER_ERRORS``.
    enter: Callable[[Request, Visitor, CodeForm], Awaitable[Response]]
    # The same answer for a browser that never got it, and whose session has the given token by now.
    answer_again: Callable[[Request, str], Awaitable[Response | None]]

    async def show(self, request: Request) -> Response:
        _, verification, session = await self.require(request)
        return self.render(request, verification, notice=await take_notice(request, session))

    async def submit(self, request: Request) -> Response:
        form = CodeForm.parse(await posted(request))
        try:
            visitor = await self.require(request)
        except Redirect:
            token = await _recovered_token(request, form)
            if token and (answer := await self.answer_again(request, token)):
                return answer
            raise
        if not form.valid:
            return self.render(request, visitor.verification, form)
        try:
            await throttle(request, "checks")
            return await self.enter(request, visitor, form)
        except USER_ERRORS as error:
            stopped = problem(error, checking=True)
            return self.render(request, visitor.verification, form, stopped)

    async def resend(self, request: Request) -> Response:
        """Send the code again by the channel that the form asks for."""
        user, verification, _ = await self.require(request)
        site, channel = state.site(request), await channel_of(request)
        has_code = not verification.never_sent
        try:
            await throttle(request, "resends")
            worked = await work.was_proven(request, verification.phone)
            await resend_code(site, user, verification, channel, worked=worked)
        except WorkNeeded:
            asked = await work.ask(request, verification.phone, pressed=channel)
            return self.render(request, verification, problem=asked.problem, asked=asked)
        except USER_ERRORS as error:
            stopped = problem(error, has_code=has_code)
            return self.render(request, verification, problem=stopped)
        token = state.cookie(request).read(request)
        return await go_on(request, token, self.url, SENT_AGAIN[channel])

    async def show_delivery(self, request: Request) -> Response:
        """The piece of the page that tells what became of the code, while the page asks for it."""
        try:
            _, verification, _ = await self.require(request)
        except Redirect:
            return delivery.no_news()
        site = state.site(request)
        shown = self.context(verification, site.clock(), site.verifier.channels)
        return delivery.news(request, shown)

    def render(
        self,
        request: Request,
        verification: Verification,
        form: CodeForm | None = None,
        problem: Problem | None = None,
        notice: str | None = None,
        asked: work.Asked | None = None,
    ) -> Response:
        """The step as it stands for the person whose ``verification`` this is.

        ``asked`` is the proof of work that sending again asks for, if it does.
        """
        site = state.site(request)
        shown = self.context(verification, site.clock(), site.verifier.channels, notice)
        shown["work"] = asked
        return form_page(request, self.template, self.url, form or CodeForm(), shown, problem)

    def context(
        self,
        verification: Verification,
        now: datetime,
        channels: Set[Channel],
        notice: str | None = None,
    ) -> dict[str, Any]:
        """What the template needs besides the form."""
        return context(verification, now, channels, notice) | {
            "resend_url": self.resend_url,
            "change_url": self.change_url,
            "delivery_url": f"{self.url}/delivery",
        }


def context(
    verification: Verification, now: datetime, channels: Set[Channel], notice: str | None = None
) -> dict[str, Any]:
    """What every template with a code needs; ``channels`` are those that codes can take."""
    return {
        "phone": phones.readable(verification.phone),
        "phone_end": phones.end(verification.phone),
        "state": verification.status(now),
        "checks_left": verification.checks_left,
        "resend_in": whole_seconds(verification.wait_for_send(now)),
        **delivery.context(verification, now, channels),
        "can_whatsapp": Channel.WHATSAPP in channels and not verification.never_sent,
        "notice": notice,
        "work": None,
    }


async def channel_of(request: Request) -> Channel:
    """The channel that the form asks for; a text where codes cannot take that one."""
    wanted = typed(await posted(request), "channel")
    return Channel(wanted) if wanted in state.site(request).verifier.channels else Channel.SMS


async def _recovered_token(request: Request, form: CodeForm) -> str | None:
    """The token that the session of the browser became by this code, if it did."""
    former = state.cookie(request).read(request)
    if not (former and form.valid and await may_answer_again(request, former)):
        return None
    return await recover_session(state.site(request), former, form.digits)


async def may_answer_again(request: Request, former: str) -> bool:
    """Whether a code may be checked by where the token ``former`` led, within limits of its own."""
    try:
        await throttle(request, "checks")
        await throttle(request, "answers", former)
    except LimitExceeded:
        return False
    return True
