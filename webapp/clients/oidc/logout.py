"""Signing out from an application (OpenID Connect RP-Initiated Logout 1.0)."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webapp.accounts.journeys.new_browser import sign_out
from webapp.clients.access import Access, access, session_token, signed_in
from webapp.clients.oidc import id_tokens
from webapp.clients.oidc.authorize import SEE_OTHER
from webapp.clients.oidc.errors import OAuthError, UntrustedRequest
from webapp.clients.oidc.parameters import Parameters, form, once
from webapp.settings.clients import Client
from webapp.web import return_to
from webapp.web.form import posted
from webapp.web.security import origin_of
from webapp.web.templates import page

PATH = "/oidc/logout"
TEMPLATE = "oidc/signout.html"


@dataclass(frozen=True, slots=True)
class Logout:
    """What the application asks for."""

    subject: str  # whom its ID token was about; empty where it showed none
    onward: str  # where the person goes on to afterwards; empty for our own page

    @classmethod
    async def read(cls, access: Access, parameters: Parameters) -> "Logout":
        """Raises ``UntrustedRequest`` where the person could be sent on to a stranger."""
        try:
            hint, client_id = once(parameters, "id_token_hint"), once(parameters, "client_id")
            target = once(parameters, "post_logout_redirect_uri")
            state = once(parameters, "state")
        except OAuthError as error:
            raise UntrustedRequest(error.description) from None
        token = await id_tokens.read(access, hint) if hint else None
        if token and client_id not in {"", token["aud"]}:
            raise UntrustedRequest("its id_token_hint is another client’s")
        client = access.clients.get(token["aud"] if token else client_id)
        if target and not (client and _is_of(client, target)):
            raise UntrustedRequest("its post_logout_redirect_uri is not registered")
        if target and state:
            target += ("&" if "?" in target else "?") + urlencode({"state": state})
        return cls(token["sub"] if token else "", target)


def _is_of(client: Client, url: str) -> bool:
    """Whether ``url`` has the origin of one of the client's registered redirect URIs."""
    origins = set(map(origin_of, client.redirect_uris))
    absolute = not url.startswith("/") and "#" not in url
    return absolute and bool(return_to.allowed(url, own="null", others=origins))


async def show(request: Request) -> Response:
    """End the session if the application shows that it is the person's; ask the person if not.

    Any site can lead a browser here, but only the application has an ID token of this person.
    """
    asked = await Logout.read(access(request), request.query_params)
    user = await signed_in(request)
    if user and asked.subject != user.subject:
        return page(request, TEMPLATE, ended=False, onward=asked.onward)
    if asked.subject and asked.onward:
        response: Response = RedirectResponse(asked.onward, SEE_OTHER)
    else:
        response = page(request, TEMPLATE, ended=True, onward=asked.onward)
    return await _end(request, response) if user else response  # who signs up goes on with it


async def submit(request: Request) -> Response:
    """The same by POST, which must be taken too: the browser comes again by GET."""
    fields = [(name, str(value)) for name, value in (await form(request)).multi_items()]
    return RedirectResponse(f"{PATH}?{urlencode(fields)}", SEE_OTHER)


async def confirm(request: Request) -> Response:
    """The person says so, on our own page. The way on is a link: no form leads to another site."""
    onward = once(await posted(request), "onward")
    if not any(_is_of(client, onward) for client in access(request).clients.values()):
        onward = ""
    return await _end(request, page(request, TEMPLATE, ended=True, onward=onward))


async def _end(request: Request, response: Response) -> Response:
    """End the session. ``response`` clears its cookie and sets the one we know browsers by."""
    here = access(request)
    known, site = here.browser_cookie.read(request), request.app.state.site
    if browser := await sign_out(site, session_token(request), known):
        here.browser_cookie.write(response, browser)
    here.cookie.clear(response)
    return response
