"""Records in the history why a journey stops."""

from collections.abc import Iterator
from contextlib import contextmanager

from tortoise.exceptions import IntegrityError

from webapp.accounts.history.reasons import Reason, Refusal, reason_of
from webapp.accounts.journeys.site import Site
from webapp.accounts.policy.rules import LimitExceeded
from webapp.database import DATABASE_ERRORS
from webapp.providers import Channel, ProviderError


@contextmanager
def refusals(site: Site, phone: str, channel: Channel | None = None) -> Iterator[None]:
    """Record the reason if the block refuses. Do not nest them: it would be recorded twice."""
    try:
        yield
    except Exception as error:
        if reason := _reason_of(error):
            detail = error.code if isinstance(error, ProviderError) else ""
            site.history.record(reason, phone, channel=channel or "", detail=detail)
        raise


def _reason_of(error: Exception) -> Reason | None:
    """None for what is no refusal: a defect, or a request beside this one that was first."""
    if isinstance(error, LimitExceeded | ProviderError | Refusal):
        return reason_of(error)
    away = isinstance(error, DATABASE_ERRORS) and not isinstance(error, IntegrityError)
    return Reason.SITE_DATABASE if away else None
