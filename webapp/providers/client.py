"""Calls to vendors over one wire: bounded in number and time, repeated only where safe."""

import asyncio
import json
import math
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx
import structlog

from webapp.providers import Blocked, Busy, Misconfigured, ProviderError, Unreachable
from webapp.providers.http import HttpTransport

AT_ONCE = 1000  # calls in flight to one vendor from one process
ATTEMPTS = 3
LONGEST_RETRY_AFTER = 86_400.0  # seconds: a Retry-After beyond a day is rubbish or might as well be

log = structlog.get_logger("providers")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor said."""

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
        """The seconds the vendor asks us to wait, where it does so legibly."""
        return retry_after(self.headers.get("retry-after"))


ErrorParser = Callable[[Answer], ProviderError | None]  # what is wrong with it, if anything
Kinds = Mapping[str, type[ProviderError]]  # one vendor's error codes, in our words


def error_from(vendor: str, answer: Answer, code: object, kinds: Kinds) -> ProviderError:
    """What an answer that is no success means: by the vendor's ``code``, else by its status."""
    known = str(code) if re.fullmatch(r"[0-9]{1,6}", str(code)) else ""
    kind = kinds.get(known) or _by_status(answer, known)
    detail = f"{vendor}: HTTP {answer.status}" + (f", error {known}" if known else "")
    if kind is Unreachable:
        return Unreachable(detail, maybe_sent=True, code=known, retry_after=answer.retry_after)
    return kind(detail, code=known, retry_after=answer.retry_after)


def unreadable(vendor: str, what: str) -> Unreachable:
    """What it means that ``what`` in a vendor's yes is not as it should be."""
    log.error("provider answer unreadable", vendor=vendor, what=what)
    return Unreachable(f"{vendor}: unreadable answer ({what})", maybe_sent=True)


def _by_status(answer: Answer, code: str) -> type[ProviderError]:
    # A 503 in the vendor's own words was turned away at the door; one in HTML comes from a proxy,
    # behind which the call may have been at work.
    turned_away = code or answer.retry_after is not None
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Busy
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and turned_away:
        return Busy
    if (
        answer.status == HTTPStatus.REQUEST_TIMEOUT
        or answer.status // 100 in UNCLEAR_STATUS_CLASSES
    ):
        return Unreachable
    return Misconfigured


ALERTS_OPERATOR = (Blocked, Misconfigured)  # for the operator to act on
UNCLEAR_STATUS_CLASSES = (2, 5)  # hundreds: a yes that is none, a fault of the vendor's


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    request: httpx.Request
    parse_error: ErrorParser
    until: float


class VendorClient:
    """One vendor, and how many calls it may have from us at once, and for how long."""

    def __init__(
        self,
        name: str,
        wire: HttpTransport,
        *,
        base_url: str = "",
        at_once: int = AT_ONCE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``base_url`` stands in for the scheme and host of every call; the path is unchanged."""
        self.name = name
        self._wire = wire
        self._base_url = base_url.rstrip("/")
        self._at_once = at_once
        self._sleep = sleep
        self._in_flight = 0

    def deadline(self) -> float:
        """When a call that starts now has to be over, by the event loop's clock."""
        return asyncio.get_running_loop().time() + self._wire.timeout

    async def call(
        self,
        name: str,
        method: str,
        url: str,
        *,
        parse_error: ErrorParser,
        until: float | None = None,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """The vendor's answer. Raises ``ProviderError``, also for an error ``parse_error`` finds.

        ``name`` stands for the call in the log, where nothing of its URL or data may. ``until``
        lets several calls share one ``deadline()``.
        """
        if self._in_flight >= self._at_once:
            raise Busy(f"{self.name}: {self._at_once} calls in flight", retry_after=1.0)
        self._in_flight += 1
        try:
            request = self._wire.request(
                method, self._at(url), params=params, data=data, headers=headers, auth=auth
            )
            return await self._with_retries(
                _Call(name, request, parse_error, until or self.deadline())
            )
        finally:
            self._in_flight -= 1

    def _at(self, url: str) -> str:
        if not self._base_url:
            return url
        path = url.partition("://")[2].partition("/")[2]
        return f"{self._base_url}/{path}"

    async def _with_retries(self, call: _Call) -> Answer:
        attempt = 1
        while True:
            try:
                return await self._try(call, attempt)
            except ProviderError as error:
                pause = _pause(error, attempt)
                if attempt == ATTEMPTS or not _unprocessed(error) or not self._fits(pause, call):
                    raise
            await self._sleep(pause)
            attempt += 1

    async def _try(self, call: _Call, attempt: int) -> Answer:
        started, answer = _now(), None
        try:
            answer = await self._ask(call)
            if error := call.parse_error(answer):
                raise error
        except ProviderError as error:
            self._report(call, attempt, started, answer, error)
            raise
        self._report(call, attempt, started, answer)
        return answer

    async def _ask(self, call: _Call) -> Answer:
        try:
            async with asyncio.timeout_at(call.until):
                return Answer(*await self._wire.send(call.request))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as fault:
            # httpx's words may quote the URL, in which Authy's codes are: none in a traceback.
            raise self._unreachable(type(fault)) from None

    def _unreachable(self, fault: type[Exception]) -> Unreachable:
        return Unreachable(
            f"{self.name}: {fault.__name__}", maybe_sent=not issubclass(fault, NEVER_SENT)
        )

    def _fits(self, pause: float, call: _Call) -> bool:
        """Whether another attempt has the time to tell "never connected" from "no answer"."""
        return _now() + pause + 1.1 * self._wire.connect_timeout <= call.until

    def _report(
        self,
        call: _Call,
        attempt: int,
        started: float,
        answer: Answer | None,
        error: ProviderError | None = None,
    ) -> None:
        words: dict[str, Any] = {
            "vendor": self.name,
            "call": call.name,
            "attempt": attempt,
            "ms": round((_now() - started) * 1000),
        }
        if answer:
            words["status"] = answer.status
            if near_limit(answer.headers.get("twilio-reached-rate-limit")):
                words["near_limit"] = True
        if error is None:
            log.info("provider call", **words)
        else:
            alarm = log.error if isinstance(error, ALERTS_OPERATOR) else log.warning
            kind = type(error).__name__
            alarm("provider call failed", **words, error=error.code, kind=kind, detail=error.detail)


NEVER_SENT = (
    httpx.ConnectError,  # refused, no such host, a certificate we do not trust
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _unprocessed(error: ProviderError) -> bool:
    return isinstance(error, Busy | Unreachable) and not error.maybe_sent


def _pause(error: ProviderError, attempt: int) -> float:
    """What the vendor asks for, else 0.1-0.2 s and then 0.2-0.4 s, so that callers spread out."""
    if error.retry_after is not None:
        return error.retry_after
    return random.uniform(0.1, 0.2) * attempt  # noqa: S311 (no secret)


def retry_after(value: str | None) -> float | None:
    """The seconds a Retry-After header asks for, by number or date; None where illegible."""
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
    """Whether a Twilio-Reached-Rate-Limit header, a free string, says that we are close to one."""
    return (value or "").strip().lower() not in {"", "0", "false", "no", "none"}
