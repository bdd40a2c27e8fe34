"""What goes wrong, by the specifications' own codes, for the application or for the person."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webapp.web.templates import page

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class OAuthError(Exception):
    """An error that an application is told (RFC 6749, 4.1.2.1 and 5.2; OpenID Connect, 3.1.2.6)."""

    def __init__(
        self,
        code: str,
        description: str = "",
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``description`` is for the application's developer, in ASCII, and repeats no secret."""
        super().__init__(f"{code}: {description}")
        self.code, self.description = code, description
        self.status, self.headers = status, headers or {}

    @property
    def fields(self) -> dict[str, str]:
        fields = {"error": self.code, "error_description": self.description}
        return {name: value for name, value in fields.items() if value}


class UntrustedRequest(Exception):
    """A request without a known application and redirect URI: it redirects nobody."""


async def answer_oauth_error(_: Request, error: Exception) -> Response:
    """The JSON for an application that called us directly."""
    assert isinstance(error, OAuthError)  # noqa: S101
    return JSONResponse(error.fields, error.status, {**NO_STORE, **error.headers})


async def answer_untrusted(request: Request, error: Exception) -> Response:
    """Our error page, for the person whose browser was sent here."""
    return page(
        request,
        "errors/error.html",
        status=400,
        title="This link doesn’t work",
        text=f"The site that sent you here is not set up correctly: {error}.",
        request_id=request.scope.get("request_id", ""),
    )
