"""The simulated Messages API."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from webapp.sandbox.account import numbers, usage_triggers
from webapp.sandbox.phone import Inbox
from webapp.sandbox.twilio import Twilio, sid, signed_in, twilio_error
from webapp.sandbox.twin import ErrorResponse, basic_credentials, form, is_e164
from webapp.segments import segments

LONGEST = 1600
PAGE = 50
LARGEST_PAGE = 1000
SERVICE_SENDER = "+15005550006"
UNREACHABLE = "30003"
PRICED_AFTER = timedelta(seconds=30)
PRICE = "-0.04000"  # less than the list's, which has the dearest carrier


@dataclass(slots=True)
class Text:
    """A text that was accepted."""

    account: str
    to: str
    sender: str
    service: str | None
    body: str
    created: datetime
    delivered: bool
    sid: str = field(default_factory=lambda: sid("SM"))


class Messages(Twilio):
    """The last texts of every account."""

    hosts = frozenset({"api.twilio.com"})

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        super().__init__(inbox, clock)
        self.confirmed: set[str] = set()  # the texts whose codes came back
        self._texts: deque[Text] = deque(maxlen=inbox.kept)  # newest first
        account = "/2010-04-01/Accounts/{account}"
        text = f"{account}/Messages/{{sid}}"
        self.routes = [
            Route(f"{account}/Messages.json", signed_in(self.send), methods=["POST"]),
            Route(f"{account}/Messages.json", signed_in(self.list), methods=["GET"]),
            Route(f"{account}/Messages/{{sid}}.json", signed_in(self.fetch), methods=["GET"]),
            Route(f"{text}/Feedback.json", signed_in(self.confirm), methods=["POST"]),
            Route(f"{account}/IncomingPhoneNumbers.json", signed_in(numbers)),
            Route(f"{account}/Usage/Triggers.json", signed_in(usage_triggers)),
        ]

    async def send(self, request: Request) -> Response:
        """Accept a text and deliver it to the phone."""
        fields = await form(request)
        _check(fields)
        service = fields.get("MessagingServiceSid")
        text = Text(
            account=request.path_params["account"],
            to=fields["To"],
            sender=fields.get("From") or SERVICE_SENDER,
            service=service,
            body=fields["Body"],
            created=self._clock(),
            delivered="undelivered" not in request.scope,
        )
        self._texts.appendleft(text)
        if text.delivered:
            self._inbox.deliver(text.to, text.body, sender=text.sender)
        if url := fields.get("StatusCallback"):
            self._owe_callbacks(url, text, token=basic_credentials(request)[1])
        accepted = {"status": "accepted" if service else "queued", "date_sent": None}
        if service:
            accepted |= {"from": None, "num_segments": "0"}  # no sender is picked yet
        return JSONResponse(self._public(text) | accepted, 201)

    def _owe_callbacks(self, url: str, text: Text, token: str) -> None:
        names = {"MessageSid": text.sid, "AccountSid": text.account}
        told = names | {"From": text.sender, "To": text.to}
        failed = {"MessageStatus": "undelivered", "ErrorCode": UNREACHABLE}
        end = {"MessageStatus": "delivered"} if text.delivered else failed
        for status in ({"MessageStatus": "sent"}, end):
            self.callbacks.owe(url, told | status | {"SmsStatus": status["MessageStatus"]}, token)

    async def list(self, request: Request) -> Response:
        """An account's texts, newest first, by To, From and DateSent."""
        size = min(_number(request, "PageSize", PAGE) or PAGE, LARGEST_PAGE)
        page = _number(request, "Page", 0)
        start = page * size
        found = [text for text in self._texts if _matches(text, request)]

        def uri(page: int) -> str:
            url = request.url.include_query_params(PageSize=size, Page=page)
            return f"{url.path}?{url.query}"

        return JSONResponse(
            {
                "messages": [self._public(text) for text in found[start : start + size]],
                "page": page,
                "page_size": size,
                "start": start,
                "end": max(start, min(start + size, len(found)) - 1),
                "uri": uri(page),
                "first_page_uri": uri(0),
                "next_page_uri": uri(page + 1) if start + size < len(found) else None,
                "previous_page_uri": uri(page - 1) if page else None,
            }
        )

    async def fetch(self, request: Request) -> Response:
        """One text."""
        account, wanted = request.path_params["account"], request.path_params["sid"]
        for text in self._texts:
            if (text.account, text.sid) == (account, wanted):
                return JSONResponse(self._public(text))
        raise ErrorResponse(twilio_error(20404))

    async def confirm(self, request: Request) -> Response:
        """Feedback on a text: its code came back."""
        wanted, outcome = request.path_params["sid"], (await form(request)).get("Outcome")
        if outcome == "confirmed":
            self.confirmed.add(wanted)
        return JSONResponse({"message_sid": wanted, "outcome": outcome}, 201)

    def _public(self, text: Text) -> dict[str, Any]:
        is_priced = self._clock() - text.created >= PRICED_AFTER
        return _public(text) | {"price": PRICE if is_priced else None}


def _check(fields: dict[str, str]) -> None:
    if not fields.get("To"):
        raise ErrorResponse(twilio_error(21604))
    if not is_e164(fields["To"]):
        raise ErrorResponse(twilio_error(21211))
    if not (fields.get("From") or fields.get("MessagingServiceSid")):
        raise ErrorResponse(twilio_error(21603))
    if not fields.get("Body"):
        raise ErrorResponse(twilio_error(21602))
    if len(fields["Body"]) > LONGEST:
        raise ErrorResponse(twilio_error(21617))


def _number(request: Request, name: str, default: int) -> int:
    value = request.query_params.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else default


def _matches(text: Text, request: Request) -> bool:
    query, day = request.query_params, text.created.date().isoformat()
    return (
        text.account == request.path_params["account"]
        and query.get("To", text.to) == text.to
        and query.get("From", text.sender) == text.sender
        and query.get("DateSent", day)[:10] == day
        and query.get("DateSent>", day)[:10] <= day
        and query.get("DateSent<", day)[:10] >= day
    )


def _public(text: Text) -> dict[str, Any]:
    uri = f"/2010-04-01/Accounts/{text.account}/Messages/{text.sid}"
    created = format_datetime(text.created.astimezone(UTC))
    return {
        "account_sid": text.account,
        "api_version": "2010-04-01",
        "body": text.body,
        "date_created": created,
        "date_sent": created,
        "date_updated": created,
        "direction": "outbound-api",
        "error_code": None if text.delivered else int(UNREACHABLE),
        "error_message": None if text.delivered else "Unreachable destination handset",
        "from": text.sender,
        "messaging_service_sid": text.service,
        "num_media": "0",
        "num_segments": str(segments(text.body)),
        "price": None,
        "price_unit": "USD",
        "sid": text.sid,
        "status": "delivered" if text.delivered else "undelivered",
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": text.to,
        "uri": f"{uri}.json",
    }
