"""The outbox: every channel by its own carrier, by its own rules for retries, at its own pace."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from starlette.applications import Starlette
from tortoise.transactions import in_transaction

from tests.conftest import Clock
from tests.mail import CUT, MailServer, mail_server
from tests.rows import Rows
from webapp.accounts.purge import purge
from webapp.accounts.sending.carriers import SETTLED_AFTER, Carrier, RetryPolicy
from webapp.accounts.sending.delivery import Outbox
from webapp.accounts.sending.outbox import MessageChannel, OutboxMessage
from webapp.providers import Busy, Email, Gone, ProviderError, Unreachable

ADA = "ada@example.com"
EMAIL = Email("Hello", "Here it is: https://example.com/x\n", "<p>Here it is</p>")
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.environ(OUTBOX_IN_WEB="0")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def environ(environ: dict[str, str], server: MailServer) -> dict[str, str]:
    url = f"smtp://127.0.0.1:{server.port}"
    return {"SMTP_URL": url, "MAIL_FROM": "no-reply@example.org", **environ}


@pytest.fixture
def outbox(app: Starlette) -> Outbox:
    messages: Outbox = app.state.outbox
    return messages


async def written(outbox: Outbox, **more: Any) -> OutboxMessage:
    """An email to Ada, as a journey writes it."""
    async with in_transaction():
        await outbox.write_email(ADA, EMAIL, **more)
    return await OutboxMessage.get(channel="email")


# --- emails --------------------------------------------------------------------------------------


async def test_an_email_is_delivered_once_and_its_words_are_forgotten(
    outbox: Outbox, server: MailServer
) -> None:
    message = await written(outbox)
    assert await outbox.deliver() == 1
    assert await outbox.deliver() == 0
    [received] = server.to(ADA)
    assert received.message["Subject"] == EMAIL.subject
    assert (received.text, received.html) == (EMAIL.text, EMAIL.html + "\n")
    await message.refresh_from_db()
    assert (message.state, message.body, message.html) == ("sent", "", "")


async def test_an_email_of_a_transaction_that_is_rolled_back_is_never_sent(
    outbox: Outbox, server: MailServer
) -> None:
    async with in_transaction() as transaction:
        await outbox.write_email(ADA, EMAIL)
        await transaction.rollback()
    assert await outbox.deliver() == 0
    assert server.emails == []


async def test_an_email_that_is_refused_for_now_arrives_later(
    outbox: Outbox, server: MailServer, clock: Clock
) -> None:
    message = await written(outbox)
    server.reply("RCPT", "451 4.7.1 Greylisted")
    await outbox.deliver()
    await message.refresh_from_db()
    assert (message.state, message.tried_at) == ("queued", None)
    clock.advance(60)
    await outbox.deliver()
    assert len(server.to(ADA)) == 1


@pytest.mark.parametrize(
    ("command", "reply"), [("RCPT", "550 5.1.1 Unknown"), ("DATA", "554 5.7.1 Spam")]
)
async def test_an_email_that_nobody_takes_is_given_up(
    outbox: Outbox, server: MailServer, clock: Clock, command: str, reply: str
) -> None:
    message = await written(outbox)
    server.reply(command, reply)
    await outbox.deliver()
    await message.refresh_from_db()
    assert (message.state, message.body) == ("failed", "")
    clock.advance(3600)
    assert await outbox.deliver() == 0


async def test_an_email_whose_fate_is_unknown_is_repeated_under_the_same_id(
    outbox: Outbox, server: MailServer, clock: Clock
) -> None:
    await written(outbox)
    server.reply("DATA", CUT)
    await outbox.deliver()
    clock.advance(SETTLED_AFTER.total_seconds() - 1)
    assert await outbox.deliver() == 0
    clock.advance(60)
    await outbox.deliver()
    first, second = server.to(ADA)
    assert first.message["Message-ID"] == second.message["Message-ID"]


async def test_an_email_is_not_sent_after_its_link_stopped_working(
    outbox: Outbox, server: MailServer, clock: Clock
) -> None:
    message = await written(outbox, expires_at=clock() + HOUR)
    server.reply("RCPT", "451 4.3.0 Later")
    await outbox.deliver()
    clock.advance(3600)
    await outbox.deliver()
    await message.refresh_from_db()
    assert message.state == "failed"
    assert server.emails == []


async def test_an_email_is_tried_for_a_day(
    outbox: Outbox, server: MailServer, clock: Clock
) -> None:
    message = await written(outbox)
    tries = 0
    while message.state == "queued":
        server.reply("RCPT", "451 4.3.0 Later")
        tries += await outbox.deliver()
        clock.advance(900)
        await message.refresh_from_db()
    assert message.state == "failed"
    assert 90 < tries < 110


@pytest.mark.environ(SENDS_PER_HOUR="1")
async def test_emails_cost_nothing_of_the_budget_for_texts(
    outbox: Outbox, server: MailServer
) -> None:
    for number in range(5):
        await outbox.write_email(f"ada{number}@example.com", EMAIL)
    await outbox.write_text("+447400123456", "Hello")
    assert await outbox.deliver() == 6
    assert len(server.emails) == 5
    assert await OutboxMessage.filter(state="sent").count() == 6


async def test_a_mail_server_that_hangs_holds_up_no_text(
    outbox: Outbox, server: MailServer, app: Starlette
) -> None:
    await written(outbox)
    await outbox.write_text("+447400123456", "Hello")
    stopping = asyncio.Event()
    with server.held("RCPT"):
        running = asyncio.create_task(outbox.run(stopping))
        async with asyncio.timeout(10):
            while not app.state.sandbox.inbox.messages("+447400123456"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert server.emails == []
    stopping.set()
    await running
    assert len(server.to(ADA)) == 1


async def test_what_no_process_carries_is_deleted_in_the_end(outbox: Outbox, clock: Clock) -> None:
    await outbox.write(MessageChannel.WEBHOOK, to="", body="{}")
    assert await outbox.deliver() == 0
    assert (await purge(clock()))["messages"] == 0
    assert (await purge(clock() + 8 * timedelta(days=1)))["messages"] == 1


# --- beside a process of the release before, which knows texts alone -----------------------------


async def test_a_process_of_the_release_before_leaves_emails_alone(
    outbox: Outbox, database_url: str
) -> None:
    await written(outbox)
    assert Rows(database_url).all("SELECT id FROM outbox WHERE state = 'pending'") == []


async def test_what_a_process_of_the_release_before_writes_is_a_text(
    outbox: Outbox, database_url: str, app: Starlette, clock: Clock
) -> None:
    rows = Rows(database_url)
    clock.advance(60)
    sql = 'INSERT INTO outbox ("to", body, state, attempts, reference, created_at, next_attempt_at)'
    values = ("+447400123456", "Hello", rows.moment(), rows.moment())
    rows.all(f"{sql} VALUES (?, ?, 'pending', 0, '', ?, ?)", *values)
    assert await outbox.deliver() == 1
    assert len(app.state.sandbox.inbox.messages("+447400123456")) == 1


# --- a carrier's own rules -----------------------------------------------------------------------


class Receiver(Carrier):
    """Carries messages to a list, after the errors that a test has in store."""

    def __init__(self, retries: RetryPolicy, *errors: ProviderError) -> None:
        self.retries, self.errors = retries, list(errors)
        self.received: list[OutboxMessage] = []
        self.tried: list[str] = []

    async def send(self, message: OutboxMessage) -> str:
        self.tried.append(message.uid)
        if self.errors:
            raise self.errors.pop(0)
        self.received.append(message)
        return "received"


THREE_DAYS = RetryPolicy(
    final=(Gone,),
    longest=6 * HOUR,
    give_up_after=timedelta(days=3),
    jitter=0.25,
)


@pytest.fixture
async def webhook(app: Starlette, clock: Clock) -> Any:
    """Writes one webhook for a receiver with these errors: the receiver and its outbox."""

    async def write(*errors: ProviderError) -> tuple[Receiver, Outbox]:
        receiver = Receiver(THREE_DAYS, *errors)
        outbox = Outbox({MessageChannel.WEBHOOK: receiver}, clock)
        await outbox.write(MessageChannel.WEBHOOK, to="", body='{"type":"account.verified"}')
        return receiver, outbox

    return write


async def test_every_try_of_a_message_has_the_same_id(webhook: Any, clock: Clock) -> None:
    receiver, outbox = await webhook(Busy(), Unreachable(maybe_sent=True), Busy())
    for _ in range(6):
        await outbox.deliver()
        clock.advance(60)
    assert len(receiver.tried) == 4
    assert len(set(receiver.tried)) == 1
    assert len(receiver.received) == 1
    assert receiver.received[0].body == '{"type":"account.verified"}'


async def test_an_error_that_a_carrier_calls_final_ends_it(webhook: Any, clock: Clock) -> None:
    receiver, outbox = await webhook(Gone())
    await outbox.deliver()
    clock.advance(86_400)
    assert await outbox.deliver() == 0
    assert (receiver.received, await OutboxMessage.filter(state="failed").count()) == ([], 1)


async def test_a_receiver_that_asks_for_a_pause_has_it(webhook: Any, clock: Clock) -> None:
    receiver, outbox = await webhook(Busy(retry_after=7200))
    await outbox.deliver()
    clock.advance(7199)
    assert await outbox.deliver() == 0
    clock.advance(2)
    assert await outbox.deliver() == 1
    assert len(receiver.received) == 1


async def test_a_carrier_may_try_for_days_with_pauses_that_grow(webhook: Any, clock: Clock) -> None:
    _, outbox = await webhook(*(Busy() for _ in range(1000)))
    began, times = clock(), []
    while await OutboxMessage.exists(state="queued"):
        if await outbox.deliver():
            times.append(clock() - began)
        clock.advance(300)
    assert timedelta(days=3) < times[-1] < timedelta(days=3, hours=8)
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert max(pauses) <= 6 * HOUR * 1.25 + timedelta(minutes=5)
    assert 15 < len(times) < 40


@pytest.mark.parametrize("attempts", [1, 2, 5, 30, 30_000])
def test_pauses_are_spread_so_that_what_failed_together_does_not_come_back_together(
    attempts: int,
) -> None:
    pauses = {THREE_DAYS.pause(attempts, Busy()) for _ in range(50)}
    usual = RetryPolicy(final=(), longest=6 * HOUR).pause(attempts, Busy())
    assert len(pauses) > 40
    assert min(pauses) >= usual
    assert max(pauses) <= usual * 1.25
