"""The parameters of a request: each once, as the specifications ask."""

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request

from webapp.clients.oidc.errors import OAuthError
from webapp.web.form import posted

Parameters = ImmutableMultiDict[str, object]


def once(parameters: Parameters, name: str) -> str:
    """The value of ``name``, empty where there is none.

    Raises ``OAuthError`` where it came twice (RFC 6749, 3.1 and 3.2), or has a NUL, which no text
    of PostgreSQL can have.
    """
    values = parameters.getlist(name)
    if len(values) > 1 or not all(isinstance(value, str) for value in values):
        raise OAuthError("invalid_request", f"{name} was sent more than once")
    value = str(values[0]) if values else ""
    if "\0" in value:
        raise OAuthError("invalid_request", f"{name} has a NUL character")
    return value


async def form(request: Request) -> Parameters:
    """The fields that an application posted. Raises ``OAuthError`` where they cannot be read."""
    try:
        return await posted(request)
    except HTTPException:
        raise OAuthError("invalid_request", "the body must be a form in UTF-8") from None
