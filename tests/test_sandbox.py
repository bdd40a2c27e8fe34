"""The pretend network: it answers as the vendors do, and the provider code cannot tell."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tests.conftest import Clock, light
from webapp.app import create_app
from webapp.providers import (
    Blocked,
    Busy,
    Channel,
    CountryNotServed,
    Gone,
    InvalidNumber,
    Misconfigured,
    NotFound,
    NotMobile,
    OptedOut,
    ProviderError,
    TooManyChecks,
    TooManySends,
    Unreachable,
    Verifier,
)
from webapp.providers.authy import Authy
from webapp.providers.client import VendorClient
from webapp.providers.codes import Codes
from webapp.providers.http import HttpTransport
from webapp.providers.twilio import Credentials, TwilioMessages, TwilioVerify
from webapp.sandbox import Sandbox, twilio
from webapp.sandbox import authy as pretend_authy
from webapp.sandbox.twilio import ERRORS as TWILIO_ERRORS
from webapp.segments import segments
from webapp.settings import Settings

HOUR = timedelta(hours=1)
PHONE, OTHER_PHONE = "+15005550006", "+15005550007"
VERIFY = f"https://verify.twilio.com/v2/Services/{twilio.VERIFY_SERVICE_SID}"
ACCOUNT = f"https://api.twilio.com/2010-04-01/Accounts/{twilio.ACCOUNT_SID}"
AUTHY = "https://api.authy.com/protected/json"
LOGIN = (twilio.ACCOUNT_SID, twilio.AUTH_TOKEN)


class Town:
    """The sandbox, a clock to turn, and every provider of ours connected to it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 12, tzinfo=UTC)
        self.pauses: list[float] = []
        self.sandbox = Sandbox(lambda: self.now, sleep=self.sleep)
        network = httpx.ASGITransport(self.sandbox.vendor_app)
        self.client, self.transport = (
            httpx.AsyncClient(transport=network),
            HttpTransport(10, network),
        )
        client = VendorClient("twilio", self.transport, sleep=self.sleep)
        credentials = Credentials(*LOGIN)
        self.verify = TwilioVerify(client, credentials, twilio.VERIFY_SERVICE_SID)
        self.messages = TwilioMessages(client, credentials, number=twilio.NUMBER)
        authy = VendorClient("authy", self.transport, sleep=self.sleep)
        self.verifiers: dict[str, Verifier] = {
            "twilio": self.verify,
            "authy": Authy(authy, pretend_authy.API_KEY),
            "codes": Codes([self.messages], "secret", "Code: {}".format, clock=lambda: self.now),
        }

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def send(self, name: str = "twilio", reference: str | None = None) -> str:
        sent = await self.verifiers[name].send(
            PHONE,
            email="ada@example.com",
            channel=Channel.SMS,
            reference=reference,
            account=reference if name == "authy" else None,
        )
        return sent.reference

    async def check(self, reference: str, code: str, name: str = "twilio") -> bool:
        return await self.verifiers[name].check(PHONE, reference=reference, code=code)

    def code(self) -> str:
        """The code in the newest message."""
        code = self.sandbox.inbox.messages(PHONE)[0]["code"]
        assert isinstance(code, str)
        return code

    def wrong(self) -> str:
        return f"{(int(self.code()) + 1) % 10**6:06}"


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    town = Town()
    yield town
    await town.client.aclose()


# Verifiers, whichever: by our own words.


@pytest.mark.parametrize("name", ["twilio", "authy", "codes"])
async def test_the_code_on_the_phone_is_right_and_another_is_wrong(name: str, town: Town) -> None:
    reference = await town.send(name)
    assert await town.check(reference, town.wrong(), name) is False
    assert await town.check(reference, town.code(), name) is True


@pytest.mark.parametrize("name", ["twilio", "authy", "codes"])
async def test_sent_again_within_ten_minutes_it_is_the_same(name: str, town: Town) -> None:
    reference = await town.send(name)
    first = town.code()
    town.now += timedelta(minutes=9)
    assert await town.send(name, reference) == reference
    assert town.code() == first
    assert len(town.sandbox.inbox.messages(PHONE)) == 2


@pytest.mark.parametrize(("name", "over"), [("twilio", Gone), ("codes", Gone), ("authy", None)])
async def test_after_ten_minutes_it_opens_nothing(
    name: str, over: type[ProviderError] | None, town: Town
) -> None:
    reference, first = await town.send(name), town.code()
    town.now += timedelta(minutes=10)
    if over:
        with pytest.raises(over):
            await town.check(reference, first, name)
    else:
        assert await town.check(reference, first, name) is False
    await town.send(name, reference)
    assert town.code() != first


@pytest.mark.parametrize("name", ["twilio", "authy"])
async def test_used_once_it_is_gone(name: str, town: Town) -> None:
    reference = await town.send(name)
    await town.check(reference, town.code(), name)
    with pytest.raises(Gone):
        await town.check(reference, town.code(), name)


@pytest.mark.parametrize("name", ["twilio", "authy"])
async def test_the_sixth_send_is_one_too_many(name: str, town: Town) -> None:
    reference = await town.send(name)
    for _ in range(4):
        await town.send(name, reference)
    with pytest.raises(TooManySends):
        await town.send(name, reference)
    assert await town.check(reference, town.code(), name) is True  # the last one still works


async def test_five_wrong_codes_use_a_twilio_verification_up(town: Town) -> None:
    reference = await town.send()
    for _ in range(5):
        assert await town.check(reference, town.wrong()) is False
    with pytest.raises(TooManyChecks) as raised:
        await town.check(reference, town.code())
    assert raised.value.retry_after == 600
    with pytest.raises(TooManyChecks):
        await town.send()


async def test_five_wrong_codes_use_an_authy_token_up(town: Town) -> None:
    reference = await town.send("authy")
    for _ in range(5):
        assert await town.check(reference, town.wrong(), "authy") is False
    assert await town.check(reference, town.code(), "authy") is False


async def test_a_call_says_the_same_code_that_was_texted(town: Town) -> None:
    reference = await town.send()
    texted = town.code()
    await town.verify.send(PHONE, email="", channel=Channel.CALL, reference=reference)
    assert town.code() == texted
    assert town.sandbox.inbox.messages(PHONE)[0]["channel"] == "call"


async def test_one_number_does_not_open_anothers_verification(town: Town) -> None:
    reference = await town.send()
    await town.verify.send(OTHER_PHONE, email="", channel=Channel.SMS)
    other = town.sandbox.inbox.messages(OTHER_PHONE)[0]["code"]
    assert await town.check(reference, other) is (other == town.code())


async def test_a_text_that_was_accepted_is_found_again(town: Town) -> None:
    reference = await town.messages.send(PHONE, "Welcome", valid_for=HOUR)
    assert await town.messages.find(PHONE, "Welcome", town.now) == reference
    assert await town.messages.find(PHONE, "Goodbye", town.now) is NotFound.NEVER_ACCEPTED
    missing = NotFound.NEVER_ACCEPTED
    assert await town.messages.find(OTHER_PHONE, "Welcome", town.now) is missing
    assert await town.messages.find(PHONE, "Welcome", town.now + timedelta(hours=1)) is missing


async def test_the_doctor_finds_no_fault_with_the_credentials_of_the_sandbox(town: Town) -> None:
    assert await town.messages.examine(frozenset({"DE"})) == []
    for verifier in town.verifiers.values():
        assert await verifier.examine(frozenset({"DE"})) == []


# The shapes of its answers, as the vendors' descriptions have them.

Shape = dict[str, str | type | tuple[type, ...]]
OPTIONAL = (str, type(None))
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
CHECKED: Shape = {
    "sid": "VE[0-9a-f]{32}",
    "service_sid": "VA[0-9a-f]{32}",
    "account_sid": "AC[0-9a-f]{32}",
    "to": r"\+[0-9]+",
    "channel": "sms|call|email|whatsapp|sna",
    "status": "pending|approved|canceled",
    "valid": bool,
    "amount": OPTIONAL,
    "payee": OPTIONAL,
    "date_created": ISO,
    "date_updated": ISO,
}
VERIFICATION: Shape = {
    **CHECKED,
    "lookup": dict,
    "send_code_attempts": list,
    "sna": (dict, type(None)),
    "url": "https://verify.twilio.com/v2/Services/VA[0-9a-f]+/Verifications/VE[0-9a-f]+",
}
MESSAGE: Shape = {
    "sid": "SM[0-9a-f]{32}",
    "account_sid": "AC[0-9a-f]{32}",
    "messaging_service_sid": OPTIONAL,
    "to": r"\+[0-9]+",
    "from": OPTIONAL,
    "body": str,
    "status": "queued|accepted|sent|delivered|undelivered",
    "direction": "outbound-api",
    "num_segments": "[0-9]+",
    "num_media": "[0-9]+",
    "price": OPTIONAL,
    "price_unit": OPTIONAL,
    "error_code": (int, type(None)),
    "error_message": OPTIONAL,
    "api_version": "2010-04-01",
    "uri": "/2010-04-01/Accounts/AC[0-9a-f]+/Messages/SM[0-9a-f]+.json",
    "subresource_uris": dict,
    "date_created": str,
    "date_sent": OPTIONAL,
    "date_updated": str,
}
PAGE: Shape = {
    "messages": list,
    "page": int,
    "page_size": int,
    "start": int,
    "end": int,
    "uri": str,
    "first_page_uri": str,
    "next_page_uri": OPTIONAL,
    "previous_page_uri": OPTIONAL,
}
TWILIO_ERROR: Shape = {"code": int, "message": str, "more_info": "https://.*", "status": int}
AUTHY_ERROR: Shape = {"error_code": "6[0-9]{4}", "message": str, "success": bool, "errors": dict}


def assert_shape(body: dict[str, Any], shape: Shape) -> None:
    assert body.keys() == shape.keys()
    for name, expected in shape.items():
        if isinstance(expected, str):
            assert re.fullmatch(expected, body[name]), name
        else:
            assert isinstance(body[name], expected), name


async def post(town: Town, url: str, **data: str) -> httpx.Response:
    return await town.client.post(url, data=data, auth=LOGIN)


async def test_verify_answers_in_its_shapes(town: Town) -> None:
    sent = await post(town, f"{VERIFY}/Verifications", To=PHONE, Channel="sms")
    assert (sent.status_code, sent.json()["status"]) == (201, "pending")
    assert_shape(sent.json(), VERIFICATION)
    sid = sent.json()["sid"]
    for code, status in ((town.wrong(), "pending"), (town.code(), "approved")):
        checked = await post(town, f"{VERIFY}/VerificationCheck", VerificationSid=sid, Code=code)
        assert (checked.status_code, checked.json()["status"]) == (200, status)
        assert checked.json()["valid"] is (status == "approved")
        assert_shape(checked.json(), {**CHECKED, "sna_attempts_error_codes": list})
    gone = await town.client.get(f"{VERIFY}/Verifications/{sid}", auth=LOGIN)
    assert (gone.status_code, gone.json()["code"]) == (404, 20404)
    assert_shape(gone.json(), TWILIO_ERROR)


async def test_verify_cancels_a_verification(town: Town) -> None:
    sid = await town.send()
    fetched = await town.client.get(f"{VERIFY}/Verifications/{sid}", auth=LOGIN)
    assert_shape(fetched.json(), VERIFICATION)
    cancelled = await post(town, f"{VERIFY}/Verifications/{sid}", Status="canceled")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "canceled")
    with pytest.raises(Gone):
        await town.check(sid, town.code())


@pytest.mark.parametrize(
    ("sender", "status", "kept"),
    [({"From": twilio.NUMBER}, "queued", "1"), ({"MessagingServiceSid": "MG1"}, "accepted", "0")],
)
async def test_messages_answers_in_its_shapes(
    sender: dict[str, str], status: str, kept: str, town: Town
) -> None:
    sent = await post(town, f"{ACCOUNT}/Messages.json", To=PHONE, Body="Welcome", **sender)
    assert (sent.status_code, sent.json()["status"]) == (201, status)
    assert sent.json()["num_segments"] == kept
    assert_shape(sent.json(), MESSAGE)
    assert parsedate_to_datetime(sent.json()["date_created"]) == town.now
    fetched = await town.client.get(f"{ACCOUNT}/Messages/{sent.json()['sid']}.json", auth=LOGIN)
    assert_shape(fetched.json(), MESSAGE)
    listed = await town.client.get(f"{ACCOUNT}/Messages.json", auth=LOGIN)
    assert_shape(listed.json(), PAGE)
    assert listed.json()["messages"] == [fetched.json()]


async def test_a_list_of_texts_comes_in_pages_newest_first(town: Town) -> None:
    for number in range(5):
        await town.messages.send(PHONE, f"Text {number}", valid_for=HOUR)
    seen, url = [], f"{ACCOUNT}/Messages.json?To=%2B15005550006&PageSize=2"
    while url:
        page = (await town.client.get(url, auth=LOGIN)).json()
        assert len(page["messages"]) <= 2
        seen += [text["body"] for text in page["messages"]]
        url = page["next_page_uri"] and f"https://api.twilio.com{page['next_page_uri']}"
    assert seen == ["Text 4", "Text 3", "Text 2", "Text 1", "Text 0"]


@pytest.mark.parametrize(
    ("dates", "found"),
    [
        ({"DateSent": "2026-05-01"}, 1),
        ({"DateSent": "2026-05-02"}, 0),
        ({"DateSent>": "2026-05-01"}, 1),
        ({"DateSent>": "2026-05-02"}, 0),
        ({"DateSent<": "2026-05-01"}, 1),
        ({"DateSent<": "2026-04-30"}, 0),
    ],
)
async def test_a_list_of_texts_goes_by_date(dates: dict[str, str], found: int, town: Town) -> None:
    await town.messages.send(PHONE, "Welcome", valid_for=HOUR)
    listed = await town.client.get(f"{ACCOUNT}/Messages.json", params=dates, auth=LOGIN)
    assert len(listed.json()["messages"]) == found


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        ("Verifications", {"Channel": "sms"}, 60200),
        ("Verifications", {"To": "500555", "Channel": "sms"}, 60200),
        ("Verifications", {"To": PHONE}, 60200),
        ("Verifications", {"To": PHONE, "Channel": "pigeon"}, 60200),
        ("VerificationCheck", {"To": PHONE, "Code": "123"}, 60200),
        ("VerificationCheck", {"To": PHONE, "Code": "123456"}, 20404),
    ],
)
async def test_verify_refuses_in_its_own_words(
    path: str, fields: dict[str, str], code: int, town: Town
) -> None:
    answer = await post(town, f"{VERIFY}/{path}", **fields)
    assert_shape(answer.json(), TWILIO_ERROR)
    assert (answer.json()["code"], answer.json()["status"]) == (code, answer.status_code)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"From": twilio.NUMBER, "Body": "Hi"}, 21604),
        ({"To": "12", "From": twilio.NUMBER, "Body": "Hi"}, 21211),
        ({"To": PHONE, "Body": "Hi"}, 21603),
        ({"To": PHONE, "From": twilio.NUMBER}, 21602),
        ({"To": PHONE, "From": twilio.NUMBER, "Body": "x" * 1601}, 21617),
    ],
)
async def test_messages_refuses_in_its_own_words(
    fields: dict[str, str], code: int, town: Town
) -> None:
    answer = await post(town, f"{ACCOUNT}/Messages.json", **fields)
    assert_shape(answer.json(), TWILIO_ERROR)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize("login", [None, ("AC1", "x"), (twilio.ACCOUNT_SID, ""), ("", "")])
async def test_twilio_lets_nobody_in_without_credentials(
    login: tuple[str, str] | None, town: Town
) -> None:
    for url in (f"{VERIFY}/Verifications", f"{ACCOUNT}/Messages.json"):
        answer = await town.client.post(url, auth=login or httpx.USE_CLIENT_DEFAULT)
        assert (answer.status_code, answer.json()["code"]) == (401, 20003)


async def test_authy_lets_nobody_in_without_a_key(town: Town) -> None:
    answer = await town.client.get(f"{AUTHY}/app/details")
    assert (answer.status_code, answer.json()["error_code"]) == (401, "60001")
    assert_shape(answer.json(), AUTHY_ERROR)


async def test_each_host_answers_for_itself_alone(town: Town) -> None:
    other = VERIFY.replace("verify.twilio.com", "api.twilio.com")
    assert (await post(town, f"{other}/Verifications", To=PHONE, Channel="sms")).status_code == 404


async def test_at_a_base_url_all_of_them_answer(town: Town) -> None:
    vendor = VendorClient("twilio", town.transport, base_url="http://127.0.0.1:9000")
    verify = TwilioVerify(vendor, Credentials(*LOGIN), twilio.VERIFY_SERVICE_SID)
    assert await verify.examine(frozenset()) == []
    messages = await town.client.get("http://127.0.0.1:9000/sandbox/messages.json")
    assert messages.json() == []


async def authy(town: Town, method: str, path: str, **data: str) -> httpx.Response:
    return await town.client.request(
        method, f"{AUTHY}/{path}", data=data or None, headers={"X-Authy-API-Key": "key"}
    )


ADA = {
    "user[email]": "ada@example.com",
    "user[cellphone]": "5005550006",
    "user[country_code]": "1",
}


async def test_authy_gives_a_phone_one_id_for_good(town: Town) -> None:
    first = await authy(town, "POST", "users/new", **ADA)
    again = await authy(town, "POST", "users/new", **ADA)
    assert isinstance(first.json()["user"]["id"], int)
    assert first.json()["success"] is True
    assert again.json()["user"] == first.json()["user"]


async def test_authy_sends_nothing_to_its_apps_users_unless_forced(town: Town) -> None:
    user = (await authy(town, "POST", "users/new", **ADA)).json()["user"]["id"]
    ignored = await authy(town, "GET", f"sms/{user}")
    assert ignored.json()["ignored"] is True
    assert town.sandbox.inbox.messages() == []


@pytest.mark.parametrize(
    ("method", "path", "code", "status"),
    [
        ("POST", "users/new", "60027", 400),
        ("GET", "sms/99?force=true", "60026", 404),
        ("GET", "verify/123456/99", "60026", 404),
        ("POST", "users/99/remove", "60026", 404),
    ],
)
async def test_authy_refuses_in_its_own_words(
    method: str, path: str, code: str, status: int, town: Town
) -> None:
    answer = await authy(town, method, path)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert_shape(answer.json(), AUTHY_ERROR)


async def test_a_user_removed_at_authy_is_made_again_by_the_next_send(town: Town) -> None:
    user = await town.send("authy")
    assert (await authy(town, "POST", f"users/{user}/remove")).status_code == 200
    assert await town.send("authy", user) != user


@pytest.mark.parametrize(
    ("body", "texts"),
    [("a" * 160, 1), ("a" * 161, 2), ("€" * 80, 1), ("€" * 81, 2), ("ж" * 70, 1), ("ж" * 71, 2)],
)
def test_texts_are_counted_as_the_networks_do(body: str, texts: int) -> None:
    assert segments(body) == texts


# Faults, as the provider code meets them.

FAULTS: list[tuple[str, type[ProviderError], bool, int, int]] = [
    # fault, kind, maybe sent, calls made, texts that reached the phone
    ("timeout", Unreachable, True, 1, 0),
    ("refused", Unreachable, False, 3, 0),
    ("dns", Unreachable, False, 3, 0),
    ("connect_timeout", Unreachable, False, 3, 0),
    ("dropped", Unreachable, True, 1, 1),
    ("garbage", Unreachable, True, 1, 1),
    ("shape", Unreachable, True, 1, 1),
    ("html", Unreachable, True, 1, 0),
    ("500", Unreachable, True, 1, 0),
    ("429", Busy, False, 3, 0),
    ("429:60", Busy, False, 1, 0),
    ("20003", Misconfigured, False, 1, 0),
    ("60200", InvalidNumber, False, 1, 0),
    ("60203", TooManySends, False, 1, 0),
    ("60205", NotMobile, False, 1, 0),
    ("60410", Blocked, False, 1, 0),
    ("60605", CountryNotServed, False, 1, 0),
    ("21211", InvalidNumber, False, 1, 0),
    ("21610", OptedOut, False, 1, 0),
]


@pytest.mark.parametrize(("fault", "kind", "maybe_sent", "calls", "texts"), FAULTS)
async def test_a_fault_is_met_by_the_real_provider_code(
    fault: str, kind: type[ProviderError], maybe_sent: bool, calls: int, texts: int, town: Town
) -> None:
    town.sandbox.fail(fault, 3)
    with pytest.raises(kind) as raised:
        await town.send()
    assert raised.value.maybe_sent is maybe_sent
    assert town.sandbox.calls["Verifications"] == calls
    assert len(town.sandbox.inbox.messages()) == texts


async def test_after_its_count_all_is_well_again(town: Town) -> None:
    town.sandbox.fail("500", 2)
    for _ in range(2):
        with pytest.raises(Unreachable):
            await town.send()
    assert await town.send()


async def test_a_code_that_is_undelivered_was_accepted(town: Town) -> None:
    town.sandbox.fail("undelivered")
    assert await town.send()
    assert town.sandbox.inbox.messages() == []


async def test_a_slow_vendor_takes_its_seconds(town: Town) -> None:
    town.sandbox.fail("slow:2.5")
    assert await town.send()
    assert town.pauses == [2.5]


async def test_authy_meets_faults_in_its_own_words(town: Town) -> None:
    for fault, kind in (("60013", CountryNotServed), ("60082", NotMobile), ("500", Unreachable)):
        town.sandbox.fail(fault)
        with pytest.raises(kind):
            await town.send("authy")


@pytest.mark.parametrize("fault", ["30003", "429", "500", *map(str, TWILIO_ERRORS)])
async def test_every_code_comes_with_a_status_that_is_an_error(fault: str, town: Town) -> None:
    town.sandbox.fail(fault)
    answer = await post(town, f"{VERIFY}/Verifications", To=PHONE, Channel="sms")
    assert answer.status_code >= 400
    assert_shape(answer.json(), TWILIO_ERROR)


# The pages.


def render(_: Request, template: str, context: dict[str, Any]) -> Response:
    return PlainTextResponse(f"{template} {len(context['messages'])}")


@pytest.fixture
async def pages(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=town.sandbox.routes(render)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_the_phone_is_a_page_and_for_htmx_its_messages(
    town: Town, pages: httpx.AsyncClient
) -> None:
    await town.send()
    assert (await pages.get("/sandbox/phone")).text == "sandbox/phone.html 1"
    fragment = await pages.get("/sandbox/phone", headers={"HX-Request": "true"})
    assert fragment.text == "sandbox/messages.html 1"


@pytest.mark.parametrize("to", ["%2B15005550006", "+15005550006", "15005550006"])
async def test_messages_json_has_what_reached_a_number_newest_first(
    to: str, town: Town, pages: httpx.AsyncClient
) -> None:
    await town.send()
    town.now += timedelta(minutes=1)
    await town.messages.send(PHONE, "Welcome, your number is verified.", valid_for=HOUR)
    await town.messages.send(OTHER_PHONE, "Welcome", valid_for=HOUR)
    text, code = (await pages.get(f"/sandbox/messages.json?to={to}")).json()
    assert text == {
        "to": PHONE,
        "from": twilio.NUMBER,
        "body": "Welcome, your number is verified.",
        "code": None,
        "channel": "sms",
        "at": "2026-05-01T12:01:00+00:00",
    }
    assert re.fullmatch("[0-9]{6}", code["code"])
    assert code["code"] in code["body"]
    assert len((await pages.get("/sandbox/messages.json")).json()) == 3


async def test_our_own_codes_are_codes_on_the_phone_too(
    town: Town, pages: httpx.AsyncClient
) -> None:
    await town.send("codes")
    [message] = (await pages.get("/sandbox/messages.json")).json()
    assert message["body"] == f"Code: {message['code']}"


async def test_the_phone_keeps_its_last_messages_only(town: Town) -> None:
    for number in range(250):
        await town.messages.send(PHONE, f"Text {number}", valid_for=HOUR)
    messages = town.sandbox.inbox.messages()
    assert len(messages) == 200
    assert messages[0]["body"] == "Text 249"


async def test_faults_are_asked_for_by_form(town: Town, pages: httpx.AsyncClient) -> None:
    answer = await pages.post("/sandbox/faults", data={"fault": "60410", "count": "2"})
    assert (answer.status_code, answer.json()) == (200, {"fault": "60410", "count": 2})
    for _ in range(2):
        with pytest.raises(Blocked):
            await town.send()
    assert await town.send()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"fault": "earthquake"},
        {"fault": "slow"},
        {"fault": "slow:soon"},
        {"fault": "slow:-1"},
        {"fault": "200"},
        {"fault": "500", "count": "0"},
        {"fault": "500", "count": "many"},
        {"fault": "500", "count": "100000000000000000"},
    ],
)
async def test_what_is_no_fault_is_refused(
    fields: dict[str, str], town: Town, pages: httpx.AsyncClient
) -> None:
    answer = await pages.post("/sandbox/faults", data=fields)
    assert answer.status_code == 400
    if "count" not in fields:
        assert {"timeout", "refused", "60203"} <= set(answer.json()["faults"])
    assert await town.send()


async def test_a_template_that_is_saved_is_there_when_the_page_is_loaded_again(
    settings: Settings, clock: Clock
) -> None:
    """Of all pages, for the empty form is otherwise rendered once."""
    app = create_app(settings, light(clock))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=settings.base_url) as client,
    ):
        assert "A designer was here" not in (await client.get("/signup")).text
        app.state.templates.environment.globals["site_name"] = "A designer was here"
        assert "A designer was here" in (await client.get("/signup")).text
