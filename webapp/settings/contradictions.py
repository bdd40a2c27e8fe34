"""What is wrong with settings that are good one by one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from webapp.connections import libpq
from webapp.segments import segments, spellings
from webapp.settings import urls
from webapp.settings.declaration import missing

if TYPE_CHECKING:
    from webapp.settings import Settings


def contradictions(settings: "Settings") -> Iterator[tuple[str, str]]:
    """The variables at fault, and what is wrong with each."""
    yield from missing(settings, development=settings.development)
    yield from _database(settings)
    yield from _vendors(settings)
    yield from _origins(settings)
    if settings.session_lifetime < settings.session_idle:
        yield "SESSION_LIFETIME", "is shorter than SESSION_IDLE"


def _database(settings: "Settings") -> Iterator[tuple[str, str]]:
    if settings.database_schema and not settings.database_url.startswith(libpq.SCHEMES):
        yield "DATABASE_SCHEMA", "is for PostgreSQL alone"
    elif settings.database_schema and "search_path" in libpq.parameters(settings.database_url).get(
        "options", ""
    ):
        yield "DATABASE_SCHEMA", "contradicts the search_path in DATABASE_URL: leave one out"


def _vendors(settings: "Settings") -> Iterator[tuple[str, str]]:
    if settings.verify_provider == "sandbox" and not settings.development:
        yield "VERIFY_PROVIDER", "sandbox is for development only"
    limited = settings.spend_per_hour is not None or settings.spend_per_day is not None
    if limited and not settings.prices and not settings.uses_twilio:
        yield "PRICES", "is missing: only Twilio has a list of prices to hold the limits against"
    if settings.messenger_fallback == settings.messenger:
        yield "MESSENGER_FALLBACK", "is MESSENGER itself: choose another, or none"
    if settings.whatsapp and settings.verify_provider not in ("twilio", "sandbox"):
        yield "WHATSAPP", "is a channel of VERIFY_PROVIDER=twilio alone"


def _origins(settings: "Settings") -> Iterator[tuple[str, str]]:
    if _is_plain_http(settings, settings.webhook_url):
        yield "WEBHOOK_URL", "must be https in production: events have emails and phone numbers"
    if _is_plain_http(settings, settings.base_url):
        yield "BASE_URL", "must be https in production"
    host = urlsplit(settings.base_url).hostname
    if host and not _fits_in_a_text(settings.code_name, host):
        variable = "SITE_NAME" if settings.code_name == settings.site_name else "CODE_NAME"
        words = "cannot be written in one text beside the host of BASE_URL"
        yield variable, f"{words}: set CODE_NAME to a short name, best in Latin letters"


def _is_plain_http(settings: "Settings", url: str) -> bool:
    """Whether what is sent to ``url`` could be read on the way, in production."""
    parts = urlsplit(url)
    loopback = urls.is_loopback(parts.hostname or "")
    return parts.scheme == "http" and not settings.development and not loopback


def _fits_in_a_text(name: str, host: str) -> bool:
    """Whether the shortest text of a code has room for a spelling of ``name``.

    A host that takes the whole text is no fault of the name's.
    """
    bound = f"\n\n@{host} #000000"
    return segments(f": 000000{bound}") > 1 or any(
        spelling and segments(f"{spelling}: 000000{bound}") == 1 for spelling in spellings(name)
    )
