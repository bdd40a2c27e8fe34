"""The simulated Verify v2 API."""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webapp.sandbox.phone import Inbox
from webapp.sandbox.twilio import Twilio, is_sid, sid, signed_in, twilio_error
from webapp.sandbox.twin import ErrorResponse, form, is_e164

LIFETIME = timedelta(minutes=10)
SENDS = 5
CHECKS = 5
MOST_ATTEMPTS = 1000
CHANNELS = ("sms", "call", "whatsapp", "email", "auto", "sna")
ATTEMPT_PRICE = "0.0400"  # less than the list's, which has the dearest carrier
ORIGIN = "https://verify.twilio.com"


@dataclass(slots=True)
class Verification:
    """One verification of one number."""

    service: str
    to: str
    channel: str
    created: datetime
    updated: datetime
    sid: str = field(default_factory=lambda: sid("VE"))
    code: str = field(default_factory=lambda: f"{secrets.randbelow(10**6):06}")
    status: str = "pending"
    sends: list[dict[str, str]] = field(default_factory=list)
    checks: int = 0


class Verify(Twilio):
    """Verifications by service and number, until they end."""

    hosts = frozenset({"verify.twilio.com"})

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        super().__init__(inbox, clock)
        self._by_number: dict[tuple[str, str], Verification] = {}  # in the order of their making
        self._by_sid: dict[str, Verification] = {}
        self._attempts: deque[dict[str, Any]] = deque(maxlen=MOST_ATTEMPTS)  # newest first
        service = "/v2/Services/{service}"
        self.routes = [
            Route(service, signed_in(self.service)),
            Route(f"{service}/Verifications", signed_in(self.send), methods=["POST"]),
            Route(f"{service}/Verifications/{{sid}}", signed_in(self.fetch), methods=["GET"]),
            Route(f"{service}/Verifications/{{sid}}", signed_in(self.update), methods=["POST"]),
            Route(f"{service}/VerificationCheck", signed_in(self.check), methods=["POST"]),
            Route("/v2/Attempts", signed_in(self.attempts)),
        ]

    async def service(self, request: Request) -> Response:
        """The service; callers use it to test their credentials."""
        service = _service(request)
        return JSONResponse(
            {
                "sid": service,
                "account_sid": _account(request),
                "friendly_name": "Sandbox",
                "code_length": 6,
                "lookup_enabled": False,
                "psd2_enabled": False,
                "skip_sms_to_landlines": False,
                "dtmf_input_required": False,
                "do_not_share_warning_enabled": False,
                "custom_code_enabled": False,
                "whatsapp": {"from": "whatsapp:+15005550006", "msg_service_sid": sid("MG")},
                "date_created": "2015-07-30T20:00:00Z",
                "date_updated": "2015-07-30T20:00:00Z",
                "url": f"{ORIGIN}/v2/Services/{service}",
                "links": {"verifications": f"{ORIGIN}/v2/Services/{service}/Verifications"},
            }
        )

    async def send(self, request: Request) -> Response:
        """Send a code: the same one for 10 minutes, and at most 5 times."""
        service, fields = _service(request), await form(request)
        to, channel = fields.get("To", ""), fields.get("Channel", "")
        if not is_e164(to):
            raise ErrorResponse(twilio_error(60200, ": To"))
        if channel not in CHANNELS:
            raise ErrorResponse(twilio_error(60200, ": Channel"))
        verification = self._pending(service, to) or self._begin(service, to, channel)
        if verification.checks >= CHECKS:
            raise ErrorResponse(twilio_error(60202, retry_after=self._left(verification)))
        if len(verification.sends) >= SENDS:
            raise ErrorResponse(twilio_error(60203, retry_after=self._left(verification)))
        self._deliver(request, verification, channel)
        return JSONResponse(self._public(request, verification), 201)

    async def check(self, request: Request) -> Response:
        """Whether a code is right. At most 5 checks, and a right code counts once."""
        service, fields = _service(request), await form(request)
        code = fields.get("Code", "")
        if not 4 <= len(code) <= 10:  # noqa: PLR2004
            raise ErrorResponse(twilio_error(60200, ": Code"))
        verification = self._find(service, fields.get("VerificationSid", ""), fields.get("To", ""))
        if verification.checks >= CHECKS:
            raise ErrorResponse(twilio_error(60202, retry_after=self._left(verification)))
        verification.checks += 1
        verification.updated = self._clock()
        if secrets.compare_digest(code.encode(), verification.code.encode()):
            self._end(verification, "approved")
        answer = self._public(request, verification)
        for name in ("lookup", "send_code_attempts", "sna", "url"):
            del answer[name]
        return JSONResponse({**answer, "sna_attempts_error_codes": []})

    async def fetch(self, request: Request) -> Response:
        """One verification that has not ended."""
        verification = self._find(_service(request), request.path_params["sid"])
        return JSONResponse(self._public(request, verification))

    async def attempts(self, request: Request) -> Response:
        """The sends of a service, newest first, and what became of each."""
        query = request.query_params
        after, service = query.get("DateCreatedAfter", ""), query.get("VerifyServiceSid", "")
        found = [
            attempt
            for attempt in self._attempts
            if attempt["date_created"] >= after and service in ("", attempt["service_sid"])
        ]
        meta = {"key": "attempts", "page": 0, "page_size": MOST_ATTEMPTS, "next_page_url": None}
        return JSONResponse({"attempts": found, "meta": meta})

    async def update(self, request: Request) -> Response:
        """End a verification."""
        verification = self._find(_service(request), request.path_params["sid"])
        status = (await form(request)).get("Status", "")
        if status not in ("canceled", "approved"):
            raise ErrorResponse(twilio_error(60200, ": Status"))
        self._end(verification, status)
        return JSONResponse(self._public(request, verification))

    def _pending(self, service: str, to: str) -> Verification | None:
        self._forget_the_old()
        return self._by_number.get((service, to))

    def _begin(self, service: str, to: str, channel: str) -> Verification:
        now = self._clock()
        verification = Verification(service, to, channel, created=now, updated=now)
        self._by_number[service, to] = verification
        self._by_sid[verification.sid] = verification
        return verification

    def _deliver(self, request: Request, verification: Verification, channel: str) -> None:
        now = verification.updated = self._clock()
        verification.channel = channel
        attempt, delivered = sid("VL"), "undelivered" not in request.scope
        verification.sends.append(
            {"attempt_sid": attempt, "channel": channel.upper(), "time": _iso(now)}
        )
        self._attempts.appendleft(_attempt(attempt, verification, now, delivered=delivered))
        if delivered:
            words = f"Your Sandbox verification code is: {verification.code}"
            shown = channel if channel in ("call", "whatsapp") else "sms"
            self._inbox.deliver(verification.to, words, channel=shown)

    def _find(self, service: str, sid: str, to: str = "") -> Verification:
        self._forget_the_old()
        verification = self._by_sid.get(sid) if sid else self._by_number.get((service, to))
        if not verification or verification.service != service:
            raise ErrorResponse(twilio_error(20404))
        return verification

    def _end(self, verification: Verification, status: str) -> None:
        verification.status = status
        del self._by_sid[verification.sid]
        del self._by_number[verification.service, verification.to]

    def _forget_the_old(self) -> None:
        while oldest := next(iter(self._by_number.values()), None):
            if self._left(oldest) > 0:
                return
            self._end(oldest, "expired")

    def _left(self, verification: Verification) -> int:
        return int((verification.created + LIFETIME - self._clock()).total_seconds())

    def _public(self, request: Request, verification: Verification) -> dict[str, Any]:
        service = verification.service
        return {
            "sid": verification.sid,
            "service_sid": service,
            "account_sid": _account(request),
            "to": verification.to,
            "channel": verification.channel,
            "status": verification.status,
            "valid": verification.status == "approved",
            "date_created": _iso(verification.created),
            "date_updated": _iso(verification.updated),
            "lookup": {},
            "amount": None,
            "payee": None,
            "send_code_attempts": verification.sends,
            "sna": None,
            "url": f"{ORIGIN}/v2/Services/{service}/Verifications/{verification.sid}",
        }


def _attempt(
    name: str, verification: Verification, now: datetime, *, delivered: bool
) -> dict[str, Any]:
    failed = {"message_status": "undelivered", "error_code": "30003"}
    return {
        "sid": name,
        "service_sid": verification.service,
        "verification_sid": verification.sid,
        "date_created": _iso(now),
        "date_updated": _iso(now),
        "conversion_status": "unconverted",
        "channel": verification.channel,
        "price": {"value": ATTEMPT_PRICE, "currency": "usd"},
        "channel_data": {
            "to": verification.to,
            **({"message_status": "delivered"} if delivered else failed),
        },
        "url": f"{ORIGIN}/v2/Attempts/{name}",
    }


def _service(request: Request) -> str:
    service = str(request.path_params["service"])
    if not is_sid("VA", service):
        raise ErrorResponse(twilio_error(20404))
    return service


def _account(request: Request) -> str:
    """The caller's account; that of an API key is made up."""
    login = request.scope["login"]
    return str(login) if login.startswith("AC") else "AC" + login[2:]


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
