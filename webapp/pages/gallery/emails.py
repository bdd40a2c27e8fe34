"""Every email that we send, as HTML and as text. Development only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from webapp.accounts.sending.emails import EmailWriter
from webapp.accounts.sending.notices import Notice
from webapp.pages import state
from webapp.providers import Email
from webapp.web.templates import respond

ADDRESS, TOKEN = "ada@example.com", "0123456789-abcdefghijklmnopqrstuvwxyz_ABCDE"
AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
# An email has its styles in itself.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)


@dataclass(frozen=True)
class Sample:
    """One email: its words for the index, and how it is written."""

    words: str
    write: Callable[[EmailWriter], Email]


def _told(notice: Notice) -> Sample:
    words = notice.replace("_", " ").capitalize()
    return Sample(words, lambda writer: writer.notice(notice, AT, "Firefox on Linux"))


SAMPLES: Mapping[str, Sample] = {
    "confirm-email": Sample(
        "Confirms an address, after sign-up and when asked for",
        lambda writer: writer.confirm_email(ADDRESS, TOKEN),
    ),
    "change-email": Sample(
        "Confirms a new address", lambda writer: writer.change_email(ADDRESS, TOKEN)
    ),
    "lost-phone": Sample("Leads to another number", lambda writer: writer.lost_phone(TOKEN)),
    "phone-change-waits": Sample(
        "A change of number can be stopped", lambda writer: writer.phone_change_waits(TOKEN)
    ),
    "reset-password": Sample(
        "Leads to another password", lambda writer: writer.reset_password(TOKEN)
    ),
    **{notice.replace("_", "-"): _told(notice) for notice in Notice},
}


async def show(request: Request) -> Response:
    """One email, as a mail program shows its HTML."""
    response = respond(request, _written(request).html)
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


async def show_text(request: Request) -> Response:
    """The same as plain text, after its subject."""
    email = _written(request)
    return PlainTextResponse(f"Subject: {email.subject}\n\n{email.text}")


def _written(request: Request) -> Email:
    sample, writer = SAMPLES.get(request.path_params["name"]), state.site(request).emails
    if sample is None or writer is None:
        raise HTTPException(404)
    return sample.write(writer)
