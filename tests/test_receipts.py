"""What became of texts: callbacks, forged, repeated, in any order, late; and Verify's attempts."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator

from tests.conftest import Clock
from tests.people import NUMBER, sign_up, verify
from tests.phone import Phone
from tests.test_money import NO_OTHER_LIMIT
from tests.visitor import Page, Visitor
from webapp.accounts.challenges import sends
from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.history import totals
from webapp.accounts.history.events import PhoneEvent
from webapp.accounts.history.reasons import Reason
from webapp.accounts.people.users import User
from webapp.accounts.policy.usage import Scope, Usage
from webapp.accounts.purge import purge
from webapp.accounts.sending.charges import BATCH as CHARGES_BATCH
from webapp.accounts.sending.charges import Charges
from webapp.accounts.sending.receipts import BATCH, Receipts
from webapp.accounts.sending.stored_receipts import StoredReceipt
from webapp.operate.report import report
from webapp.providers import DeliveryState, Price, Receipt, Sent
from webapp.providers.twilio.callbacks import path_secret
from webapp.sandbox import Sandbox

BY_CALLBACK = pytest.mark.parametrize("provider", ["codes"])
BY_LIST = pytest.mark.parametrize("provider", ["twilio"])
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
BOTH_WAYS = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
DELIVERED, FAILED = "delivered", "undelivered"
TOKEN = "5a" * 16
DAY = 86_400
HOUR = timedelta(hours=1)


async def hook(
    app: Starlette,
    client: httpx.AsyncClient,
    fields: Mapping[str, str],
    *,
    token: str = TOKEN,
    secret: str = "",
    signature: str | None = None,
) -> int:
    """Post a callback as Twilio does: the status of our answer."""
    settings = app.state.settings
    secret = secret or path_secret(settings.secret_key)
    url = f"{settings.base_url}/hooks/twilio/{secret}"
    signed = RequestValidator(token).compute_signature(url, fields)
    headers = {"X-Twilio-Signature": signed if signature is None else signature}
    answer = await client.post(f"/hooks/twilio/{secret}", data=dict(fields), headers=headers)
    return answer.status_code


async def told(app: Starlette, client: httpx.AsyncClient, status: str, **more: str) -> int:
    """Twilio tells of the newest code."""
    verification = await newest()
    fields = {"MessageSid": verification.message, "To": verification.phone, "MessageStatus": status}
    return await hook(app, client, fields | more)


async def newest() -> Verification:
    verification = await Verification.all().order_by("-id").first()
    assert verification
    return verification


def delivery(page: Page) -> str | None:
    """What the code's step says of its code."""
    step = page.html.css_first("[data-step]")
    return step.attributes["data-delivery"] if step else None


async def counted(app: Starlette, reason: Reason) -> Counter[str]:
    """How often operators are told of it, by channel."""
    await app.state.history.flush()
    counter = Counter[str]()
    for event in await PhoneEvent.filter(reason=reason):
        counter[event.channel] += event.times
    return counter


# Callbacks


@BY_CALLBACK
@BOTH_WAYS
async def test_the_page_learns_that_the_code_was_delivered(
    visitor: Visitor, client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    page = await sign_up(visitor)
    assert delivery(page) == "sent"
    asks = page.html.css_first("[hx-get='/verification/delivery']")
    assert asks
    assert asks.attributes["hx-trigger"] == "every 4s"
    assert (await client.get("/verification/delivery")).status_code == 204
    assert await sandbox.callbacks.post(client) == [204, 204]
    piece = await client.get("/verification/delivery", headers={"HX-Request": "true"})
    assert piece.status_code == 200
    assert "on your phone" in piece.text
    assert 'hx-swap-oob="innerHTML">Delivered' in piece.text, "announced"
    assert "hx-trigger" not in piece.text, "and not asked for again"
    assert len(piece.content) < 3 * 1024
    page = await visitor.visit("/verification")
    assert (delivery(page), "on your phone" in page.text) == ("delivered", True)


@BY_CALLBACK
@BOTH_WAYS
async def test_a_code_that_the_network_refuses_is_followed_by_another_way_at_once(
    visitor: Visitor, client: httpx.AsyncClient, sandbox: Sandbox, app: Starlette
) -> None:
    sandbox.fail("undelivered")
    page = await sign_up(visitor)
    assert page.resend_in == 30
    await sandbox.callbacks.post(client)
    page = await visitor.visit("/verification")
    assert delivery(page) == "failed"
    assert "Your network refused" in page.text
    assert page.html.css_first("#delivery a[href='/verification/phone']")
    assert page.resend_in == 0, "nothing to wait for"
    assert await counted(app, Reason.FAILED) == {"sms": 1}
    page = await visitor.submit("/verification/resend")
    assert (page.status, delivery(page)) == (200, "sent")


@BY_CALLBACK
async def test_a_receipt_verifies_nobody(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette
) -> None:
    await sign_up(visitor)
    assert await told(app, client, DELIVERED) == 204
    assert (await User.get()).verified_at is None
    assert (await visitor.visit("/account")).verified is False


@BY_CALLBACK
async def test_a_forged_callback_is_refused_and_changes_nothing(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette
) -> None:
    await sign_up(visitor)
    fields = {"MessageSid": (await newest()).message, "MessageStatus": FAILED}
    assert await hook(app, client, fields, token="another") == 403
    assert await hook(app, client, fields, signature="") == 403
    assert await hook(app, client, fields, secret="0" * 64) == 403
    signed = RequestValidator(TOKEN).compute_signature("https://elsewhere.example/", fields)
    assert await hook(app, client, fields, signature=signed) == 403
    assert delivery(await visitor.visit("/verification")) == "sent"
    assert await StoredReceipt.all().count() == 0


@BY_CALLBACK
@pytest.mark.parametrize("changed", ["MessageStatus", "MessageSid", "ErrorCode"])
async def test_no_field_of_a_callback_can_be_changed(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette, changed: str
) -> None:
    await sign_up(visitor)
    fields = {"MessageSid": (await newest()).message, "MessageStatus": "sent"}
    url = f"{app.state.settings.base_url}/hooks/twilio/{path_secret(app.state.settings.secret_key)}"
    signed = RequestValidator(TOKEN).compute_signature(url, fields)
    assert await hook(app, client, fields | {changed: FAILED}, signature=signed) == 403
    assert await hook(app, client, fields, signature=signed) == 204


@BY_CALLBACK
async def test_a_callback_that_is_repeated_counts_once(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette
) -> None:
    await sign_up(visitor)
    for _ in range(3):
        assert await told(app, client, DELIVERED) == 204
    assert await counted(app, Reason.DELIVERED) == {"sms": 1}


@BY_CALLBACK
@pytest.mark.parametrize(
    ("order", "last"),
    [
        (["delivered", "sent", "queued"], "delivered"),
        (["undelivered", "sent"], "failed"),
        (["undelivered", "delivered"], "delivered"),
        (["delivered", "undelivered"], "delivered"),
        (["sent", "a word of next year’s"], "sent"),
    ],
)
async def test_callbacks_in_any_order_end_in_the_same_state(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette, order: list[str], last: str
) -> None:
    await sign_up(visitor)
    for status in order:
        assert await told(app, client, status) == 204
    assert delivery(await visitor.visit("/verification")) == last


@BY_CALLBACK
async def test_a_callback_about_an_earlier_text_does_not_speak_for_the_last_one(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette, clock: Clock
) -> None:
    await sign_up(visitor)
    earlier = await newest()
    clock.advance(60)
    await visitor.submit("/verification/resend")
    fields = {"MessageSid": earlier.message, "To": NUMBER, "MessageStatus": FAILED}
    assert await hook(app, client, fields) == 204
    assert delivery(await visitor.visit("/verification")) == "sent"


async def test_a_receipt_that_is_quicker_than_the_vendors_answer_counts(
    visitor: Visitor, app: Starlette, clock: Clock
) -> None:
    await sign_up(visitor)
    verification = await newest()
    await app.state.receipts.take(Receipt("SM-quick", DeliveryState.DELIVERED, NUMBER))
    sent = Sent(verification.reference, message="SM-quick")
    await sends.record_sent(verification, sent, clock())
    assert delivery(await visitor.visit("/verification")) == "delivered"


@BY_CALLBACK
async def test_a_late_callback_is_taken_and_changes_nothing_that_is_over(
    visitor: Visitor, phone: Phone, client: httpx.AsyncClient, app: Starlette, clock: Clock
) -> None:
    await sign_up(visitor)
    late = {"MessageSid": (await newest()).message, "To": NUMBER, "MessageStatus": FAILED}
    assert (await verify(visitor, phone)).verified
    assert await hook(app, client, late) == 204
    assert (await visitor.visit("/account")).verified
    clock.advance(2 * DAY)
    await purge(clock())
    assert await StoredReceipt.all().count() == 0
    assert await hook(app, client, late) == 204


@BY_CALLBACK
@pytest.mark.environ(OUTBOX_IN_WEB="0")  # so that the text has gone out when ``deliver`` returns
async def test_the_confirmation_has_a_receipt_that_operators_count(
    visitor: Visitor, phone: Phone, client: httpx.AsyncClient, app: Starlette, sandbox: Sandbox
) -> None:
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified
    await app.state.outbox.deliver()
    await sandbox.callbacks.post(client)
    assert await counted(app, Reason.DELIVERED) == {"sms": 1, "notice": 1}


@ON_SQLITE
@BY_CALLBACK
@pytest.mark.environ(
    TWILIO_ACCOUNT_SID="AC" + "0a" * 16,
    TWILIO_API_KEY="SK" + "0a" * 16,
    TWILIO_API_KEY_SECRET="secret",
    TWILIO_NUMBER="+15005550006",
    TWILIO_BASE_URL="http://127.0.0.1:9",
)
async def test_with_an_api_key_the_secret_path_alone_tells_a_callback(
    client: httpx.AsyncClient, app: Starlette
) -> None:
    fields = {"MessageSid": "SM1", "MessageStatus": DELIVERED, "To": NUMBER}
    assert await hook(app, client, fields, signature="") == 204
    assert await StoredReceipt.all().count() == 1
    assert await hook(app, client, fields, signature="", secret="0" * 64) == 403


@BY_CALLBACK
async def test_the_log_has_neither_the_secret_path_nor_the_number(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette
) -> None:
    await sign_up(visitor)
    with capture_logs() as lines:
        assert await told(app, client, DELIVERED) == 204
    assert [line["state"] for line in lines if line["event"] == "receipt"] == ["delivered"]
    [request] = [line for line in lines if line["event"] == "request"]
    assert request["path"].startswith("/hooks/twilio/")
    assert path_secret(app.state.settings.secret_key) not in str(lines)
    assert NUMBER not in str(lines)


@ON_SQLITE
@pytest.mark.parametrize("fields", [{}, {"MessageStatus": DELIVERED}, {"MessageSid": "SM1"}])
async def test_a_callback_that_tells_nothing_is_answered_all_the_same(
    client: httpx.AsyncClient, app: Starlette, fields: dict[str, str]
) -> None:
    assert await hook(app, client, fields) == 204
    assert await StoredReceipt.all().count() == 0


# Prices


PRICED = {
    **NO_OTHER_LIMIT,
    "SPEND_PER_DAY": "100",
    "OUTBOX_IN_WEB": "0",
    "PWNED_PASSWORDS_URL": "off",
}
RESERVED, CHARGED = 52_400, 40_000  # millionths: by Twilio's list, and what the texts did cost


async def spent() -> int:
    """The money that the limit of the day has counted."""
    return sum(row.used for row in await Usage.filter(key=f"{Scope.SPEND_DAY} "))


async def paid(app: Starlette) -> int:
    """The money of all days, as the report has it."""
    await app.state.history.flush()
    return sum(row.money for row in await totals.of_day(totals.ALL_DAYS))


async def ask(app: Starlette, clock: Clock, *, after: float = 0) -> None:
    clock.advance(after)
    await app.state.receipts.ask()


async def due() -> int:
    return await StoredReceipt.exclude(price_due_at=None).count()


@BY_CALLBACK
@pytest.mark.environ(**PRICED)
async def test_what_texts_did_cost_takes_the_place_of_what_was_reserved(
    visitor: Visitor,
    phone: Phone,
    client: httpx.AsyncClient,
    app: Starlette,
    sandbox: Sandbox,
    clock: Clock,
) -> None:
    day = clock().date()
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified
    await app.state.outbox.deliver()
    assert (await spent(), await paid(app)) == (2 * RESERVED, 2 * RESERVED)
    await sandbox.callbacks.post(client)
    await ask(app, clock, after=59)
    assert sandbox.calls["Messages"] == 2, "sent, and not asked for yet"
    await ask(app, clock, after=1)
    assert sandbox.calls["Messages"] == 3, "one question for both"
    assert (await spent(), await paid(app)) == (2 * CHARGED, 2 * CHARGED)
    [line] = [line for line in await report(day, "USD") if line.startswith("GB")]
    assert line.split()[-1] == "0.08"
    await ask(app, clock, after=DAY / 2)
    assert (sandbox.calls["Messages"], await due()) == (3, 0)


@BY_CALLBACK
@pytest.mark.environ(**PRICED)
async def test_a_price_counts_once_however_many_processes_ask(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette, sandbox: Sandbox, clock: Clock
) -> None:
    await sign_up(visitor)
    await sandbox.callbacks.post(client)
    [row] = await StoredReceipt.all()
    clock.advance(60)
    [priced] = await app.state.providers.messengers[0].receipts(clock.now - HOUR, clock.now)
    assert (priced.message, priced.price) == (row.message, Price(CHARGED, "USD"))
    await asyncio.gather(
        *(app.state.receipts.ask() for _ in range(5)),
        *(app.state.receipts.take(priced) for _ in range(5)),
    )
    assert (await spent(), await paid(app)) == (CHARGED, CHARGED)
    assert await told(app, client, "read") == 204
    assert await due() == 0, "and is not asked for again"


@BY_CALLBACK
@pytest.mark.environ(**PRICED)
@pytest.mark.parametrize("fault", ["500", "429", "timeout", "garbage", "shape"])
async def test_a_price_that_cannot_be_read_is_asked_for_again_and_in_the_end_no_more(
    visitor: Visitor,
    client: httpx.AsyncClient,
    app: Starlette,
    sandbox: Sandbox,
    clock: Clock,
    fault: str,
) -> None:
    await sign_up(visitor)
    await sandbox.callbacks.post(client)
    for _ in range(12):
        sandbox.fail(fault, 3)
        await ask(app, clock, after=HOUR.total_seconds() / 4)
        sandbox.faults.clear()
    assert (await spent(), await due()) == (RESERVED, 0)
    asked = sandbox.calls["Messages"]
    await ask(app, clock, after=3600)
    assert sandbox.calls["Messages"] == asked


@BY_CALLBACK
@pytest.mark.environ(**PRICED)
async def test_many_prices_are_read_by_one_call_and_each_call_has_its_bounds(
    client: httpx.AsyncClient, app: Starlette, sandbox: Sandbox, clock: Clock
) -> None:
    for nth in range(CHARGES_BATCH + 1):
        await app.state.receipts.take(Receipt(f"SM{nth}", DeliveryState.ON_ITS_WAY, NUMBER))
    await ask(app, clock, after=60)
    assert sandbox.calls["Messages"] == 1
    assert await StoredReceipt.filter(price_due_at__lte=clock()).count() == 1
    await ask(app, clock)
    assert sandbox.calls["Messages"] == 2
    await ask(app, clock)
    assert sandbox.calls["Messages"] == 2


@ON_SQLITE
@BY_CALLBACK
@pytest.mark.environ(**PRICED, PRICES="GB=0.10,*=1")
async def test_a_price_of_the_owners_own_is_not_asked_for(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette, sandbox: Sandbox, clock: Clock
) -> None:
    await sign_up(visitor)
    await sandbox.callbacks.post(client)
    await ask(app, clock, after=60)
    assert (sandbox.calls["Messages"], await spent(), await due()) == (1, 100_000, 0)


@ON_SQLITE
@BY_CALLBACK
@pytest.mark.environ(OUTBOX_IN_WEB="0")
async def test_the_report_tells_what_texts_did_cost_where_nothing_is_reserved(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette, sandbox: Sandbox, clock: Clock
) -> None:
    await sign_up(visitor)
    await sandbox.callbacks.post(client)
    assert await paid(app) == 0
    await ask(app, clock, after=60)
    assert (await paid(app), await spent()) == (CHARGED, 0)


# Feedback


@BY_CALLBACK
async def test_a_code_that_came_back_is_reported_to_twilio_and_a_confirmation_is_not(
    visitor: Visitor, phone: Phone, app: Starlette, sandbox: Sandbox
) -> None:
    await sign_up(visitor)
    message = (await newest()).message
    await app.state.receipts.ask()
    assert sandbox.messages.confirmed == set()
    assert (await verify(visitor, phone)).verified
    await app.state.outbox.deliver()
    for _ in range(2):
        await app.state.receipts.ask()
    assert sandbox.messages.confirmed == {message}
    assert sandbox.calls["Feedback"] == 1


# Verify's attempts


@BY_LIST
@pytest.mark.parametrize(("fault", "state"), [("", "delivered"), ("undelivered", "failed")])
async def test_of_verify_we_ask_for_those_who_wait(
    visitor: Visitor, app: Starlette, sandbox: Sandbox, clock: Clock, fault: str, state: str
) -> None:
    if fault:
        sandbox.fail(fault)
    assert delivery(await sign_up(visitor)) == "sent"
    await app.state.receipts.ask()
    assert sandbox.calls["Attempts"] == 0, "too soon"
    clock.advance(3)
    await app.state.receipts.ask()
    assert sandbox.calls["Attempts"] == 1
    assert delivery(await visitor.visit("/verification")) == state
    clock.advance(10)
    await app.state.receipts.ask()
    assert sandbox.calls["Attempts"] == 1, "it is known now"


@BY_LIST
async def test_many_who_wait_are_asked_for_by_one_call_and_nobody_after_two_minutes(
    visitor: Visitor, app: Starlette, sandbox: Sandbox, clock: Clock
) -> None:
    await sign_up(visitor)
    row = await newest()
    columns: dict[str, Any] = {
        name: getattr(row, name) for name in row._meta.db_fields if name not in {"id", "message"}
    }
    for nth in range(BATCH + 4):
        await Verification.create(**columns, message=f"VL{nth}")
    later = Clock()  # than the application has it, which asks meanwhile as well
    later.now = clock.now
    history, money = app.state.history, app.state.site.money
    charges = Charges((), money, history, later)
    receipts = Receipts(app.state.providers.verifier, history, charges, later)
    later.advance(3)
    await receipts.ask()
    assert sandbox.calls["Attempts"] == 1
    assert await Verification.filter(receipt_due_at__lte=later()).count() == 5, "bounded"
    await receipts.ask()
    assert sandbox.calls["Attempts"] == 2
    for _ in range(40):
        later.advance(5)
        await receipts.ask()
        await receipts.ask()
    assert sandbox.calls["Attempts"] <= 2 + 2 * 120 / 5, "of two batches, every five seconds"
    assert await Verification.exclude(receipt_due_at=None).count() == 0


@BY_LIST
@pytest.mark.parametrize("fault", ["500", "429", "timeout", "refused", "garbage", "shape"])
async def test_a_list_that_cannot_be_read_is_asked_for_again(
    visitor: Visitor, app: Starlette, sandbox: Sandbox, clock: Clock, fault: str
) -> None:
    await sign_up(visitor)
    clock.advance(3)
    sandbox.fail(fault, 3)
    await app.state.receipts.ask()
    sandbox.faults.clear()
    assert delivery(await visitor.visit("/verification")) == "sent"
    clock.advance(30)
    await app.state.receipts.ask()
    assert delivery(await visitor.visit("/verification")) == "delivered"


@BY_LIST
@pytest.mark.environ(WHATSAPP="1", OUTBOX_IN_WEB="0")
@pytest.mark.parametrize("channel", ["call", "whatsapp"])
async def test_a_receipt_counts_under_the_channel_of_its_code(
    visitor: Visitor, app: Starlette, clock: Clock, channel: str
) -> None:
    await sign_up(visitor)
    clock.advance(30)
    await app.state.receipts.ask()
    await visitor.submit("/verification/resend", button=channel)
    clock.advance(3)
    await app.state.receipts.ask()
    assert await counted(app, Reason.DELIVERED) == {"sms": 1, channel: 1}


@ON_SQLITE
@BY_LIST
@pytest.mark.environ(**PRICED)
async def test_a_price_that_verify_tells_late_counts_all_the_same(
    visitor: Visitor, app: Starlette, clock: Clock
) -> None:
    await sign_up(visitor)
    unpriced = Receipt((await newest()).message, DeliveryState.DELIVERED, NUMBER)
    await app.state.receipts.take(unpriced)
    assert (await spent(), await due()) == (RESERVED, 1)
    await ask(app, clock, after=60)
    assert (await spent(), await due()) == (CHARGED, 0)


# The page while it asks


@BY_CALLBACK
async def test_a_page_asks_for_ninety_seconds_and_no_longer(
    visitor: Visitor, client: httpx.AsyncClient, clock: Clock
) -> None:
    await sign_up(visitor)
    clock.advance(90)
    page = await visitor.visit("/verification")
    assert not page.html.css_first("[hx-get='/verification/delivery']")
    piece = await client.get("/verification/delivery")
    assert "hx-trigger" not in piece.text


@BY_CALLBACK
async def test_a_piece_is_never_replaced_by_another_page(
    visitor: Visitor, phone: Phone, client: httpx.AsyncClient
) -> None:
    for path in ("/verification/delivery", "/signin/code/delivery"):
        assert (await client.get(path)).status_code == 204
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified
    assert (await client.get("/verification/delivery")).status_code == 204
