"""Our cookies, each a token that no script and no other site can read."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response


class TokenCookie:
    """Reads and writes one. ``__Host-`` binds it to our host over https (ASVS 3.3.1, 3.3.3)."""

    def __init__(self, name: str, *, https: bool, lifetime: timedelta) -> None:
        self.name = f"__Host-{name}" if https else name
        self.https, self.lifetime = https, lifetime

    def read(self, request: Request) -> str:
        """The token, or nothing."""
        return request.cookies.get(self.name, "")

    def write(self, response: Response, token: str) -> None:
        response.set_cookie(
            self.name,
            token,
            max_age=int(self.lifetime.total_seconds()),
            path="/",
            secure=self.https,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        response.delete_cookie(
            self.name, path="/", secure=self.https, httponly=True, samesite="lax"
        )
