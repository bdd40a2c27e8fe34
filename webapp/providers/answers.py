"""A vendor's answer, and which of our errors one that is no success means."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx
import structlog

from webapp.providers import Busy, Misconfigured, ProviderError, Unreachable

LONGEST_RETRY_AFTER = 86_400.0  # seconds; a vendor that asks for more is taken to ask for this
UNCLEAR_STATUS_CLASSES = (2, 5)  # hundreds: a success that cannot be read, a fault at the vendor

log = structlog.get_logger("providers")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response of a vendor."""

    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def text(self) -> str:
        """The body as text, whatever its bytes."""
        return self.content.decode("utf-8", "replace")

    @property
    def fields(self) -> dict[str, Any]:
        """The body's JSON object; empty where it is anything else."""
        try:
            body = json.loads(self.content)
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}

    @property
    def retry_after(self) -> float | None:
        """The seconds the vendor asks us to wait, or None where that cannot be read."""
        return retry_after(self.headers.get("retry-after"))


ErrorParser = Callable[[Answer], ProviderError | None]  # the error in an answer; None: a success
Kinds = Mapping[str, type[ProviderError]]  # one vendor's error codes, and which error each means


def error_from(vendor: str, answer: Answer, code: object, kinds: Kinds) -> ProviderError:
    """The error that ``answer`` means: by the vendor's ``code`` if known, else by its status."""
    known = str(code) if re.fullmatch(r"[0-9]{1,6}", str(code)) else ""
    kind = kinds.get(known) or _by_status(answer, known)
    detail = f"{vendor}: HTTP {answer.status}" + (f", error {known}" if known else "")
    if kind is Unreachable:
        return Unreachable(detail, maybe_sent=True, code=known, retry_after=answer.retry_after)
    return kind(detail, code=known, retry_after=answer.retry_after)


def unreadable(vendor: str, what: str) -> Unreachable:
    """The error for a success whose part ``what`` is not as the vendor documents it."""
    log.error("provider answer unreadable", vendor=vendor, what=what)
    return Unreachable(f"{vendor}: unreadable answer ({what})", maybe_sent=True)


def _by_status(answer: Answer, code: str) -> type[ProviderError]:
    # A 503 with an error code or a Retry-After is the vendor's own: it rejected the call. Any other
    # 503 comes from a proxy, behind which the call may have been processed.
    vendors_own = code or answer.retry_after is not None
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Busy
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and vendors_own:
        return Busy
    unclear = answer.status // 100 in UNCLEAR_STATUS_CLASSES
    if unclear or answer.status == HTTPStatus.REQUEST_TIMEOUT:
        return Unreachable
    return Misconfigured


def retry_after(value: str | None) -> float | None:
    """The seconds that a Retry-After header (a number or a date) asks for; None if unreadable."""
    value = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return min(float(value), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
        wait = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(math.ceil(wait), 0.0), LONGEST_RETRY_AFTER)


def near_limit(value: str | None) -> bool:
    """Whether a Twilio-Reached-Rate-Limit header, which is free text, says yes."""
    return (value or "").strip().lower() not in {"", "0", "false", "no", "none"}
