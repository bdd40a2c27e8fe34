"""The transport: what is asked again and what is not, how long, how many, what is logged."""

import asyncio
import logging
import math
import os
import traceback
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

import httpx
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from webapp.providers import Busy, CircuitOpen, Gone, ProviderError, TooManySends, Unreachable
from webapp.providers.answers import (
    LONGEST_RETRY_AFTER,
    Answer,
    error_from,
    near_limit,
    retry_after,
)
from webapp.providers.client import VendorClient
from webapp.providers.http import LARGEST_ANSWER, HttpTransport, Pools

URL = "https://api.example.com/v1/codes"
KINDS = {"60203": TooManySends, "20404": Gone}


def judge(answer: Answer) -> ProviderError | None:
    if answer.status < 300:
        return None
    return error_from("test", answer, answer.fields.get("code"), KINDS)


class Network:
    """One vendor behind a scripted wire, whose pauses take no time."""

    def __init__(self, **options: Any) -> None:
        self.pauses: list[float] = []
        self.now = datetime(2026, 5, 1, 12, tzinfo=UTC)
        self.router = respx.Router()
        self.transport = HttpTransport(10, httpx.MockTransport(self.router.async_handler))
        self.vendor = VendorClient(
            "test", self.transport, clock=lambda: self.now, sleep=self.sleep, **options
        )

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def answers(self, *answers: httpx.Response | Exception) -> respx.Route:
        return self.router.post(URL).mock(side_effect=[*answers, httpx.Response(200, json={})])

    async def call(self, url: str = URL, **options: Any) -> Answer:
        return await self.vendor.call("send", "POST", url, parse_error=judge, **options)


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network()
    yield network
    await network.transport.aclose()


def busy(code: int | None = None, wait: str = "") -> httpx.Response:
    return httpx.Response(429, json={"code": code}, headers={"Retry-After": wait})


RETRIED = {
    "refused": httpx.ConnectError("refused"),
    "no such host": httpx.ConnectError("Name or service not known"),
    "connect timeout": httpx.ConnectTimeout(""),
    "no free connection": httpx.PoolTimeout(""),
    "429 without a body": httpx.Response(429),
    "429 of an unknown code": busy(60299),
    "429 with a Retry-After that fits": busy(20429, wait="3"),
    "429 with rubbish for Retry-After": busy(20429, wait="soon"),
    "503 in the vendor's words": httpx.Response(503, json={"code": 20503}),
    "503 with a Retry-After": httpx.Response(503, text="<html>", headers={"Retry-After": "1"}),
}


@pytest.mark.parametrize("fault", RETRIED.values(), ids=RETRIED.keys())
async def test_what_was_surely_not_processed_is_asked_again(
    fault: httpx.Response | Exception, network: Network
) -> None:
    route = network.answers(fault)
    assert (await network.call()).status == 200
    assert route.call_count == 2


@pytest.mark.parametrize("fault", RETRIED.values(), ids=RETRIED.keys())
async def test_it_is_asked_three_times_and_no_more(
    fault: httpx.Response | Exception, network: Network
) -> None:
    route = network.answers(fault, fault, fault)
    with pytest.raises((Busy, Unreachable)) as raised:
        await network.call()
    assert raised.value.maybe_sent is False
    assert route.call_count == 3


MAYBE_SENT = {
    "read timeout": httpx.ReadTimeout(""),
    "write timeout": httpx.WriteTimeout(""),
    "connection lost while reading": httpx.ReadError(""),
    "connection lost while writing": httpx.WriteError(""),
    "hung up without an answer": httpx.RemoteProtocolError(""),
    "500": httpx.Response(500, json={"code": 20500}),
    "502 in HTML": httpx.Response(502, text="<html>"),
    "503 in HTML, from a proxy": httpx.Response(503, text="<html>"),
    "504": httpx.Response(504),
    "408": httpx.Response(408),
    "an answer without end": httpx.Response(200, content=b" " * (LARGEST_ANSWER + 1)),
}


@pytest.mark.parametrize("fault", MAYBE_SENT.values(), ids=MAYBE_SENT.keys())
async def test_what_may_have_been_processed_is_never_repeated(
    fault: httpx.Response | Exception, network: Network
) -> None:
    route = network.answers(fault)
    with pytest.raises(Unreachable) as raised:
        await network.call()
    assert raised.value.maybe_sent is True
    assert route.call_count == 1
    assert network.pauses == []


async def test_a_verdict_is_not_asked_for_twice_though_it_comes_as_a_429(network: Network) -> None:
    route = network.answers(busy(60203, wait="2"))
    with pytest.raises(TooManySends) as raised:
        await network.call()
    assert (raised.value.code, raised.value.retry_after) == ("60203", 2)
    assert route.call_count == 1


async def test_the_pause_is_the_one_the_vendor_asks_for(network: Network) -> None:
    network.answers(busy(wait="4"))
    await network.call()
    assert network.pauses == [4]


async def test_without_a_wish_of_the_vendor_pauses_are_short_and_grow(network: Network) -> None:
    network.answers(busy(), busy())
    await network.call()
    first, second = network.pauses
    assert 0.1 <= first <= 0.2 <= second <= 0.4


async def test_a_pause_longer_than_the_deadline_is_told_instead_of_waited_out(
    network: Network,
) -> None:
    route = network.answers(busy(wait="60"))
    with pytest.raises(Busy) as raised:
        await network.call()
    assert raised.value.retry_after == 60
    assert route.call_count == 1


async def test_calls_beyond_the_bound_are_turned_away_at_once() -> None:
    network, answered = Network(at_once=2), asyncio.Event()

    async def slowly(_: httpx.Request) -> httpx.Response:
        await answered.wait()
        return httpx.Response(200)

    route = network.router.post(URL).mock(side_effect=slowly)
    waiting = [asyncio.create_task(network.call()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Busy) as raised:
        await network.call()
    assert raised.value.retry_after
    answered.set()
    await asyncio.gather(*waiting)
    assert (await network.call()).status == 200  # the places are free again
    assert route.call_count == 3


async def test_a_vendor_that_never_answers_is_given_up_at_the_deadline() -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with aclosing(HttpTransport(0.05, httpx.MockTransport(never))) as wire:
        with pytest.raises(Unreachable) as raised:
            await VendorClient("test", wire).call("send", "POST", URL, parse_error=judge)
    assert raised.value.maybe_sent is True


async def test_a_vendor_that_trickles_its_answer_is_given_up_at_the_deadline() -> None:
    class Trickle(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0.01)
                yield b" "

    def trickle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Trickle())

    async with aclosing(HttpTransport(0.05, httpx.MockTransport(trickle))) as wire:
        with pytest.raises(Unreachable) as raised:
            await VendorClient("test", wire).call("send", "POST", URL, parse_error=judge)
    assert raised.value.maybe_sent is True


async def test_no_timeout_setting_outlasts_a_platforms_router() -> None:
    deadline = VendorClient("test", HttpTransport(3600)).deadline()
    assert deadline - asyncio.get_running_loop().time() <= 20


async def test_every_phase_of_a_call_has_a_timeout() -> None:
    phases = HttpTransport(10).request("GET", URL).extensions["timeout"].values()
    assert all(seconds and seconds <= 10 for seconds in phases)


@pytest.mark.parametrize("base", ["http://127.0.0.1:9000", "http://127.0.0.1:9000/"])
async def test_a_base_url_takes_the_place_of_scheme_and_host(base: str) -> None:
    network = Network(base_url=base)
    route = network.router.post("http://127.0.0.1:9000/v1/codes?a=1").respond(200)
    await network.call(f"{URL}?a=1")
    assert route.called


async def test_a_base_url_may_have_a_path_of_its_own() -> None:
    network = Network(base_url="http://proxy.test/twilio")
    route = network.router.post("http://proxy.test/twilio/v1/codes").respond(200)
    await network.call()
    assert route.called


async def test_redirects_are_not_followed(network: Network) -> None:
    elsewhere = network.router.route(host="elsewhere.test").respond(200)
    network.answers(httpx.Response(307, headers={"Location": "https://elsewhere.test/"}))
    with pytest.raises(ProviderError):
        await network.call()
    assert not elsewhere.called


async def test_a_vendors_cookie_does_not_go_out_with_the_next_persons_call(
    network: Network,
) -> None:
    route = network.answers(httpx.Response(200, headers={"Set-Cookie": "person=1; Path=/"}))
    await network.call()
    await network.call()
    assert "cookie" not in route.calls.last.request.headers


async def test_proxies_of_the_environment_are_not_used() -> None:
    os.environ["HTTP_PROXY"] = "http://127.0.0.1:1"
    try:
        async with serving(answers=True) as url, aclosing(HttpTransport(10)) as wire:
            vendor = VendorClient("test", wire, base_url=url)
            assert (await vendor.call("send", "GET", URL, parse_error=judge)).status == 200
    finally:
        del os.environ["HTTP_PROXY"]


# A vendor that does not answer.


SILENT = {
    "hangs": httpx.ReadTimeout(""),
    "500": httpx.Response(500),
    "502 in HTML": httpx.Response(502, text="<html>"),
    "refused": httpx.ConnectError("refused"),
}


async def fail(network: Network, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Unreachable):
            await network.call()


@pytest.mark.parametrize("fault", SILENT.values(), ids=SILENT.keys())
async def test_five_calls_in_a_row_without_an_answer_are_the_last_for_half_a_minute(
    fault: httpx.Response | Exception,
) -> None:
    network = Network()
    route = network.router.post(URL).mock(side_effect=[fault] * 100)
    await fail(network, 5)
    asked = route.call_count
    network.now += timedelta(seconds=10)
    with pytest.raises(CircuitOpen) as raised:
        await network.call()
    assert (raised.value.maybe_sent, raised.value.retry_after) == (False, 20)
    assert route.call_count == asked


async def test_an_answer_between_keeps_the_circuit_closed(network: Network) -> None:
    answers = [httpx.Response(500)] * 4 + [busy(60203)] + [httpx.Response(500)] * 4
    network.router.post(URL).mock(side_effect=[*answers, httpx.Response(200)])
    await fail(network, 4)
    with pytest.raises(TooManySends):
        await network.call()
    await fail(network, 4)
    assert (await network.call()).status == 200


async def test_after_the_pause_one_call_probes_and_its_answer_closes_the_circuit(
    network: Network,
) -> None:
    answered = asyncio.Event()

    async def slowly(_: httpx.Request) -> httpx.Response:
        await answered.wait()
        return httpx.Response(200)

    network.router.post(URL).mock(side_effect=[httpx.Response(500)] * 5)
    await fail(network, 5)
    network.now += timedelta(seconds=30)
    route = network.router.post(URL).mock(side_effect=slowly)
    probe = asyncio.create_task(network.call())
    await asyncio.sleep(0)
    with pytest.raises(CircuitOpen):
        await network.call()
    answered.set()
    assert (await probe).status == 200
    assert (await network.call()).status == 200
    assert route.call_count == 7


async def test_a_probe_without_an_answer_opens_it_for_another_pause(network: Network) -> None:
    route = network.router.post(URL).mock(side_effect=[httpx.Response(500)] * 100)
    await fail(network, 5)
    for probe in range(1, 4):
        network.now += timedelta(seconds=30)
        await fail(network, 1)
        with pytest.raises(CircuitOpen):
            await network.call()
        assert route.call_count == 5 + probe


async def test_a_probe_that_is_cancelled_leaves_the_next_one_to_be_it(network: Network) -> None:
    network.router.post(URL).mock(side_effect=[httpx.Response(500)] * 5)
    await fail(network, 5)
    network.now += timedelta(seconds=30)

    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    network.router.post(URL).mock(side_effect=never)
    probe = asyncio.create_task(network.call())
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.wait([probe])
    network.router.post(URL).mock(side_effect=[httpx.Response(200)])
    assert (await network.call()).status == 200


async def test_a_late_answer_to_a_call_from_before_closes_it(network: Network) -> None:
    answered = asyncio.Event()

    async def slowly(_: httpx.Request) -> httpx.Response:
        await answered.wait()
        return httpx.Response(200)

    network.router.post(URL).mock(side_effect=slowly)
    late = asyncio.create_task(network.call())
    await asyncio.sleep(0)
    network.router.post(URL).mock(side_effect=[httpx.Response(500)] * 5)
    await fail(network, 5)
    answered.set()
    await late
    network.router.post(URL).mock(side_effect=[httpx.Response(200)])
    assert (await network.call()).status == 200


async def test_calls_of_another_name_are_still_made(network: Network) -> None:
    network.router.post(URL).mock(side_effect=[httpx.Response(500)] * 5 + [httpx.Response(200)])
    await fail(network, 5)
    answer = await network.vendor.call("check", "POST", URL, parse_error=judge)
    assert answer.status == 200


async def test_a_clock_that_is_set_back_does_not_keep_it_open(network: Network) -> None:
    network.router.post(URL).mock(side_effect=[httpx.Response(500)] * 5 + [httpx.Response(200)])
    await fail(network, 5)
    network.now -= timedelta(hours=1)
    assert (await network.call()).status == 200


async def test_the_log_tells_when_it_opens_and_when_it_closes(network: Network) -> None:
    network.router.post(URL).mock(side_effect=[httpx.Response(500)] * 6 + [httpx.Response(200)])
    with capture_logs() as lines:
        await fail(network, 5)
        network.now += timedelta(seconds=30)
        await fail(network, 1)
        network.now += timedelta(seconds=30)
        await network.call()
    told = [line for line in lines if line["event"].startswith("circuit")]
    names = {"vendor": "test", "call": "send"}
    assert told == [
        {"event": "circuit_opened", "log_level": "error", "failures": 5, **names},
        {"event": "circuit_closed", "log_level": "warning", "failures": 6, **names},
    ]


async def test_a_log_line_tells_the_call_and_nothing_of_the_person(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = "https://api.example.com/verify/123456/77"
    network.router.get(url).mock(
        side_effect=[
            httpx.ConnectError("to +15005550006"),
            httpx.Response(400, json={"code": 60203, "message": "+15005550006"}),
        ]
    )
    with capture_logs() as lines, pytest.raises(TooManySends) as raised:
        await network.vendor.call("check", "GET", url, parse_error=judge, auth=("key", "s3cret"))
    assert [(line["call"], line["attempt"], line["kind"]) for line in lines] == [
        ("check", 1, "Unreachable"),
        ("check", 2, "TooManySends"),
    ]
    assert lines[1].items() >= {"vendor": "test", "status": 400, "error": "60203"}.items()
    everything = f"{lines} {caplog.text} {raised.value!r}"
    for secret in ("123456", "15005550006", "s3cret", "a2V5"):
        assert secret not in everything


async def test_a_traceback_does_not_quote_the_url(network: Network) -> None:
    network.answers(httpx.ReadTimeout("https://api.example.com/verify/123456/77"))
    with pytest.raises(Unreachable) as raised:
        await network.call()
    assert "123456" not in "".join(traceback.format_exception(raised.value))


async def test_a_vendor_that_says_a_limit_is_near_is_noted(network: Network) -> None:
    network.answers(httpx.Response(201, headers={"Twilio-Reached-Rate-Limit": "true"}))
    with capture_logs() as lines:
        await network.call()
    assert lines[0]["near_limit"] is True


@pytest.mark.parametrize("value", [None, "", "0", "False", " no "])
def test_no_limit_is_near_where_the_header_says_no(value: str | None) -> None:
    assert not near_limit(value)


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert retry_after("120") == 120
    assert retry_after(" 1.5 ") == 1.5
    soon = datetime.now(UTC) + timedelta(seconds=90)
    assert 80 < (retry_after(format_datetime(soon, usegmt=True)) or 0) <= 91
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("rubbish", [None, "", "soon", "-5", "1e9", "nan", "inf", "٣", "1;2"])
def test_a_retry_after_that_is_neither_is_none(rubbish: str | None) -> None:
    assert retry_after(rubbish) is None


@settings(deadline=None)
@given(
    st.text(max_size=80) | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,9} [A-Z][a-z]{2} [0-9]{1,9}.*")
)
def test_no_retry_after_does_harm(value: str) -> None:
    seconds = retry_after(value)
    assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= LONGEST_RETRY_AFTER)


# The real connection pools, against a real server on loopback.


class Server(asyncio.Protocol):
    """Answers each request after a tenth of a second, or never."""

    def __init__(self, open_: set[asyncio.Transport], *, answers: bool) -> None:
        self.open, self.answers = open_, answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.open.add(self.transport)

    def connection_lost(self, _: Exception | None) -> None:
        self.open.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        if self.answers and data.endswith(b"\r\n\r\n"):
            asyncio.get_running_loop().call_later(0.1, self.answer)

    def answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@asynccontextmanager
async def serving(*, answers: bool) -> AsyncIterator[str]:
    connections: set[asyncio.Transport] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Server(connections, answers=answers), "127.0.0.1", 0, backlog=1024
    )
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for connection in connections:
        connection.abort()
    while connections:  # noqa: ASYNC110 (they go within a turn of the loop)
        await asyncio.sleep(0)


async def test_hundreds_of_calls_at_once_are_all_answered() -> None:
    pools = Pools()
    async with serving(answers=True) as url, aclosing(HttpTransport(20, pools)) as wire:
        vendor = VendorClient("test", wire, base_url=url)
        for _ in range(2):  # the second time over connections that were kept
            calls = (vendor.call("send", "GET", URL, parse_error=judge) for _ in range(300))
            assert {answer.status for answer in await asyncio.gather(*calls)} == {200}
    assert set(pools._calls) == {0}


async def test_a_call_given_up_leaves_its_place_to_another() -> None:
    pools = Pools()
    async with serving(answers=False) as url, aclosing(HttpTransport(20, pools)) as wire:
        vendor = VendorClient("test", wire, base_url=url)
        calls = [
            asyncio.create_task(vendor.call("send", "GET", URL, parse_error=judge))
            for _ in range(5)
        ]
        while sum(pools._calls) < len(calls):  # noqa: ASYNC110 (they begin within a few turns)
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert set(pools._calls) == {0}
    assert vendor._in_flight == 0
