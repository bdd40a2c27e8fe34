"""The simulated Authy API."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webapp.sandbox.phone import Inbox
from webapp.sandbox.twin import ErrorResponse, Twin, form, is_e164, retry_after_header

Handler = Callable[[Request], Awaitable[Response]]

LIFETIME = timedelta(minutes=10)
SENDS = 5
CHECKS = 5
USERS = 10_000  # kept at once
API_KEY = "5a" * 16
CREDENTIALS = {"authy_api_key": API_KEY}
ERRORS: dict[int, tuple[int, str]] = {
    60000: (500, "An error occurred"),
    60001: (401, "Invalid API key"),
    60003: (429, "Too many requests"),
    60008: (401, "Account is suspended"),
    60009: (400, "SMS limit reached"),
    60010: (400, "SMS limit reached"),
    60011: (400, "SMS limit reached"),
    60012: (400, "SMS limit reached"),
    60013: (400, "Country is not allowed"),
    60017: (401, "User is suspended"),
    60019: (401, "Token was already used"),
    60020: (401, "Token is invalid"),
    60026: (404, "User not found"),
    60027: (400, "User was not valid"),
    60033: (400, "Phone number is invalid"),
    60060: (401, "Application is suspended"),
    60078: (400, "Phone number is not supported"),
    60082: (403, "Phone number is a landline"),
    60106: (401, "Account is suspended"),
    60107: (401, "Account is suspended"),
    60115: (403, "The recipient opted out of texts"),
    60120: (429, "SMS limit reached"),
}


@dataclass(slots=True)
class Token:
    """A user's code."""

    created: datetime
    code: str = field(default_factory=lambda: f"{secrets.randbelow(10**6):06}")
    sends: int = 0
    checks: int = 0
    used: bool = False


@dataclass(slots=True)
class User:
    """A phone that Authy knows."""

    phone: str
    token: Token | None = None


class Authy(Twin):
    """Users by id, each with at most one code."""

    name = "authy"
    hosts = frozenset({"api.authy.com"})
    credentials = CREDENTIALS
    codes = frozenset(map(str, ERRORS))

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        super().__init__(inbox, clock)
        self._users: dict[str, User] = {}
        self._ids = count(1635)
        root = "/protected/json"
        self.routes = [
            Route(f"{root}/users/new", keyed(self.enrol), methods=["POST"]),
            Route(f"{root}/users/{{id}}/remove", keyed(self.remove), methods=["POST"]),
            Route(f"{root}/sms/{{id}}", keyed(self.text)),
            Route(f"{root}/call/{{id}}", keyed(self.ring)),
            Route(f"{root}/verify/{{code}}/{{id}}", keyed(self.check)),
            Route(f"{root}/app/details", keyed(self.details)),
        ]

    @staticmethod
    def error(fault: str, retry_after: int | None) -> Response:
        """Authy's answer with an error."""
        code = {"500": 60000, "429": 60003}.get(fault) or int(fault)
        return authy_error(code, retry_after=retry_after)

    async def enrol(self, request: Request) -> Response:
        """Create a user, or return the phone's existing one."""
        fields = await form(request)
        phone = f"+{fields.get('user[country_code]', '')}{fields.get('user[cellphone]', '')}"
        if not is_e164(phone) or "@" not in fields.get("user[email]", ""):
            raise ErrorResponse(authy_error(60027))
        known = (user_id for user_id, user in self._users.items() if user.phone == phone)
        user_id = next(known, None) or str(next(self._ids))
        self._users.setdefault(user_id, User(phone))
        if len(self._users) > USERS:
            del self._users[next(iter(self._users))]
        return JSONResponse(
            {
                "message": "User created successfully.",
                "user": {"id": int(user_id)},
                "success": True,
            }
        )

    async def remove(self, request: Request) -> Response:
        """Forget a user."""
        self._user(request)
        del self._users[request.path_params["id"]]
        return JSONResponse({"message": "User removed from application", "success": True})

    async def text(self, request: Request) -> Response:
        """Text a code. Without ``force`` nothing is sent, as to people who have Authy's app."""
        user = self._user(request)
        phone = {"cellphone": f"+XX-XXX-XX{user.phone[-2:]}", "success": True}
        if request.query_params.get("force") != "true":
            return JSONResponse({"message": "Ignored: SMS is not needed", "ignored": True, **phone})
        self._deliver(request, user, "sms")
        return JSONResponse({"message": "SMS token was sent", **phone})

    async def ring(self, request: Request) -> Response:
        """Call the phone and say a code."""
        user = self._user(request)
        self._deliver(request, user, "call")
        return JSONResponse(
            {
                "message": "Call started...",
                "cellphone": f"+XX-XXX-XX{user.phone[-2:]}",
                "success": True,
            }
        )

    async def check(self, request: Request) -> Response:
        """Whether a code is right. ``success`` is a string in this answer, as at Authy."""
        token = self._alive(self._user(request))
        if token is None or token.checks >= CHECKS:
            raise ErrorResponse(authy_error(60020))
        if not secrets.compare_digest(request.path_params["code"].encode(), token.code.encode()):
            token.checks += 1
            raise ErrorResponse(authy_error(60020))
        if token.used:
            raise ErrorResponse(authy_error(60019))
        token.used = True
        return JSONResponse({"message": "Token is valid.", "token": "is valid", "success": "true"})

    async def details(self, _: Request) -> Response:
        """The application; callers use it to test their key."""
        app = {"name": "Sandbox", "plan": "pay_as_you_go", "sms_enabled": True, "app_id": 1}
        return JSONResponse({"message": "Application information.", "app": app, "success": True})

    def _user(self, request: Request) -> User:
        user = self._users.get(request.path_params["id"])
        if user is None:
            raise ErrorResponse(authy_error(60026))
        return user

    def _alive(self, user: User) -> Token | None:
        if user.token and self._clock() - user.token.created >= LIFETIME:
            user.token = None
        return user.token

    def _deliver(self, request: Request, user: User, channel: str) -> None:
        token = self._alive(user)
        if token is None or token.used:
            token = user.token = Token(self._clock())
        if token.sends >= SENDS:
            raise ErrorResponse(authy_error(60009))
        token.sends += 1
        if "undelivered" not in request.scope:
            self._inbox.deliver(user.phone, f"Your Sandbox token is: {token.code}", channel=channel)


def authy_error(code: int, about: str = "", retry_after: int | None = None) -> Response:
    """Authy's error body, whose code is a string."""
    status, message = ERRORS.get(code, (400, "An error occurred"))
    body: dict[str, Any] = {
        "message": f"{message}{about}",
        "success": False,
        "errors": {"message": f"{message}{about}"},
        "error_code": str(code),
    }
    if code in {60019, 60020}:
        body["token"] = "is invalid"  # noqa: S105 (Authy's words)
    return JSONResponse(body, status, retry_after_header(retry_after))


def keyed(handler: Handler) -> Handler:
    """Require an API key."""

    async def guarded(request: Request) -> Response:
        if not request.headers.get("x-authy-api-key"):
            raise ErrorResponse(authy_error(60001))
        return await handler(request)

    return guarded
