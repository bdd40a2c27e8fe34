import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import redis.asyncio
from structlog.testing import capture_logs

from tests.postgres import free_port
from webapp.web.throttle import (
    MOST_KEYS,
    REDIS_DEADLINE,
    REDIS_PAUSE,
    WARN_EVERY,
    Throttle,
    parse_rule,
)

HOUR = 3600


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def throttle(
    rule: str | None, redis_url: str = "", clock: Clock | None = None
) -> AsyncIterator[Throttle]:
    """A throttle with one rule, ``signups``."""
    made = Throttle({"signups": rule}, redis_url, secret="s" * 32, clock=clock or Clock())
    yield made
    await made.aclose()


async def hits(throttle: Throttle, key: str, times: int) -> list[float | None]:
    return [await throttle.hit("signups", key) for _ in range(times)]


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> str:
    """Where the counts are: the URL of a real Redis, or none."""
    return str(request.getfixturevalue("redis_url")) if request.param == "redis" else ""


@pytest.fixture
def visitor() -> str:
    """A visitor whom no other test has counted."""
    return uuid4().hex


async def test_the_eleventh_of_ten_an_hour_waits_for_an_hour(store: str, visitor: str) -> None:
    async with throttle("10/hour", store) as signups:
        assert await hits(signups, visitor, 10) == [None] * 10
        wait = await signups.hit("signups", visitor)
        assert wait == pytest.approx(HOUR, abs=5)


async def test_one_visitor_does_not_spend_anothers_tries(store: str, visitor: str) -> None:
    async with throttle("1/hour", store) as signups:
        await hits(signups, visitor, 5)
        assert await signups.hit("signups", f"{visitor} too") is None


async def test_who_waits_as_told_may_go_on(store: str, visitor: str) -> None:
    async with throttle("1/second", store) as signups:
        assert await signups.hit("signups", visitor) is None
        wait = await signups.hit("signups", visitor)
        assert wait == 1  # never less: Retry-After is in whole seconds
        await asyncio.sleep(wait)
        assert await signups.hit("signups", visitor) is None


async def test_a_rule_of_two_windows_keeps_both(store: str, visitor: str) -> None:
    async with throttle("5/second; 2/hour", store) as signups:
        assert await hits(signups, visitor, 2) == [None, None]
        assert await signups.hit("signups", visitor) == pytest.approx(HOUR, abs=5)


async def test_parallel_tries_get_no_more_than_the_rule_allows(store: str, visitor: str) -> None:
    async with throttle("10/hour", store) as signups:
        answers = await asyncio.gather(*(signups.hit("signups", visitor) for _ in range(100)))
    assert answers.count(None) == 10


async def test_a_rule_that_is_off_counts_nothing(visitor: str) -> None:
    async with throttle(None) as signups:
        assert await hits(signups, visitor, 100) == [None] * 100


async def test_two_names_are_counted_apart(store: str, visitor: str) -> None:
    both = Throttle({"signups": "1/hour", "checks": "1/hour"}, store)
    assert await both.hit("signups", visitor) is None
    assert await both.hit("checks", visitor) is None
    await both.aclose()


@pytest.mark.parametrize("text", ["", "ten an hour", "10", "10/fortnight", "-1/hour", "0/hour"])
def test_a_rule_that_does_not_parse_or_allows_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rule|rate limit|granularity"):
        parse_rule(text)


# Memory


async def test_memory_holds_no_more_than_a_bounded_number_of_visitors() -> None:
    async with throttle("1/hour") as signups:
        for number in range(MOST_KEYS + 10):
            await signups.hit("signups", str(number))
        assert len(signups.memory.events) <= MOST_KEYS + 1


async def test_counts_that_have_run_out_are_cleared_once_in_a_while(visitor: str) -> None:
    clock = Clock()
    async with throttle("1/second", clock=clock) as signups:
        await hits(signups, visitor, 1)
        await asyncio.sleep(1.1)  # limits reads the machine's clock
        await signups.hit("signups", "another")
        await asyncio.sleep(0.1)
        assert len(signups.memory.events) == 2
        clock.now += 3600
        signups.memory.timer = None
        await signups.hit("signups", "another")
        for _ in range(100):
            await asyncio.sleep(0.01)
            if len(signups.memory.events) == 1:
                return
    pytest.fail("the visitor of an hour ago is still remembered")


# Redis


async def test_processes_that_share_a_redis_share_the_count(redis_url: str, visitor: str) -> None:
    async with throttle("10/hour", redis_url) as one, throttle("10/hour", redis_url) as other:
        assert await hits(one, visitor, 6) == [None] * 6
        assert (await hits(other, visitor, 6)).count(None) == 4


async def test_redis_holds_no_address(redis_url: str) -> None:
    async with throttle("10/hour", redis_url) as signups:
        await signups.hit("signups", "203.0.113.77")
    async with redis.asyncio.Redis.from_url(redis_url) as connection:
        keys = str(await connection.keys())
    assert "LIMIT" in keys
    assert "203.0.113.77" not in keys


async def test_a_connection_that_redis_closed_meanwhile_is_made_anew(
    redis_url: str, visitor: str
) -> None:
    async with throttle("1/hour", redis_url) as signups:
        assert await signups.hit("signups", visitor) is None
        async with redis.asyncio.Redis.from_url(redis_url) as connection:
            await connection.client_kill_filter(_type="normal", skipme=True)
        with capture_logs() as logs:
            assert await signups.hit("signups", visitor) is not None
        assert logs == []


async def test_while_redis_is_down_each_process_counts_for_itself(visitor: str) -> None:
    async with throttle("3/hour", f"redis://127.0.0.1:{free_port()}") as signups:
        with capture_logs() as logs:
            answers = await hits(signups, visitor, 5)
    assert answers.count(None) == 3
    assert [line["log_level"] for line in logs] == ["warning"]


async def test_a_failing_redis_is_left_alone_for_a_while_and_told_of_once_a_minute(
    visitor: str,
) -> None:
    clock = Clock()
    async with throttle("100/hour", f"redis://127.0.0.1:{free_port()}", clock) as signups:
        with capture_logs() as logs:
            for _ in range(int(WARN_EVERY / REDIS_PAUSE)):
                await signups.hit("signups", visitor)
                clock.now += REDIS_PAUSE
            assert len(logs) == 1
            await signups.hit("signups", visitor)
            assert len(logs) == 2


@asynccontextmanager
async def serving(
    relay: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """The URL of a Redis that talks as ``relay`` does."""
    conversations: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        with closing(writer), suppress(ConnectionError):  # as they leave
            await relay(reader, writer)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await asyncio.wait_for(asyncio.gather(*conversations), 5)


def slowed(
    redis_url: str, seconds: float
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """What the real Redis says, ``seconds`` later."""
    real = urlsplit(redis_url)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection(real.hostname, real.port)
        with closing(questions):
            while question := await reader.read(65_536):
                questions.write(question)
                answer = await answers.read(65_536)
                await asyncio.sleep(seconds)
                writer.write(answer)

    return relay


async def test_a_redis_that_hangs_holds_up_no_page(visitor: str) -> None:
    async def never_answer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(never_answer) as url, throttle("20/hour", url) as signups:
        began = perf_counter()
        answers = await asyncio.gather(*(signups.hit("signups", visitor) for _ in range(50)))
        assert perf_counter() - began < 2 * REDIS_DEADLINE
        assert answers.count(None) == 20
        began = perf_counter()
        await signups.hit("signups", visitor)
        assert perf_counter() - began < 0.1


async def test_a_redis_that_is_slow_at_every_step_holds_up_no_page(
    redis_url: str, visitor: str
) -> None:
    async with (
        serving(slowed(redis_url, 0.8 * REDIS_DEADLINE / 2)) as url,
        throttle("1/hour", url) as signups,
    ):
        began = perf_counter()
        assert await hits(signups, visitor, 2) == [None, pytest.approx(HOUR, abs=5)]
        assert perf_counter() - began < 1.2 * REDIS_DEADLINE


async def test_a_redis_that_comes_back_is_used_again(redis_url: str, visitor: str) -> None:
    clock = Clock()
    async with throttle("1/hour", redis_url, clock) as signups:
        assert await signups.hit("signups", visitor) is None
        async with redis.asyncio.Redis.from_url(redis_url) as connection:
            await connection.client_pause(800)
            with capture_logs() as logs:
                assert await signups.hit("signups", visitor) is None  # memory has not seen them
            assert len(logs) == 1
            await connection.ping()
        clock.now += REDIS_PAUSE
        assert await signups.hit("signups", visitor) is not None


def test_a_platforms_self_signed_certificate_can_be_allowed() -> None:

    def verifies(url: str) -> ssl.VerifyMode:
        pool = Throttle({}, url).pool
        assert pool is not None
        connection: Any = pool.connection_class(**pool.connection_kwargs)
        return ssl.VerifyMode(connection.ssl_context.get().verify_mode)

    assert verifies("rediss://:secret@redis.example:6380") is ssl.CERT_REQUIRED
    assert verifies("rediss://:secret@redis.example:6380?ssl_cert_reqs=none") is ssl.CERT_NONE


async def test_without_redis_its_library_is_not_loaded() -> None:
    program = "import sys, webapp.web.throttle as t; t.Throttle({}); print('redis' in sys.modules)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert output.strip() == b"False"
