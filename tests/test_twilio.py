"""Twilio: what we ask of Verify and Messages, and what each of their answers means to us."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import httpx
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.providers import (
    Blocked,
    Busy,
    Channel,
    CountryNotServed,
    DeliveryState,
    Gone,
    InvalidNumber,
    Misconfigured,
    NotFound,
    NotMobile,
    OptedOut,
    Price,
    ProviderError,
    Receipt,
    SetupFault,
    TooManyChecks,
    TooManySends,
    Unreachable,
)
from webapp.providers.client import VendorClient
from webapp.providers.http import HttpTransport
from webapp.providers.twilio import Credentials, TwilioMessages, TwilioVerify, UsageTriggers

ACCOUNT = "AC" + "a" * 32
SERVICE = "VA" + "b" * 32
VERIFICATION = "VE" + "c" * 32
TEXT = "SM" + "d" * 32
PHONE = "+15005550006"
VERIFY = f"https://verify.twilio.com/v2/Services/{SERVICE}"
MESSAGES = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json"

# What the vendor's OpenAPI description lets a request say, and which of it is required.
SEND_FIELDS = {"To": True, "Channel": True, "Locale": False, "RateLimits": False, "Tags": False}
CHECK_FIELDS = {"Code": False, "To": False, "VerificationSid": False}
TEXT_FIELDS = {
    "To": True,
    "From": False,
    "MessagingServiceSid": False,
    "Body": False,
    "ValidityPeriod": False,
}

PENDING = {"sid": VERIFICATION, "status": "pending", "to": PHONE, "valid": False}
QUEUED = {"sid": TEXT, "status": "queued", "num_segments": "1", "error_code": None}


class Network:
    """Twilio behind a scripted wire."""

    def __init__(
        self,
        credentials: Credentials | None = None,
        *,
        number: str = "+15005550001",
        service: str = "",
        whatsapp: bool = False,
    ) -> None:
        self.router = respx.Router()
        self.transport = HttpTransport(10, httpx.MockTransport(self.router.async_handler))
        vendor = VendorClient("twilio", self.transport, sleep=no_time)
        credentials = credentials or Credentials(ACCOUNT, "token")
        self.verify = TwilioVerify(vendor, credentials, SERVICE, whatsapp=whatsapp)
        self.usage = UsageTriggers(vendor, credentials)
        self.messages = TwilioMessages(
            vendor, credentials, number=number, messaging_service_sid=service
        )

    def answer(self, *answers: httpx.Response | Exception) -> respx.Route:
        """Every call gets these answers in turn, the last one for good."""
        turns = iter(answers)
        last = answers[-1]

        def turn(_: httpx.Request) -> httpx.Response:
            answer = next(turns, last)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return self.router.route().mock(side_effect=turn)

    async def send(self, channel: Channel = Channel.SMS) -> str:
        sent = await self.verify.send(PHONE, email="ada@example.com", channel=channel)
        return sent.reference

    async def check(self, code: str = "123456") -> bool:
        return await self.verify.check(PHONE, reference=VERIFICATION, code=code)

    async def text(self, seconds: float = 3600) -> str:
        valid_for = timedelta(seconds=seconds)
        return await self.messages.send(PHONE, "Welcome", valid_for=valid_for)

    async def find(self, since: datetime | None = None) -> str | NotFound:
        return await self.messages.find(PHONE, "Welcome", since or datetime.now(UTC))


async def no_time(_: float) -> None:
    pass


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network()
    yield network
    await network.transport.aclose()


def error(code: int, status: int) -> httpx.Response:
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": f"To {PHONE}", "more_info": more_info, "status": status}
    return httpx.Response(status, json=body)


def form(request: httpx.Request, allowed: dict[str, bool]) -> dict[str, str]:
    """The request's fields, which are those the description allows, each at most once."""
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    fields = parse_qsl(request.content.decode(), strict_parsing=True)
    assert len(fields) == len(dict(fields))
    assert {name for name, required in allowed.items() if required} <= dict(fields).keys()
    assert dict(fields).keys() <= allowed.keys()
    return dict(fields)


# Requests.


@pytest.mark.parametrize("channel", list(Channel))
async def test_a_code_is_asked_for_by_number_and_channel(
    channel: Channel, network: Network
) -> None:
    route = network.router.post(f"{VERIFY}/Verifications").respond(201, json=PENDING)
    assert await network.send(channel) == VERIFICATION
    fields = form(route.calls.last.request, SEND_FIELDS)
    assert fields == {"To": PHONE, "Channel": channel.value}


async def test_a_check_is_made_by_the_verifications_sid_and_never_by_number(
    network: Network,
) -> None:
    route = network.router.post(f"{VERIFY}/VerificationCheck").respond(
        200, json={**PENDING, "status": "approved", "valid": True}
    )
    assert await network.check() is True
    fields = form(route.calls.last.request, CHECK_FIELDS)
    assert fields == {"VerificationSid": VERIFICATION, "Code": "123456"}


async def test_a_text_goes_out_from_the_number(network: Network) -> None:
    route = network.router.post(MESSAGES).respond(201, json=QUEUED)
    assert await network.text() == TEXT
    fields = form(route.calls.last.request, TEXT_FIELDS)
    assert fields == {
        "To": PHONE,
        "From": "+15005550001",
        "Body": "Welcome",
        "ValidityPeriod": "3600",
    }


@pytest.mark.parametrize(
    ("seconds", "period"), [(599.6, "599"), (0.5, "10"), (-3, "10"), (86_400, "36000")]
)
async def test_a_text_waits_in_twilios_queue_no_longer_than_it_is_of_use(
    seconds: float, period: str, network: Network
) -> None:
    route = network.router.post(MESSAGES).respond(201, json=QUEUED)
    await network.text(seconds)
    assert form(route.calls.last.request, TEXT_FIELDS)["ValidityPeriod"] == period


async def test_a_text_goes_out_through_the_messaging_service_where_there_is_one() -> None:
    service = "MG" + "e" * 32
    network = Network(number="+1", service=service)
    route = network.router.post(MESSAGES).respond(201, json={**QUEUED, "status": "accepted"})
    await network.text()
    fields = form(route.calls.last.request, TEXT_FIELDS)
    assert (fields["To"], fields["MessagingServiceSid"]) == (PHONE, service)
    assert "From" not in fields


KEY = "SK" + "f" * 32


@pytest.mark.parametrize(
    ("credentials", "login"),
    [
        (Credentials(ACCOUNT, "token"), f"{ACCOUNT}:token"),
        (Credentials(ACCOUNT, api_key=KEY, api_key_secret="secret"), f"{KEY}:secret"),
        (Credentials(ACCOUNT, "token", KEY, "secret"), f"{KEY}:secret"),
    ],
    ids=["auth token", "API key", "API key before auth token"],
)
async def test_credentials_are_sent_as_basic_authentication(
    credentials: Credentials, login: str
) -> None:
    network = Network(credentials)
    route = network.router.post(MESSAGES).respond(201, json=QUEUED)  # the account's path, always
    await network.text()
    expected = f"Basic {b64encode(login.encode()).decode()}"
    assert route.calls.last.request.headers["authorization"] == expected


async def test_the_environment_does_not_move_calls_to_another_region(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_REGION", "au1")
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    route = network.router.post(f"{VERIFY}/Verifications").respond(201, json=PENDING)
    await network.send()
    assert route.called


def test_a_secret_does_not_show_in_the_credentials_words() -> None:
    assert "s3cret" not in repr(Credentials(ACCOUNT, "s3cret", KEY, "s3cret"))


# Errors: what each code means, whether it was retried.

CODES = [
    (20003, 401, Misconfigured, 1),
    (20429, 429, Busy, 3),
    (20500, 500, Unreachable, 1),
    (20503, 503, Busy, 3),
    (21211, 400, InvalidNumber, 1),
    (21408, 403, CountryNotServed, 1),
    (21603, 400, Misconfigured, 1),
    (21606, 400, Misconfigured, 1),
    (21608, 403, Misconfigured, 1),
    (21610, 400, OptedOut, 1),
    (21611, 429, Busy, 3),
    (21612, 400, CountryNotServed, 1),
    (21614, 400, InvalidNumber, 1),
    (30034, 400, Misconfigured, 1),
    (30450, 400, Blocked, 1),
    (60006, 400, InvalidNumber, 1),
    (60202, 429, TooManyChecks, 1),
    (60203, 429, TooManySends, 1),
    (60205, 403, NotMobile, 1),
    (60212, 429, Busy, 3),
    (60217, 400, Misconfigured, 1),
    (60220, 403, CountryNotServed, 1),
    (60221, 403, Misconfigured, 1),
    (60223, 403, Misconfigured, 1),
    (60238, 403, CountryNotServed, 1),
    (60410, 403, Blocked, 1),
    (60413, 403, Blocked, 1),
    (60605, 403, CountryNotServed, 1),
    (99999, 400, Misconfigured, 1),  # unknown: something for the operator
    (99999, 429, Busy, 3),
    (99999, 500, Unreachable, 1),
]


@pytest.mark.parametrize("act", ["send", "text"])
@pytest.mark.parametrize(("code", "status", "kind", "requests"), CODES)
async def test_an_error_code_becomes_its_kind(
    code: int, status: int, kind: type[ProviderError], requests: int, act: str, network: Network
) -> None:
    route = network.answer(error(code, status))
    with pytest.raises(ProviderError) as raised:
        await getattr(network, act)()
    assert type(raised.value) is kind
    assert raised.value.code == str(code)
    assert raised.value.maybe_sent is (kind is Unreachable)
    assert route.call_count == requests
    assert PHONE not in f"{raised.value!r}"


async def test_an_invalid_parameter_means_the_number_when_a_code_is_sent(network: Network) -> None:
    network.answer(error(60200, 400))
    with pytest.raises(InvalidNumber):
        await network.send()


async def test_an_invalid_parameter_means_a_wrong_code_when_one_is_checked(
    network: Network,
) -> None:
    network.answer(error(60200, 400))
    assert await network.check() is False


async def test_a_verification_that_is_gone_is_gone_but_a_service_that_is_gone_is_a_setting(
    network: Network,
) -> None:
    network.answer(error(20404, 404))
    with pytest.raises(Gone):
        await network.check()
    with pytest.raises(Misconfigured):
        await network.send()
    with pytest.raises(Misconfigured):
        await network.text()


FAULTS: dict[str, tuple[httpx.Response | Exception, type[ProviderError], bool, int]] = {
    "refused": (httpx.ConnectError("refused"), Unreachable, False, 3),
    "no such host": (httpx.ConnectError("Name or service not known"), Unreachable, False, 3),
    "connect timeout": (httpx.ConnectTimeout(""), Unreachable, False, 3),
    "read timeout": (httpx.ReadTimeout(""), Unreachable, True, 1),
    "dropped after acceptance": (httpx.RemoteProtocolError(""), Unreachable, True, 1),
    "429 without a code": (httpx.Response(429), Busy, False, 3),
    "500 without a body": (httpx.Response(500), Unreachable, True, 1),
    "502 in HTML": (httpx.Response(502, text="<html>"), Unreachable, True, 1),
    "redirect": (httpx.Response(302, headers={"Location": "/"}), Misconfigured, False, 1),
    "201 that is not JSON": (httpx.Response(201, text="OK"), Unreachable, True, 1),
    "201 without a body": (httpx.Response(201), Unreachable, True, 1),
    "204 with a yes": (
        httpx.Response(204, json={**PENDING, "status": "approved"}),
        Unreachable,
        True,
        1,
    ),
    "a list": (httpx.Response(201, json=[]), Unreachable, True, 1),
    "null": (httpx.Response(201, json=None), Unreachable, True, 1),
    "no sid": (httpx.Response(201, json={"status": "pending"}), Unreachable, True, 1),
    "a number for a sid": (httpx.Response(201, json={**PENDING, "sid": 1}), Unreachable, True, 1),
    "a list for a status": (
        httpx.Response(201, json={**PENDING, "status": []}),
        Unreachable,
        True,
        1,
    ),
    "deeper than anybody can read": (
        httpx.Response(201, text="[" * 100_000),
        Unreachable,
        True,
        1,
    ),
}


SENDS_ONLY = {"no sid", "a number for a sid"}  # the answer to a check is its status


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        (act, fault)
        for act in ("send", "check", "text", "find")
        for fault in FAULTS
        if act != "check" or fault not in SENDS_ONLY
    ],
)
async def test_a_fault_becomes_its_kind_and_a_send_is_not_repeated(
    fault: str, act: str, network: Network
) -> None:
    answer, kind, maybe_sent, requests = FAULTS[fault]
    if act == "text" and fault == "a list for a status":
        answer = httpx.Response(201, json={**QUEUED, "status": []})
    route = network.answer(answer)
    with pytest.raises(ProviderError) as raised:
        await getattr(network, act)()
    assert type(raised.value) is kind
    assert raised.value.maybe_sent is maybe_sent
    assert route.call_count == requests


async def test_a_send_turned_away_for_now_is_made_again(network: Network) -> None:
    route = network.answer(error(20429, 429), httpx.Response(201, json=PENDING))
    assert await network.send() == VERIFICATION
    assert route.call_count == 2


# Checks.


async def test_a_wrong_code_is_a_200_that_is_still_pending(network: Network) -> None:
    network.answer(httpx.Response(200, json=PENDING))
    assert await network.check() is False


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("canceled", Gone),
        ("deleted", Gone),
        ("expired", Gone),
        ("failed", Gone),
        ("max_attempts_reached", TooManyChecks),
        ("Approved", Unreachable),
        ("approved ", Unreachable),
        ("", Unreachable),
        (True, Unreachable),
        (None, Unreachable),
        (["approved"], Unreachable),
        ({"approved": True}, Unreachable),
    ],
)
async def test_no_status_but_approved_opens(
    status: object, kind: type[ProviderError], network: Network
) -> None:
    network.answer(httpx.Response(200, json={**PENDING, "status": status, "valid": True}))
    with pytest.raises(kind):
        await network.check()


@pytest.mark.parametrize("status", ["approved", "pending"])
@pytest.mark.parametrize(
    "other", [{"sid": "VE" + "0" * 32}, {"to": "+15005550007"}, {"sid": None}, {"to": 15005550006}]
)
async def test_an_answer_about_another_number_or_verification_is_no_answer(
    other: dict[str, object], status: str, network: Network
) -> None:
    network.answer(httpx.Response(200, json={**PENDING, "status": status, **other}))
    with pytest.raises(Unreachable):
        await network.check()


async def test_an_answer_need_not_name_the_number(network: Network) -> None:
    network.answer(httpx.Response(200, json={"sid": VERIFICATION, "status": "approved"}))
    assert await network.check() is True


@pytest.mark.parametrize("act", ["send", "text"])
async def test_a_send_that_is_answered_for_another_number_may_have_gone_anywhere(
    act: str, network: Network
) -> None:
    answer = {**(PENDING if act == "send" else QUEUED), "to": "+15005550007"}
    network.answer(httpx.Response(201, json=answer))
    with pytest.raises(Unreachable) as raised:
        await getattr(network, act)()
    assert raised.value.maybe_sent is True


@pytest.mark.parametrize("code", ["", "123", "12345678901", "12345a", "١٢٣٤٥٦", "123456\n"])
async def test_what_cannot_be_a_code_is_wrong_without_asking(code: str, network: Network) -> None:
    route = network.answer(httpx.Response(200, json={**PENDING, "status": "approved"}))
    assert await network.check(code) is False
    assert not route.called


# Texts.


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("failed", 30450, Blocked),
        ("failed", 30034, Misconfigured),
        ("canceled", None, Misconfigured),
    ],
)
async def test_a_text_that_failed_at_once_was_not_sent(
    status: str, code: int | None, kind: type[ProviderError], network: Network
) -> None:
    network.answer(httpx.Response(201, json={**QUEUED, "status": status, "error_code": code}))
    with pytest.raises(kind) as raised:
        await network.text()
    assert raised.value.maybe_sent is False


NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def listed(body: object, at: object = "Fri, 01 May 2026 12:00:00 +0000") -> dict[str, Any]:
    return {**QUEUED, "body": body, "date_created": at, "date_sent": None, "to": PHONE}


async def test_a_text_is_looked_for_by_its_number(network: Network) -> None:
    route = network.answer(httpx.Response(200, json={"messages": [], "page": 0}))
    assert await network.find(NOON) is NotFound.NEVER_ACCEPTED
    request = route.calls.last.request
    assert request.url.copy_with(query=None) == MESSAGES
    assert parse_qs(request.url.query.decode()) == {"To": [PHONE], "PageSize": ["50"]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (listed("Welcome"), TEXT),
        (listed("Welcome\n"), TEXT),
        (listed("Sent from your Twilio trial account - Welcome"), TEXT),
        (listed("Goodbye"), NotFound.NEVER_ACCEPTED),
        (listed(None), NotFound.NEVER_ACCEPTED),
        (listed("Welcome", "Fri, 01 May 2026 11:59:40 +0000"), TEXT),  # their clock may be slow
        (listed("Welcome", "Fri, 01 May 2026 11:50:00 +0000"), NotFound.NEVER_ACCEPTED),
    ],
)
async def test_a_text_is_known_by_its_words_and_its_time(
    text: dict[str, Any], found: str | NotFound, network: Network
) -> None:
    network.answer(httpx.Response(200, json={"messages": [text], "page": 0}))
    assert await network.find(NOON) == found


@pytest.mark.parametrize("messages", [[listed("Welcome", "soon")], [1], "Welcome", None])
async def test_a_list_that_cannot_be_read_does_not_mean_that_nothing_was_sent(
    messages: object, network: Network
) -> None:
    network.answer(httpx.Response(200, json={"messages": messages, "page": 0}))
    with pytest.raises(Unreachable):
        await network.find(NOON - timedelta(hours=1))


def priced(price: str | None, unit: str | None = "USD", minute: int = 0) -> dict[str, Any]:
    """A text in the list as Twilio has it some time later."""
    text = listed("Welcome", f"Fri, 01 May 2026 12:{minute:02}:00 +0000")
    return text | {"status": "delivered", "price": price, "price_unit": unit}


@pytest.mark.parametrize(
    ("text", "price"),
    [
        (priced("-0.00750"), Price(7_500, "USD")),
        (priced("-0.0532", "eur"), Price(53_200, "EUR")),
        (priced("0"), Price(0, "USD")),
        (priced(None), None),
        (priced("soon"), None),
        (priced("NaN"), None),
        (priced("Infinity"), None),
    ],
)
async def test_what_a_text_did_cost_stands_in_the_list(
    text: dict[str, Any], price: Price | None, network: Network
) -> None:
    network.answer(httpx.Response(200, json={"messages": [text], "page": 0}))
    [receipt] = await network.messages.receipts(NOON, NOON)
    assert receipt == Receipt(TEXT, DeliveryState.DELIVERED, phone=PHONE, price=price, sent_at=NOON)


async def test_the_list_of_texts_is_read_by_pages_down_to_those_that_count(
    network: Network,
) -> None:
    path = httpx.URL(MESSAGES).path
    pages = [
        {"messages": [priced(None, minute=9)], "next_page_uri": f"{path}?Page=1&PageToken=P1"},
        {
            "messages": [priced(None, minute=4), priced(None, minute=1)],
            "next_page_uri": f"{path}?Page=2&PageToken=P2",
        },
    ]
    route = network.answer(*(httpx.Response(200, json=page) for page in pages))
    since, until = NOON + timedelta(minutes=3), NOON + timedelta(minutes=5)
    receipts = await network.messages.receipts(since, until)
    assert [one.sent_at for one in receipts] == [
        NOON + timedelta(minutes=9 - 5 * n) for n in (0, 1)
    ]
    first, second = (call.request.url for call in route.calls)
    assert parse_qs(first.query.decode()) == {
        "DateSent>": ["2026-05-01T12:02:30Z"],
        "DateSent<": ["2026-05-01T12:05:30Z"],
        "PageSize": ["1000"],
    }
    assert second.params["PageToken"] == "P1"


# What the doctor asks.

NUMBERS = MESSAGES.replace("Messages.json", "IncomingPhoneNumbers.json")
GEO = "https://accounts.twilio.com/v1/Messaging/GeoPermissions"
DE = frozenset({"DE"})


def service(digits: object = 6) -> httpx.Response:
    return httpx.Response(200, json={"sid": SERVICE, "code_length": digits})


WHATSAPP_SENDER = {"msg_service_sid": "MG" + "0" * 32, "from": "whatsapp:+15005550006"}


@pytest.mark.parametrize(
    ("whatsapp", "faulty"),
    [
        (WHATSAPP_SENDER, []),
        ({"msg_service_sid": None, "from": None}, ["WHATSAPP"]),
        (None, ["WHATSAPP"]),
        ("yes", ["WHATSAPP"]),
    ],
)
async def test_whatsapp_needs_a_sender_of_the_service(whatsapp: object, faulty: list[str]) -> None:
    network = Network(whatsapp=True)
    answer = {"sid": SERVICE, "code_length": 6, "whatsapp": whatsapp}
    network.router.get(VERIFY).mock(return_value=httpx.Response(200, json=answer))
    assert variables(await network.verify.examine(frozenset())) == faulty


def numbers(*owned: str) -> httpx.Response:
    rows = [{"phone_number": number, "sid": "PN" + "0" * 32} for number in owned]
    return httpx.Response(200, json={"incoming_phone_numbers": rows, "page": 0})


def permissions(**enabled: object) -> httpx.Response:
    rows = [
        {"country_code": code, "type": "country", "enabled": open_}
        for code, open_ in enabled.items()
    ]
    return httpx.Response(200, json={"permissions": rows})


def variables(faults: list[SetupFault]) -> list[str]:
    return [fault.variable for fault in faults]


async def test_a_good_account_has_no_fault(network: Network) -> None:
    network.router.get(VERIFY).mock(return_value=service())
    owned = network.router.get(NUMBERS).mock(return_value=numbers("+15005550001"))
    network.router.get(GEO).mock(return_value=permissions(DE=True, FR=False))
    assert await network.verify.examine(DE) == []
    assert await network.messages.examine(DE) == []
    assert parse_qs(owned.calls.last.request.url.query.decode())["PhoneNumber"] == ["+15005550001"]


@pytest.mark.parametrize(
    ("answer", "variable"),
    [
        (service(4), "TWILIO_VERIFY_SERVICE_SID"),
        (error(20404, 404), "TWILIO_VERIFY_SERVICE_SID"),
        (error(20003, 401), "TWILIO_AUTH_TOKEN"),
        (httpx.Response(500), "VERIFY_PROVIDER"),
        (httpx.ConnectError(""), "VERIFY_PROVIDER"),
    ],
)
async def test_a_fault_of_the_verify_service_names_its_variable(
    answer: httpx.Response | Exception, variable: str, network: Network
) -> None:
    network.answer(answer)
    assert variables(await network.verify.examine(DE)) == [variable]


@pytest.mark.parametrize(
    ("answer", "variable"),
    [
        (numbers(), "TWILIO_NUMBER"),
        (error(20404, 404), "TWILIO_ACCOUNT_SID"),
        (error(20003, 401), "TWILIO_AUTH_TOKEN"),
        (httpx.Response(500), "MESSENGER"),
        (httpx.Response(200, json=[]), "MESSENGER"),
    ],
)
async def test_a_fault_of_the_sender_names_its_variable(
    answer: httpx.Response, variable: str, network: Network
) -> None:
    network.answer(answer)
    assert variables(await network.messages.examine(frozenset())) == [variable]


async def test_a_rejected_api_key_is_named_instead_of_the_token() -> None:
    network = Network(Credentials(ACCOUNT, api_key=KEY, api_key_secret="secret"))
    network.answer(error(20003, 401))
    assert variables(await network.verify.examine(DE)) == ["TWILIO_API_KEY"]


@pytest.mark.parametrize(("status", "found"), [(200, []), (404, ["TWILIO_MESSAGING_SERVICE_SID"])])
async def test_a_messaging_service_is_looked_up(status: int, found: list[str]) -> None:
    network, sid = Network(number="", service="MG" + "e" * 32), "MG" + "e" * 32
    answer = httpx.Response(200, json={"sid": sid}) if status == 200 else error(20404, 404)
    network.router.get(f"https://messaging.twilio.com/v1/Services/{sid}").mock(return_value=answer)
    assert variables(await network.messages.examine(frozenset())) == found


@pytest.mark.parametrize("sender", ["Allotments", "22395"])
async def test_a_name_or_short_code_is_not_looked_up_but_the_credentials_are(sender: str) -> None:
    network = Network(number=sender)
    network.router.get(MESSAGES).respond(200, json={"messages": [], "page": 0})
    assert await network.messages.examine(frozenset()) == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (permissions(DE=False, AT=False, FR=True), ["ALLOWED_COUNTRIES"]),
        (permissions(DE=True, GB=False), []),
        (error(20003, 403), []),  # these credentials may not read them
        (httpx.Response(200, json={"permissions": "none"}), []),
        (httpx.Response(200, json={"permissions": [1, {"enabled": False}]}), []),
    ],
)
async def test_countries_that_twilio_does_not_text_are_told(
    answer: httpx.Response, found: list[str], network: Network
) -> None:
    network.router.get(NUMBERS).mock(return_value=numbers("+15005550001"))
    network.router.get(GEO).mock(return_value=answer)
    faults = await network.messages.examine(frozenset({"DE", "AT", "FR"}))
    assert variables(faults) == found
    assert all("AT, DE" in fault.words for fault in faults)


# Whatever the vendor says.

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["approved", "pending", VERIFICATION, "60203", "Fri, 01 May 2026 12:00:00 -"]
    ),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ["sid", "status", "code", "messages", "error_code", "date_created", "valid", "meta"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)
ANSWERS = st.builds(
    httpx.Response,
    st.sampled_from([200, 201, 204, 302, 400, 401, 404, 408, 429, 500, 503]),
    headers=st.fixed_dictionaries({"Retry-After": st.text("0123456789. ", max_size=4)}),
    content=st.binary(max_size=60)
    | st.builds(
        lambda name, value: {**PENDING, name: value}, st.sampled_from(["sid", "status"]), JSON
    ).map(lambda body: json.dumps(body).encode())
    | JSON.map(lambda body: json.dumps(body).encode()),
)


@settings(deadline=None)
@given(answer=ANSWERS)
async def test_no_answer_is_a_wrong_yes_or_an_error_of_another_kind(
    answer: httpx.Response,
) -> None:
    network = Network()  # another each time: none has met five failures in a row
    network.answer(answer)
    for act in (network.send, network.check, network.text, network.find):
        try:
            outcome = await act()
        except ProviderError:
            continue
        if act == network.check:
            assert outcome is False or _approved(answer)
        elif act == network.send:
            assert answer.json()["status"] == "pending"


def _approved(answer: httpx.Response) -> bool:
    return answer.status_code in (200, 201) and answer.json()["status"] == "approved"


# Its own alarms


def triggers(*found: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"usage_triggers": list(found), "next_page_uri": None})


BY_PRICE = {"trigger_by": "price", "usage_category": "sms", "trigger_value": "20"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (triggers(), ["no usage trigger at Twilio watches the price"]),
        (triggers({**BY_PRICE, "trigger_by": "count"}), ["no usage trigger at Twilio"]),
        (triggers({**BY_PRICE, "current_value": "3"}), ["price of sms: 3 of 20 in all"]),
        (httpx.Response(403, json={"code": 20403}), []),
        (httpx.ConnectError("refused"), []),
        (httpx.Response(200, text="no JSON"), []),
    ],
)
async def test_alarms_on_the_price_are_told_and_that_there_is_none(
    network: Network, answer: httpx.Response | Exception, words: list[str]
) -> None:
    route = network.answer(answer)
    told = await network.usage.remarks()
    assert [word in line for word, line in zip(words, told, strict=True)] == [True] * len(words)
    asked = route.calls[0].request.url
    assert asked.path == f"/2010-04-01/Accounts/{ACCOUNT}/Usage/Triggers.json"
