import asyncio

import pytest

from tests import postgres as pg
from webapp.database import Database
from webapp.web.readiness import KEPT_FOR, Readiness


class Asked:
    """What is asked; it answers when told to."""

    def __init__(self) -> None:
        self.times, self.answers, self.now = 0, asyncio.Event(), 0.0

    async def __call__(self) -> bool:
        self.times += 1
        await self.answers.wait()
        return self.times > 1


@pytest.fixture
async def asked() -> Asked:
    return Asked()


async def test_many_who_ask_at_once_are_one_question(asked: Asked) -> None:
    readiness = Readiness(asked, lambda: asked.now)
    asking = [asyncio.create_task(readiness.ready()) for _ in range(50)]
    await asyncio.sleep(0)
    asked.now += 10 * KEPT_FOR  # and none is added while there is no answer
    asking += [asyncio.create_task(readiness.ready()) for _ in range(50)]
    await asyncio.sleep(0)
    asked.answers.set()
    assert await asyncio.gather(*asking) == [False] * 100
    assert asked.times == 1


async def test_who_leaves_takes_no_answer_from_the_others(asked: Asked) -> None:
    readiness = Readiness(asked, lambda: asked.now)
    first, second = (asyncio.create_task(readiness.ready()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    asked.answers.set()
    assert await second is False


async def test_an_answer_is_kept_for_a_second(asked: Asked) -> None:
    readiness = Readiness(asked, lambda: asked.now)
    asked.answers.set()
    assert await readiness.ready() is False
    asked.now += KEPT_FOR
    assert await readiness.ready() is False
    asked.now += KEPT_FOR / 10
    assert await readiness.ready() is True


async def test_a_database_that_takes_no_writes_is_not_ready(
    database: str, database_url: str
) -> None:
    there = Database(database_url)
    await there.open()
    try:
        assert await there.ready() is True
        if database == "sqlite":
            await there.connection.execute_query("PRAGMA query_only = ON")
        else:
            await there.connection.execute_query("SET default_transaction_read_only = on")
        assert await there.ready() is False
    finally:
        await there.close()


@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_standby_is_not_ready_and_is_passed_over_for_one_that_takes_writes(
    postgres: pg.Postgres, database_url: str
) -> None:
    standby = pg.Standby(postgres)
    try:
        there = database_url.replace(str(postgres.port), str(standby.port))
        assert await is_ready(there) is False
        both = f"127.0.0.1:{standby.port},127.0.0.1:{postgres.port}"
        several = database_url.replace(f"127.0.0.1:{postgres.port}", both)
        assert await is_ready(f"{several}?target_session_attrs=read-write") is True
    finally:
        standby.close()


async def is_ready(url: str) -> bool:
    there = Database(url)
    await there.open()
    try:
        return await there.ready()
    finally:
        await there.close()
