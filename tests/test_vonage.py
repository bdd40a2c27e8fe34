"""Vonage: what we ask of its SMS API, what each answer means, and a sign-up that it carries."""

import contextlib
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import parse_qsl

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from starlette.applications import Starlette
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.people import CONFIRMATION, NUMBER, sign_up, verify
from tests.phone import Phone
from tests.servers import PRODUCTION
from tests.test_receipts import counted, delivery
from tests.visitor import Visitor
from webapp.accounts.challenges.verifications import Verification
from webapp.accounts.history.reasons import Reason
from webapp.accounts.sending.outbox import OutboxMessage
from webapp.accounts.sending.stored_receipts import StoredReceipt
from webapp.providers import (
    Blocked,
    Busy,
    InvalidNumber,
    Misconfigured,
    NotFound,
    ProviderError,
    Unreachable,
)
from webapp.providers.client import VendorClient
from webapp.providers.http import HttpTransport
from webapp.providers.twilio.callbacks import path_secret as twilio_secret
from webapp.providers.vonage import KINDS, VonageMessages
from webapp.providers.vonage.callbacks import callback_url, path_secret
from webapp.sandbox import Sandbox
from webapp.sandbox.vonage import ERRORS
from webapp.settings import Settings

PHONE = "+447400123456"
SMS = "https://rest.nexmo.com/sms/json"
BALANCE = "https://rest.nexmo.com/account/get-balance"
NUMBERS = "https://rest.nexmo.com/account/numbers"
OWNED = {"count": 1, "numbers": [{"country": "US", "msisdn": "15005550009"}]}
PART = {"to": PHONE[1:], "message-id": "0C000000217B7F02", "status": "0"}


class Network:
    """Vonage behind a scripted wire."""

    def __init__(self, number: str = "+15005550009") -> None:
        self.router = respx.Router()
        self.transport = HttpTransport(10, httpx.MockTransport(self.router.async_handler))
        vendor = VendorClient("vonage", self.transport, sleep=no_time)
        self.messages = VonageMessages(vendor, "a1b2c3d4", "secret", number=number)

    def answer(self, *answers: httpx.Response | Exception) -> respx.Route:
        """Every text gets these answers in turn, the last one for good."""
        return self.router.post(SMS).mock(side_effect=[*answers, *answers[-1:] * 3])

    async def text(self, body: str = "Welcome", *, hours: float = 4) -> str:
        return await self.messages.send(PHONE, body, valid_for=timedelta(hours=hours))


async def no_time(_: float) -> None:
    pass


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network()
    yield network
    await network.transport.aclose()


def parts(*statuses: object) -> httpx.Response:
    rows = [{**PART, "status": status, "error-text": f"To {PHONE}"} for status in statuses]
    return httpx.Response(200, json={"message-count": str(len(rows)), "messages": rows})


async def test_a_text_is_a_form_with_basic_authentication(network: Network) -> None:
    route = network.answer(parts("0"))
    assert await network.text() == "0C000000217B7F02"
    request = route.calls.last.request
    assert dict(parse_qsl(request.content.decode(), strict_parsing=True)) == {
        "from": "15005550009",
        "to": "447400123456",
        "text": "Welcome",
        "type": "text",
        "ttl": "14400000",
    }
    assert request.headers["authorization"] == f"Basic {b64encode(b'a1b2c3d4:secret').decode()}"


@pytest.mark.parametrize(("hours", "ttl"), [(1 / 6, "1800000"), (24 * 30, "604800000")])
async def test_a_text_is_tried_no_longer_than_it_is_of_use_and_vonage_allows(
    hours: float, ttl: str, network: Network
) -> None:
    route = network.answer(parts("0"))
    await network.text(hours=hours)
    assert dict(parse_qsl(route.calls.last.request.content.decode()))["ttl"] == ttl


@pytest.mark.parametrize(("body", "kind"), [("Grüße, 5 €", "text"), ("北京", "unicode")])
async def test_letters_beyond_gsm_7_are_sent_as_unicode(
    body: str, kind: str, network: Network
) -> None:
    route = network.answer(parts("0"))
    await network.text(body)
    assert dict(parse_qsl(route.calls.last.request.content.decode()))["type"] == kind


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        ("1", Busy, 3),
        ("10", Busy, 3),
        *((code, Misconfigured, 1) for code in ("2", "4", "8", "9", "11", "15", "29", "99")),
        *((code, InvalidNumber, 1) for code in ("3", "6", "22", "33")),
        ("7", Blocked, 1),
        ("5", Unreachable, 1),
    ],
)
async def test_a_status_in_the_body_becomes_its_kind(
    status: str, kind: type[ProviderError], requests: int, network: Network
) -> None:
    route = network.answer(parts(status))
    with pytest.raises(ProviderError) as raised:
        await network.text()
    assert type(raised.value) is kind
    assert raised.value.code == status
    assert raised.value.maybe_sent is (kind is Unreachable)
    assert route.call_count == requests
    assert PHONE not in f"{raised.value!r}"


def test_every_status_of_the_vendors_list_has_a_kind() -> None:
    assert {*KINDS} == {*map(str, ERRORS)}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="OK"),
        httpx.Response(200, json={"messages": []}),
        httpx.Response(200, json={"messages": [{"status": None}]}),
        httpx.Response(200, json={"messages": [{"status": "0"}]}),  # no id
        httpx.Response(202, json={"messages": [PART]}),
        httpx.Response(502, text="<html>"),
        httpx.ReadTimeout(""),
        parts("0", "1"),  # of a long text one part went out
    ],
)
async def test_an_answer_that_is_no_clear_yes_may_have_sent_the_text(
    answer: httpx.Response | Exception, network: Network
) -> None:
    route = network.answer(answer)
    with pytest.raises(Unreachable) as raised:
        await network.text()
    assert raised.value.maybe_sent is True
    assert route.call_count == 1


async def test_whether_it_has_a_text_nobody_can_know(network: Network) -> None:
    found = await network.messages.find(PHONE, "Welcome", datetime.now(UTC))
    assert found is NotFound.CANNOT_TELL


@pytest.mark.parametrize(
    ("balance", "numbers", "variables"),
    [
        (httpx.Response(200, json={"value": 3.2}), OWNED, []),
        (httpx.Response(200, json={"value": 3.2}), {"numbers": 1}, ["VONAGE_NUMBER"]),
        (httpx.Response(200, json={"value": 3.2}), {}, ["VONAGE_NUMBER"]),
        (
            httpx.Response(200, json={"value": 0}),
            {"numbers": 1},
            ["VONAGE_API_KEY", "VONAGE_NUMBER"],
        ),
        (httpx.Response(401, json={"error-code": "401"}), {}, ["VONAGE_API_SECRET"]),
        (httpx.Response(500), {}, ["MESSENGER"]),
    ],
)
async def test_the_doctor_asks_for_credit_and_numbers(
    balance: httpx.Response, numbers: dict[str, object], variables: list[str], network: Network
) -> None:
    network.router.get(BALANCE).mock(return_value=balance)
    network.router.get(NUMBERS).respond(200, json=numbers)
    faults = await network.messages.examine(frozenset())
    assert [fault.variable for fault in faults] == variables


async def test_a_name_for_a_sender_is_in_no_list() -> None:
    network = Network("Allotments")
    network.router.get(BALANCE).respond(200, json={"value": 1})
    assert await network.messages.examine(frozenset()) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["0", "1", "AB12"]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["messages", "status", "message-id"]), inner)
    ),
    max_leaves=12,
)


@profile(deadline=None)
@given(status=st.sampled_from([200, 201, 401, 429, 500, 503]), body=JSON)
async def test_whatever_it_says_is_an_id_or_an_error_of_ours(status: int, body: object) -> None:
    network = Network()  # another each time: none has met five failures in a row
    network.router.post(SMS).mock(return_value=httpx.Response(status, json=body))
    with contextlib.suppress(ProviderError):
        assert re.fullmatch("[0-9A-Za-z-]+", await network.text())


# A sign-up over it.

OVER_VONAGE = pytest.mark.environ(MESSENGER="vonage")
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
OWN_CODES = pytest.mark.parametrize("provider", ["codes"])


@OVER_VONAGE
@OWN_CODES
async def test_vonage_carries_the_code_and_the_confirmation(
    visitor: Visitor, phone: Phone, sandbox: Sandbox
) -> None:
    assert (await sign_up(visitor)).step == "verification"
    assert (await verify(visitor, phone)).verified is True
    await phone.text(NUMBER, CONFIRMATION)
    assert sandbox.calls == {"json": 2}  # POST /sms/json, and nothing of Twilio's


@OVER_VONAGE
@OWN_CODES
@ON_SQLITE
@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("6", 422, "cannot send a code to this number. Check it"),
        ("7", 422, "cannot send a code to this number now"),
        ("1", 503, "text service is busy"),
        ("429", 503, "text service is busy"),
        ("4", 503, "not your fault"),
        ("5", 503, "may or may not be on its way"),
        ("timeout", 503, "may or may not be on its way"),
        ("refused", 503, "cannot reach our text service"),
    ],
)
async def test_what_goes_wrong_is_said_in_words(
    fault: str, status: int, words: str, visitor: Visitor, sandbox: Sandbox
) -> None:
    sandbox.fail(fault, 3)
    page = await sign_up(visitor)
    assert (page.status, page.step) == (status, "signup")
    assert words in page.text


@OVER_VONAGE
@OWN_CODES
@ON_SQLITE
@pytest.mark.environ(OUTBOX_IN_WEB="0")
async def test_a_confirmation_whose_fate_nobody_can_know_is_not_sent_twice(
    app: Starlette, visitor: Visitor, phone: Phone, sandbox: Sandbox, clock: Clock
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    sandbox.fail("dropped")  # it arrives, and we do not learn it
    await app.state.outbox.deliver()
    for _ in range(3):
        clock.advance(3600)
        await app.state.outbox.deliver()
    message = await OutboxMessage.get(to=NUMBER)
    assert (message.state, message.done_at is not None) == ("unknown", True)
    texts = [text.body for text in await phone.texts(NUMBER)]
    assert sum(CONFIRMATION in text for text in texts) == 1


# Receipts.


def hook(app: Starlette) -> str:
    """The path that Vonage is told."""
    return f"/hooks/vonage/{path_secret(app.state.settings.secret_key)}"


def receipt(message: str, status: str = "delivered") -> dict[str, str]:
    """What Vonage tells, in its own words."""
    return {
        "msisdn": NUMBER[1:],
        "to": "15005550009",
        "network-code": "23410",
        "messageId": message,
        "price": "0.03330000",
        "status": status,
        "scts": "2605011200",
        "err-code": "0" if status == "delivered" else "2",
        "message-timestamp": "2026-05-01 12:00:00",
    }


@OVER_VONAGE
@OWN_CODES
@pytest.mark.parametrize(("fault", "said"), [("", "delivered"), ("undelivered", "failed")])
async def test_the_page_learns_what_the_network_did(
    visitor: Visitor, client: httpx.AsyncClient, sandbox: Sandbox, fault: str, said: str
) -> None:
    if fault:
        sandbox.fail(fault)
    assert delivery(await sign_up(visitor)) == "sent"
    assert await sandbox.callbacks.post(client) == [204, 204]
    assert delivery(await visitor.visit("/verification")) == said


@OVER_VONAGE
@OWN_CODES
@ON_SQLITE
@pytest.mark.parametrize("way", ["json", "form", "query"])
async def test_a_receipt_counts_once_in_whichever_way_the_account_has_it_sent(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette, way: str
) -> None:
    await sign_up(visitor)
    fields = receipt((await Verification.get()).message)
    sends = {
        "json": partial(client.post, hook(app), json=fields),
        "form": partial(client.post, hook(app), data=fields),
        "query": partial(client.get, hook(app), params=fields),
    }
    for _ in range(2):
        assert (await sends[way]()).status_code == 204
    assert delivery(await visitor.visit("/verification")) == "delivered"
    assert await counted(app, Reason.DELIVERED) == {"sms": 1}
    assert (await StoredReceipt.get()).price_due_at is None, "no list would tell the price"


@OVER_VONAGE
@OWN_CODES
@ON_SQLITE
async def test_a_receipt_that_does_not_know_the_path_is_forged(
    visitor: Visitor, client: httpx.AsyncClient, app: Starlette
) -> None:
    await sign_up(visitor)
    fields = receipt((await Verification.get()).message)
    for secret in ("0" * 32, twilio_secret(app.state.settings.secret_key)):
        answer = await client.post(f"/hooks/vonage/{secret}", json=fields)
        assert answer.status_code == 403
    assert await StoredReceipt.all().count() == 0


@ON_SQLITE
@pytest.mark.parametrize("body", ["", "[1]", "{", '"delivered"', '{"messageId": 1}', "[" * 60_000])
async def test_a_body_that_is_no_receipt_changes_nothing(
    client: httpx.AsyncClient, app: Starlette, body: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post(hook(app), content=body, headers=headers)
    assert answer.status_code in (204, 400)
    assert await StoredReceipt.all().count() == 0


@ON_SQLITE
async def test_the_log_does_not_have_the_secret_path(
    client: httpx.AsyncClient, app: Starlette
) -> None:
    with capture_logs() as lines:
        await client.get(hook(app), params=receipt("0C01"))
    assert path_secret(app.state.settings.secret_key) not in str(lines)
    assert NUMBER[1:] not in str(lines)


@pytest.mark.parametrize(
    ("base_url", "told"),
    [
        ("https://accounts.example.com", True),
        (f"https://{'a' * 60}.example.com", False),  # 100 characters are the most
        ("http://localhost:8000", False),  # nothing that Vonage could reach
    ],
)
def test_vonage_is_told_a_url_that_it_can_reach_and_takes(base_url: str, told: bool) -> None:
    key = {"VONAGE_API_KEY": "key", "VONAGE_API_SECRET": "secret", "VONAGE_NUMBER": "Example"}
    more = {"MESSENGER": "vonage", "BASE_URL": base_url, "DATABASE_URL": "sqlite://app.sqlite3"}
    settings = Settings.load(PRODUCTION | key | more)
    url = callback_url(settings)
    assert url == (f"{base_url}/hooks/vonage/{path_secret(settings.secret_key)}" if told else "")
