"""Who is asking, which step is theirs, and how a step with a form is answered."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webapp.accounts.challenges.verifications import Outcome
from webapp.accounts.forms import Form, typed
from webapp.accounts.journeys.prove_again import AnsweredBefore, next_token, was_answered
from webapp.accounts.journeys.site import SignupOver, Site
from webapp.accounts.people import sessions
from webapp.accounts.people.sessions import Owner, Session, Stage, Visitor
from webapp.accounts.policy import blocks
from webapp.accounts.policy.blocks import BlockedByOperator, Subject
from webapp.accounts.policy.rules import Throttled
from webapp.pages import state
from webapp.pages.history import record_invalid, record_refused, record_throttled
from webapp.pages.words import INVALID, TOLD, Problem
from webapp.web.form import posted
from webapp.web.templates import page

HOME = "/"  # leads to the step where the browser is
SIGNUP, VERIFICATION, PHONE, ACCOUNT = "/signup", "/verification", "/verification/phone", "/account"
SIGNIN, SIGNIN_CODE, CONTINUE = "/signin", "/signin/code", "/continue"
PASSWORD, NAME, EMAIL = "/account/password", "/account/name", "/account/email"
SESSIONS, DELETE, DELETED = "/account/sessions", "/account/delete", "/account/deleted"
PASSKEYS, PROOF = "/account/passkeys", "/account/proof"
ACCOUNT_PHONE, ACCOUNT_PHONE_CODE = "/account/phone", "/account/phone/code"
RECOVERY = "/account/recovery"
LOST_PHONE, LOST_PHONE_CODE = "/phone/lost", "/phone/lost/code"
LOST_PHONE_SENT, LOST_PHONE_LINK, STOP_PHONE = "/phone/lost/sent", "/phone/new", "/phone/stop"
FORGOT, FORGOT_SENT = "/password/forgot", "/password/forgot/sent"
# The rules of requests to sign in, and to have a text or an email sent
REFUSED_TO_BLOCKED = {"signins", "resends"}
BLOCKED_WAIT = timedelta(hours=1)  # what those whose address is blocked are told to wait


class Redirect(Exception):
    """Ends a handler: the browser goes on at ``path``."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


async def redirected(request: Request, error: Exception) -> Response:
    """Answer ``Redirect``, a sign-up that was verified or purged meanwhile, and a change of the
    account that was already made.
    """
    if isinstance(error, AnsweredBefore):
        return await go_on(request, error.token, ACCOUNT)
    return go(error.path if isinstance(error, Redirect) else HOME)


REDIRECTS = (Redirect, SignupOver, AnsweredBefore)


def go(path: str) -> Response:
    """On to another step. fetch follows it with htmx's headers, and the page there answers them."""
    return RedirectResponse(path, 303)


async def go_on(request: Request, token: str, path: str, told: str = "") -> Response:
    """On to ``path``, which says ``told`` once; the browser's session has ``token`` from now on."""
    if told:
        await sessions.leave_notice(token, told)
    response = go(path)
    if token != state.cookie(request).read(request):
        state.cookie(request).write(response, token)
    return response


async def take_notice(request: Request, session: Session) -> str | None:
    """The words that were left for this page, once: not for a HEAD, which shows nothing."""
    if request.method == "HEAD":
        return None
    return TOLD.get(await sessions.take_notice(session))


def asks_password(request: Request, owner: Owner) -> bool:
    """Whether a change that needs a recent proof asks for the password."""
    return not owner.proved_recently(state.site(request).clock())


async def find_visitor(request: Request, stage: Stage = Stage.OPEN) -> Visitor | None:
    """The person whose browser this is, if the session is at ``stage``."""
    token = state.cookie(request).read(request)
    site = state.site(request)
    if not token:
        return None
    visitor = await sessions.visitor(token, site.clock(), site.session_life, stage)
    if visitor:
        request.state.phone = visitor.user.phone  # whom the history is told of
    return visitor


async def require_visitor(request: Request) -> Visitor:
    """The person whose browser this is. Raises ``Redirect`` to the form."""
    visitor = await find_visitor(request)
    if visitor is None:
        raise Redirect(SIGNUP)
    return visitor


async def require_owner(request: Request, page: str = "") -> Owner:
    """The person who is signed in. ``page``: where who signs in comes back to, if not here.

    Raises ``Redirect``: to sign in and come back, or to the step of who is signing up. Raises
    ``AnsweredBefore`` for a change that was made, whose answer the browser did not get.
    """
    token, site = state.cookie(request).read(request), state.site(request)
    if token and (owner := await sessions.owner(token, site.clock(), site.session_life)):
        return owner
    if await find_visitor(request):
        raise Redirect(HOME)
    if request.method == "POST" and token:
        await _recover(request, site, token)
    raise Redirect(f"{SIGNIN}?return_to={quote(page or request.url.path, safe='')}")


async def _recover(request: Request, site: Site, former: str) -> None:
    """Raise ``AnsweredBefore`` if this request was answered and ended the session ``former``."""
    current = typed(await posted(request), "current")
    with suppress(Throttled):
        await throttle(request, "answers", former)
        token = next_token(site, former, current)
        if current and await was_answered(site, token):
            raise AnsweredBefore(token)


async def require_pending_visitor(request: Request) -> Visitor:
    """The person at the code step. Raises ``Redirect`` to the step where this browser is."""
    visitor = await require_visitor(request)
    if is_done(visitor):
        raise Redirect(ACCOUNT)
    return visitor


def is_done(visitor: Visitor) -> bool:
    """Whether the phone is proven: the account is theirs, or its email is somebody else's."""
    return bool(visitor.user.verified_at) or visitor.verification.outcome is Outcome.EMAIL_TAKEN


async def throttle(request: Request, rule: str, key: str = "", *, form: Form | None = None) -> None:
    """Count this request for ``key``, by default the visitor's networks. Raises ``Throttled``.

    ``form`` is the one that was sent, if it has a number. An address that an operator has blocked
    gets the same error where it would sign in or have something sent; ``sign_up`` checks by itself.
    """
    keys = (key,) if key else state.networks(request)
    if wait := await state.throttle(request).hit(rule, *keys):
        record_throttled(request, rule, form)
        raise Throttled(timedelta(seconds=wait))
    if rule in REFUSED_TO_BLOCKED:
        await _refuse_blocked(request, form)


async def _refuse_blocked(request: Request, form: Form | None) -> None:
    subject = Subject(network=state.networks(request)[0])
    try:
        await blocks.refuse(subject, state.site(request).clock())
    except BlockedByOperator as error:
        record_refused(request, error.reason, form)
        raise Throttled(BLOCKED_WAIT) from error


def form_page(
    request: Request,
    template: str,
    url: str,
    form: Form,
    context: Mapping[str, Any],
    problem: Problem | None = None,
) -> Response:
    """The step ``template`` with its form, and the status that the errors or ``problem`` have."""
    if not (problem or form.valid):
        record_invalid(request, form)
    return page(
        request,
        template,
        url=url,
        status=problem.status if problem else 200 if form.valid else INVALID,
        retry_after=problem.retry_after if problem else None,
        **form_context(form, problem),
        **context,
    )


def form_context(form: Form, problem: Problem | None) -> dict[str, Any]:
    """What every step with a form is given: ``problem`` is beside its field, or the step's."""
    if problem:
        form.blame(problem.words, problem.field)
    return {"form": form, "problem": form.problem}
