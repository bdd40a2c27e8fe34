"""Webhooks: the owner's application hears of every account, once or again with the same id."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send
from tortoise.transactions import in_transaction

from tests.conftest import Clock
from tests.people import ADA, NUMBER, sign_up, verify
from tests.phone import Phone
from tests.rows import Rows
from tests.servers import Deployment, command, served
from tests.visitor import Visitor
from webapp.accounts.events import AccountEvent
from webapp.accounts.people.users import User
from webapp.accounts.sending.outbox import OutboxMessage
from webapp.clients.webhooks import WebhookCarrier
from webapp.providers import Busy

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@dataclass
class Receiver:
    """The owner's endpoint: it answers what is in ``answers``, and 204 afterwards."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.posts.append((headers, body))
        status, answer = self.answers.pop(0) if self.answers else (204, {})
        raw = [(name.encode(), value.encode()) for name, value in answer.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b""})

    async def wait_for(self, posts: int) -> None:
        async with asyncio.timeout(20):
            while len(self.posts) < posts:  # noqa: ASYNC110 - it is told in another thread
                await asyncio.sleep(0.02)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.posts]

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.posts]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def receiver_url(receiver: Receiver) -> Iterator[str]:
    with served(receiver) as url:
        yield f"{url}/hooks/accounts?of=us"


@pytest.fixture
def environ(receiver_url: str) -> dict[str, str]:
    return {"WEBHOOK_URL": receiver_url, "WEBHOOK_SECRET": SECRET}


async def test_the_application_hears_of_a_new_account(
    receiver: Receiver, ada: Visitor, client: httpx.AsyncClient, clock: Clock
) -> None:
    await receiver.wait_for(1)
    [event] = receiver.events()
    person = (await client.get("/session")).json()
    assert person["phone_number"] == NUMBER
    assert event == {
        "type": "account.verified",
        "timestamp": clock().isoformat(),
        "data": person,
    }


async def test_every_post_is_signed_as_the_specification_says(
    receiver: Receiver, ada: Visitor
) -> None:
    await receiver.wait_for(1)
    [(headers, body)] = receiver.posts
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"].startswith("msg_")
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    assert Webhook(SECRET).verify(body, headers)["type"] == "account.verified"
    for changed in (
        (body + b" ", headers),
        (body, {**headers, "webhook-id": "msg_another"}),
        (body, {**headers, "webhook-timestamp": "1700000000"}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(*changed)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").verify(body, headers)


async def test_nobody_hears_of_a_sign_up_that_is_not_verified(
    receiver: Receiver, visitor: Visitor, app: Starlette
) -> None:
    await sign_up(visitor)
    await app.state.outbox.deliver()
    assert receiver.posts == []


async def test_an_event_is_part_of_what_it_tells_of(app: Starlette, database_url: str) -> None:
    """Taken back with it, and there with it."""
    user = User(subject="s", name="Ada", email="a@example.com", phone=NUMBER)
    rows, events = Rows(database_url), app.state.site.events
    with contextlib.suppress(ZeroDivisionError):
        async with in_transaction():
            await events.write(AccountEvent.UPDATED, user, app.state.site.clock())
            1 / 0  # noqa: B018
    assert rows.one("SELECT COUNT(*) FROM outbox") == 0
    async with in_transaction():
        await events.write(AccountEvent.UPDATED, user, app.state.site.clock())
    assert rows.one("SELECT COUNT(*) FROM outbox") == 1


async def test_of_who_left_nothing_is_told_but_that(
    receiver: Receiver, app: Starlette, clock: Clock
) -> None:
    user = User(subject="gone", name="Ada", email="a@example.com", phone=NUMBER)
    await app.state.site.events.write(AccountEvent.DELETED, user, clock())
    app.state.outbox.wake()
    await receiver.wait_for(1)
    [event] = receiver.events()
    assert (event["type"], event["data"]) == ("account.deleted", {"sub": "gone"})


async def test_what_is_done_keeps_no_word_of_the_person(
    receiver: Receiver, ada: Visitor, app: Starlette, database_url: str
) -> None:
    await receiver.wait_for(1)
    rows = Rows(database_url)
    async with asyncio.timeout(10):
        while rows.one("SELECT state FROM outbox WHERE channel = 'webhook'") != "sent":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert rows.one("SELECT body FROM outbox WHERE channel = 'webhook'") == ""


@pytest.mark.parametrize(
    ("status", "headers", "at_least", "at_most"),
    [
        (500, {}, 30, 36),  # it may be at it still
        (404, {}, 10, 12),
        (302, {"Location": "https://elsewhere.example/"}, 10, 12),
        (429, {"Retry-After": "7200"}, 7200, 7200),
        (503, {"Retry-After": "7200"}, 7200, 7200),
    ],
)
@SQLITE
async def test_an_event_that_was_not_taken_comes_again_with_the_same_id(
    status: int,
    headers: dict[str, str],
    at_least: float,
    at_most: float,
    receiver: Receiver,
    visitor: Visitor,
    phone: Phone,
    app: Starlette,
    clock: Clock,
) -> None:
    receiver.answers = [(status, headers)] * 3
    await sign_up(visitor)
    await verify(visitor, phone)
    await settled(receiver, app)
    first = len(receiver.posts)  # what is surely unprocessed is tried again at once
    clock.advance(at_least - 1)
    await app.state.outbox.deliver()
    assert len(receiver.posts) == first
    receiver.answers.clear()
    clock.advance(at_most - at_least + 2)
    await app.state.outbox.deliver()
    assert len(receiver.posts) == first + 1
    assert len(set(receiver.ids())) == 1
    assert len({body for _, body in receiver.posts}) == 1
    assert receiver.posts[0][0]["webhook-timestamp"] < receiver.posts[-1][0]["webhook-timestamp"]


async def settled(receiver: Receiver, app: Starlette) -> None:
    """Until the outbox has done with what was due."""
    await receiver.wait_for(1)
    async with asyncio.timeout(20):
        while not await quiet():  # noqa: ASYNC110 - the outbox is a task of its own
            await asyncio.sleep(0.02)


async def quiet() -> bool:
    [message] = await OutboxMessage.filter(channel="webhook")
    leased_for = message.next_attempt_at - message.created_at
    return message.done_at is not None or leased_for != timedelta(seconds=60)


@SQLITE
async def test_an_endpoint_that_is_gone_is_left_alone(
    receiver: Receiver,
    visitor: Visitor,
    phone: Phone,
    app: Starlette,
    clock: Clock,
    database_url: str,
) -> None:
    receiver.answers = [(410, {})]
    await sign_up(visitor)
    await verify(visitor, phone)
    await settled(receiver, app)
    assert Rows(database_url).one("SELECT state FROM outbox WHERE channel = 'webhook'") == "failed"
    clock.advance(86_400)
    await app.state.outbox.deliver()
    assert len(receiver.posts) == 1


def test_pauses_grow_and_differ_and_end_after_three_days() -> None:
    retries = WebhookCarrier.retries
    pauses = [[retries.pause(attempts, Busy()) for _ in range(20)] for attempts in range(1, 15)]
    for before, after in pairwise(pauses[:11]):
        assert max(before) < min(after)
    assert all(len(set(same)) > 10 for same in pauses)
    assert max(pauses[-1]) <= timedelta(hours=6) * 1.2
    assert retries.give_up_after == timedelta(days=3)


@pytest.mark.slow
@SQLITE
async def test_an_event_outlives_the_process_that_wrote_it(
    receiver: Receiver,
    receiver_url: str,
    database_url: str,
    deployment: Deployment,
    far_phone: Phone,
) -> None:
    hooks = {"WEBHOOK_URL": receiver_url, "WEBHOOK_SECRET": SECRET}
    web = deployment.web(database_url, OUTBOX_IN_WEB="0", **hooks)
    async with httpx.AsyncClient(base_url=web.url, verify=False, timeout=30) as client:
        visitor = Visitor(client)
        await sign_up(visitor)
        assert (await verify(visitor, far_phone)).verified
    web.close()
    assert receiver.posts == []
    hanging = asyncio.Event()  # never set: the first worker is killed while it waits
    answer = receiver.__call__

    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(scope, receive, lambda _: asyncio.sleep(0))
        await hanging.wait()

    with served(hang) as url:
        worker = deployment.worker(database_url, **{**hooks, "WEBHOOK_URL": url})
        await receiver.wait_for(1)
        worker.close()
    Rows(database_url).age(120)  # its lease is over
    deployment.worker(database_url, **hooks)
    await receiver.wait_for(2)
    assert len(set(receiver.ids())) == 1
    assert receiver.events()[0]["data"]["email"] == ADA["email"]


@pytest.mark.slow
@SQLITE
async def test_the_doctor_sends_a_test_event_and_says_what_came_back(
    receiver: Receiver, deployment: Deployment, database_url: str, receiver_url: str
) -> None:
    hooks = {"WEBHOOK_URL": receiver_url, "WEBHOOK_SECRET": SECRET}
    port = deployment.web(database_url, **hooks).url.rpartition(":")[2]
    environ = deployment.environ(database_url, PORT=port, **hooks)
    receiver.answers = [(404, {}), (410, {})]
    for words in ("HTTP 404", "HTTP 410"):
        done = await asyncio.to_thread(command, "doctor", environ=environ)
        assert f"WEBHOOK_URL: the test event came back with {words}" in done.stdout
        assert done.returncode == 1
    done = await asyncio.to_thread(command, "doctor", environ=environ)
    assert "WEBHOOK_URL: took a test event" in done.stdout
    assert [event["type"] for event in receiver.events()] == ["doctor.test"] * 3
    assert Webhook(SECRET).verify(receiver.posts[0][1], receiver.posts[0][0])["data"] == {}
