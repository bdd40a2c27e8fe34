"""A second vendor carries the texts where the first is down, and nobody gets a text twice."""

import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import CONFIRMATION, NUMBER, sign_up, verify
from tests.phone import Phone
from tests.visitor import Visitor
from webapp.accounts.sending.outbox import OutboxMessage
from webapp.sandbox import Sandbox

TRIES = 3  # of one call that surely did not arrive

pytestmark = [
    pytest.mark.environ(MESSENGER_FALLBACK="vonage", OUTBOX_IN_WEB="0"),
    pytest.mark.parametrize("provider", ["codes"]),
]


async def confirmations(phone: Phone) -> int:
    return sum(CONFIRMATION in text.body for text in await phone.texts(NUMBER))


async def test_the_first_vendor_carries_all_while_it_works(
    app: Starlette, visitor: Visitor, phone: Phone, sandbox: Sandbox
) -> None:
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified is True
    await app.state.outbox.deliver()
    assert await confirmations(phone) == 1
    assert sandbox.calls == {"Messages": 2}


@pytest.mark.parametrize(("fault", "calls"), [("refused", TRIES), ("20003", 1)])
async def test_the_second_sends_what_the_first_surely_did_not(
    fault: str,
    calls: int,
    app: Starlette,
    visitor: Visitor,
    phone: Phone,
    sandbox: Sandbox,
) -> None:
    sandbox.fail(fault, calls)
    assert (await sign_up(visitor)).step == "verification"
    assert (await verify(visitor, phone)).verified is True
    sandbox.fail(fault, calls)
    await app.state.outbox.deliver()
    assert await confirmations(phone) == 1
    assert sandbox.calls == {"Messages": 2 * calls, "json": 2}
    message = await OutboxMessage.get(to=NUMBER)
    assert (message.state, message.vendor) == ("sent", "vonage")


@pytest.mark.parametrize("fault", ["timeout", "500"])
async def test_what_may_have_been_sent_is_not_sent_by_another(
    fault: str, visitor: Visitor, sandbox: Sandbox
) -> None:
    sandbox.fail(fault)
    page = await sign_up(visitor)
    assert (page.status, "may or may not be on its way" in page.text) == (503, True)
    assert "json" not in sandbox.calls


@pytest.mark.parametrize("fault", ["21211", "21610", "21408"])
async def test_what_is_wrong_with_the_number_is_no_outage(
    fault: str, visitor: Visitor, sandbox: Sandbox
) -> None:
    sandbox.fail(fault)
    assert (await sign_up(visitor)).status == 422
    assert "json" not in sandbox.calls


async def test_whoever_may_have_sent_a_text_is_asked_for_it(
    app: Starlette, visitor: Visitor, phone: Phone, sandbox: Sandbox, clock: Clock
) -> None:
    """The second vendor fell silent and has no list: its text is never sent again."""
    await sign_up(visitor)
    await verify(visitor, phone)
    sandbox.fail("refused", TRIES)
    sandbox.fail("dropped")  # it arrives, and we do not learn it
    for _ in range(3):
        await app.state.outbox.deliver()
        clock.advance(3600)
    message = await OutboxMessage.get(to=NUMBER)
    assert (message.state, message.vendor) == ("unknown", "vonage")
    assert await confirmations(phone) == 1


async def test_the_first_is_asked_for_what_it_may_have_sent_after_the_second_failed(
    app: Starlette, visitor: Visitor, phone: Phone, sandbox: Sandbox, clock: Clock
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    sandbox.fail("refused", 2 * TRIES)  # neither can be reached
    await app.state.outbox.deliver()
    clock.advance(3600)
    sandbox.fail("dropped")  # now the first has it, and we do not learn it
    await app.state.outbox.deliver()
    clock.advance(3600)
    await app.state.outbox.deliver()
    message = await OutboxMessage.get(to=NUMBER)
    assert (message.state, message.vendor) == ("sent", "")
    assert await confirmations(phone) == 1
