"""The first half of a sign-in: the browser comes from an application and goes back with a code."""

from datetime import datetime
from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webapp.accounts.people.sessions import Session, token_hash
from webapp.accounts.people.users import User
from webapp.clients.access import SIGNIN, SIGNUP, Access, access, session_token, signed_in, way_in
from webapp.clients.oidc import grants, id_tokens
from webapp.clients.oidc.authorization import AuthorizationRequest, Destination, again
from webapp.clients.oidc.errors import OAuthError
from webapp.clients.oidc.grants import Grant
from webapp.clients.oidc.parameters import Parameters, form

log = structlog.get_logger(__name__)
PATH = "/oidc/authorize"
SEE_OTHER = 303  # never 307, by which a browser would post a password on (RFC 9700, 4.12)


async def show(request: Request) -> Response:
    """Back to the application with a code, or on to where the person signs in or up."""
    parameters = request.query_params
    destination = Destination.read(parameters, access(request).clients)
    issuer = access(request).issuer
    try:
        asked = AuthorizationRequest.read(parameters)
        session = await _session(request, asked, destination)
        if session is None:
            return _on_the_way_in(asked, parameters, access(request))
        code = await _issue(asked, destination, session, access(request).clock())
    except OAuthError as error:
        log.info("authorization_refused", client_id=destination.client.client_id, error=error.code)
        return RedirectResponse(destination.url(issuer, **error.fields), SEE_OTHER)
    log.info("authorized", client_id=destination.client.client_id, user=session.user_id)
    return RedirectResponse(destination.url(issuer, code=code), SEE_OTHER)


async def submit(request: Request) -> Response:
    """The same by POST, which must be taken too: the browser comes again by GET.

    With a post from another site it sends no cookie of ours, and nobody would seem signed in.
    """
    fields = [(name, str(value)) for name, value in (await form(request)).multi_items()]
    return RedirectResponse(f"{PATH}?{urlencode(fields)}", SEE_OTHER)


async def _session(
    request: Request, asked: AuthorizationRequest, destination: Destination
) -> Session | None:
    """The session that answers, or None where the person must sign in first.

    Raises ``OAuthError`` where they would have to, but nothing may be shown.
    """
    user = await signed_in(request)
    session = await Session.get_or_none(token_hash=token_hash(session_token(request)))
    if user and session and _fresh(asked, session, access(request).clock()):
        if await _is_expected(request, asked, destination, user):
            return session
        if asked.signed_in_since:
            raise OAuthError(
                "login_required", "somebody else is signed in than id_token_hint names"
            )
    if asked.silent:
        raise OAuthError("login_required")
    return None


def _fresh(asked: AuthorizationRequest, session: Session, now: datetime) -> bool:
    """Whether the person signed in as lately as the application asks."""
    since = session.created_at
    old = asked.max_age is not None and now - since > asked.max_age
    return not ("login" in asked.prompts or old or int(since.timestamp()) < asked.signed_in_since)


async def _is_expected(
    request: Request, asked: AuthorizationRequest, destination: Destination, user: User
) -> bool:
    """Whether it is the person of ``id_token_hint``, if the application sent one."""
    if not asked.id_token_hint:
        return True
    hint = await id_tokens.read(access(request), asked.id_token_hint)
    if hint is None or hint["aud"] != destination.client.client_id:
        raise OAuthError("invalid_request", "id_token_hint is not an ID token of this client")
    return bool(hint["sub"] == user.subject)


def _on_the_way_in(asked: AuthorizationRequest, parameters: Parameters, access: Access) -> Response:
    """Send the person to sign in or up, from where they come back with the same request.

    Raises ``OAuthError`` where it is too long to come back to.
    """
    anew = "login" in asked.prompts or asked.max_age is not None or asked.id_token_hint
    since = int(access.clock().timestamp()) if anew else asked.signed_in_since
    back = again(PATH, parameters, since)
    if not access.may_return_to(back):
        raise OAuthError("invalid_request", "the request is too long: shorten state")
    url = way_in(
        SIGNUP if asked.creates else SIGNIN,
        back,
        login_hint=asked.login_hint,
        prompt="login" if anew and not asked.creates else "",  # also who is signed in signs in
    )
    return RedirectResponse(url, SEE_OTHER)


async def _issue(
    asked: AuthorizationRequest, destination: Destination, session: Session, now: datetime
) -> str:
    return await grants.issue(
        Grant(
            session_id=session.token_hash,
            client_id=destination.client.client_id,
            redirect_uri=destination.redirect_uri,
            scope=asked.scope,
            nonce=asked.nonce,
            code_challenge=asked.code_challenge,
            created_at=now,
        )
    )
