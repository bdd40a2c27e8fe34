"""Calls to a vendor: bounded in number and time, retried only where that is safe, logged."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from webapp.providers import Busy, ProviderError, Unreachable
from webapp.providers.answers import Answer, ErrorParser, near_limit
from webapp.providers.call_log import log_call
from webapp.providers.circuit import Circuit
from webapp.providers.http import HttpTransport

AT_ONCE = 1000  # calls in flight to one vendor from one process
ATTEMPTS = 3
NEVER_SENT = (
    httpx.ConnectError,  # refused, no such host, a certificate that we do not trust
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    request: httpx.Request
    parse_error: ErrorParser
    until: float  # by the event loop's clock


def _utcnow() -> datetime:
    return datetime.now(UTC)


class VendorClient:
    """The HTTP client of one vendor."""

    def __init__(
        self,
        name: str,
        transport: HttpTransport,
        *,
        base_url: str = "",
        at_once: int = AT_ONCE,
        clock: Callable[[], datetime] = _utcnow,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``base_url`` replaces the scheme and host of every call; the path stays the same."""
        self.name = name
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._at_once = at_once
        self._clock, self._sleep = clock, sleep
        self._circuits: dict[str, Circuit] = {}  # by the name of the call
        self._in_flight = 0

    def deadline(self, within: timedelta | None = None) -> float:
        """When a call that starts now must be over, by the event loop's clock."""
        return _now() + (within.total_seconds() if within else self._transport.timeout)

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
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """The vendor's answer. Raises ``ProviderError``, also for an error ``parse_error`` finds.

        The log names the call by ``name``, because its URL and data may hold numbers, codes and
        keys; calls of one name share a ``Circuit``. ``until`` lets several calls share one
        ``deadline()``.
        """
        if self._in_flight >= self._at_once:
            raise Busy(f"{self.name}: {self._at_once} calls in flight", retry_after=1.0)
        self._in_flight += 1
        try:
            request = self._transport.request(
                method,
                self._at(url),
                params=params,
                data=data,
                content=content,
                headers=headers,
                auth=auth,
            )
            with self._circuit(name).guard():
                return await self._with_retries(
                    _Call(name, request, parse_error, until or self.deadline())
                )
        finally:
            self._in_flight -= 1

    def _circuit(self, name: str) -> Circuit:
        if name not in self._circuits:
            self._circuits[name] = Circuit(self.name, name, self._clock)
        return self._circuits[name]

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
            self._log(call, attempt, started, answer, error)
            raise
        self._log(call, attempt, started, answer)
        return answer

    async def _ask(self, call: _Call) -> Answer:
        try:
            async with asyncio.timeout_at(call.until):
                return Answer(*await self._transport.send(call.request))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as fault:
            # httpx's messages may quote the URL, which holds the code in Authy's API.
            raise self._unreachable(type(fault)) from None

    def _unreachable(self, fault: type[Exception]) -> Unreachable:
        return Unreachable(
            f"{self.name}: {fault.__name__}", maybe_sent=not issubclass(fault, NEVER_SENT)
        )

    def _fits(self, pause: float, call: _Call) -> bool:
        """Whether enough time is left for another attempt to connect after ``pause`` seconds."""
        return _now() + pause + 1.1 * self._transport.connect_timeout <= call.until

    def _log(
        self,
        call: _Call,
        attempt: int,
        started: float,
        answer: Answer | None,
        error: ProviderError | None = None,
    ) -> None:
        values: dict[str, Any] = {
            "vendor": self.name,
            "call": call.name,
            "attempt": attempt,
            "ms": round((_now() - started) * 1000),
        }
        if answer:
            values["status"] = answer.status
            if near_limit(answer.headers.get("twilio-reached-rate-limit")):
                values["near_limit"] = True
        log_call(error, **values)


Connect = Callable[[str], VendorClient]  # the client of the vendor with this name


def _now() -> float:
    return asyncio.get_running_loop().time()


def _unprocessed(error: ProviderError) -> bool:
    return isinstance(error, Busy | Unreachable) and not error.maybe_sent


def _pause(error: ProviderError, attempt: int) -> float:
    """Seconds before the next attempt: what the vendor asks for, else 0.1-0.2 s, then 0.2-0.4 s.

    The random part keeps callers that failed together from coming back together.
    """
    if error.retry_after is not None:
        return error.retry_after
    return random.uniform(0.1, 0.2) * attempt  # noqa: S311 (no secret)
