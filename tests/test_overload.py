"""More people than there is time to hash passwords for."""

import asyncio
import threading

import httpx
import pytest
from starlette.applications import Starlette

from tests.people import ADA, sign_up
from tests.visitor import Visitor
from webapp.accounts.people.passwords import SHARE

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def test_whom_we_cannot_serve_in_time_we_turn_away_at_once_and_in_words(
    app: Starlette, visitor: Visitor, client: httpx.AsyncClient
) -> None:
    hasher = app.state.site.hasher
    hasher.seconds = 60.0 * hasher.threads * SHARE  # as measured on a machine so slow, or so busy
    over = threading.Event()
    for _ in range(hasher.threads):
        hasher.pool.submit(over.wait, 60)
    first = asyncio.create_task(sign_up(visitor))
    while not hasher.waiting:  # noqa: ASYNC110 - until its hash is in the queue
        await asyncio.sleep(0)
    origin = {"Origin": app.state.settings.base_url}
    second = await client.post("/signup", data=ADA | {"name": "Grace Hopper"}, headers=origin)
    over.set()
    assert second.status_code == 503
    assert int(second.headers["Retry-After"]) == 60
    assert "Many people are signing up at this moment" in second.text
    assert 'value="Grace Hopper"' in second.text
    assert (await first).step == "verification"


async def test_a_queue_that_moves_takes_a_burst(app: Starlette, client: httpx.AsyncClient) -> None:
    app.state.site.hasher.seconds = 0.03
    origin = {"Origin": app.state.settings.base_url}
    people = [
        ADA | {"email": f"ada{n}@example.com", "phone": f"0740012{3000 + n}"} for n in range(9)
    ]
    answers = await asyncio.gather(
        *(client.post("/signup", data=person, headers=origin) for person in people)
    )
    assert {answer.status_code for answer in answers} == {303}
