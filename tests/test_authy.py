"""Authy: what we ask of it, and that nothing but its plainest yes opens."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from urllib.parse import parse_qsl

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
    Gone,
    InvalidNumber,
    Misconfigured,
    NotMobile,
    OptedOut,
    ProviderError,
    Sent,
    TooManySends,
    Unreachable,
)
from webapp.providers.authy import Authy
from webapp.providers.client import VendorClient
from webapp.providers.http import HttpTransport

ROOT = "https://api.authy.com/protected/json"
PHONE = "+15005550006"
VALID = {"message": "Token is valid.", "token": "is valid", "success": "true"}


class Network:
    """Authy behind a scripted wire."""

    def __init__(self) -> None:
        self.router = respx.Router()
        self.transport = HttpTransport(10, httpx.MockTransport(self.router.async_handler))
        self.authy = Authy(VendorClient("authy", self.transport, sleep=no_time), "key")

    def users(self) -> respx.Route:
        body = {"user": {"id": 1635}, "success": True}
        return self.router.post(f"{ROOT}/users/new").respond(200, json=body)

    def sms(self, user: str = "1635", **answer: object) -> respx.Route:
        body = {"success": True, **answer}
        return self.router.get(f"{ROOT}/sms/{user}").respond(200, json=body)

    def checks(self, answer: httpx.Response | Exception) -> respx.Route:
        route = self.router.get(f"{ROOT}/verify/123456/1635")
        return route.mock(side_effect=answer if isinstance(answer, Exception) else [answer] * 3)

    async def send(
        self, phone: str = PHONE, channel: Channel = Channel.SMS, account: str | None = None
    ) -> Sent:
        return await self.authy.send(
            phone, email="ada@example.com", channel=channel, account=account
        )

    async def check(self, code: str = "123456", reference: str = "1635") -> bool:
        return await self.authy.check(PHONE, reference=reference, code=code)


async def no_time(_: float) -> None:
    pass


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network()
    yield network
    await network.transport.aclose()


def error(code: int, status: int) -> httpx.Response:
    body = {"error_code": str(code), "message": PHONE, "success": False, "errors": {}}
    return httpx.Response(status, json=body)


# Requests.


@pytest.mark.parametrize(
    ("phone", "country_code", "cellphone"),
    [("+15005550006", "1", "5005550006"), ("+390612345678", "39", "0612345678")],
)
async def test_a_person_is_made_a_user_of_authys_first(
    phone: str, country_code: str, cellphone: str, network: Network
) -> None:
    users, sms = network.users(), network.sms()
    assert await network.send(phone) == Sent(reference="1635", account="1635")
    request = users.calls.last.request
    assert dict(parse_qsl(request.content.decode())) == {
        "user[email]": "ada@example.com",
        "user[cellphone]": cellphone,
        "user[country_code]": country_code,
        "send_install_link_via_sms": "false",
    }
    assert sms.calls.last.request.url.query == b"force=true"
    for call in (request, sms.calls.last.request):
        assert call.headers["x-authy-api-key"] == "key"


async def test_a_known_user_is_not_made_again(network: Network) -> None:
    users, sms = network.users(), network.sms("77")
    assert await network.send(account="77") == Sent(reference="77", account="77")
    assert not users.called
    assert sms.called


async def test_a_user_removed_at_authy_is_made_again(network: Network) -> None:
    network.router.get(f"{ROOT}/sms/77").mock(return_value=error(60026, 404))
    network.users()
    network.sms()
    assert (await network.send(account="77")).account == "1635"


async def test_a_call_is_asked_for_as_a_call(network: Network) -> None:
    call = network.router.get(f"{ROOT}/call/77", params={"force": "true"})
    call.respond(200, json={"success": True})
    await network.send(channel=Channel.CALL, account="77")
    assert call.called


@pytest.mark.parametrize(
    ("answer", "variables"),
    [
        (httpx.Response(200, json={"success": True}), []),
        (error(60001, 401), ["AUTHY_API_KEY"]),
        (httpx.Response(500), ["VERIFY_PROVIDER"]),
    ],
)
async def test_the_doctor_asks_authy_for_the_application(
    answer: httpx.Response, variables: list[str], network: Network
) -> None:
    network.router.get(f"{ROOT}/app/details").mock(return_value=answer)
    faults = await network.authy.examine(frozenset())
    assert [fault.variable for fault in faults] == variables


# Checks.


@pytest.mark.parametrize("success", [True, "true"])
async def test_a_right_code_is_a_200_that_says_is_valid(success: object, network: Network) -> None:
    route = network.checks(httpx.Response(200, json={**VALID, "success": success}))
    assert await network.check() is True
    assert route.calls.last.request.url.query == b"force=true"


async def test_a_wrong_code_may_be_told_by_a_word_alone(network: Network) -> None:
    network.checks(httpx.Response(401, json={"token": "is invalid", "success": "false"}))
    assert await network.check() is False


async def test_a_wrong_code_is_a_401_with_its_code(network: Network) -> None:
    network.checks(error(60020, 401))
    assert await network.check() is False


NO_YES = {
    "another status": (httpx.Response(201, json=VALID), Unreachable),
    "no success": (httpx.Response(200, json={"token": "is valid"}), Unreachable),
    "success is false": (httpx.Response(200, json={**VALID, "success": False}), Unreachable),
    "success is one": (httpx.Response(200, json={**VALID, "success": 1}), Unreachable),
    "success is a list": (httpx.Response(200, json={**VALID, "success": [True]}), Unreachable),
    "no token": (httpx.Response(200, json={"success": True}), Unreachable),
    "another token": (httpx.Response(200, json={**VALID, "token": "is invalid"}), Unreachable),
    "token in capitals": (httpx.Response(200, json={**VALID, "token": "IS VALID"}), Unreachable),
    "token is true": (httpx.Response(200, json={**VALID, "token": True}), Unreachable),
    "HTML": (httpx.Response(200, text="<p>is valid"), Unreachable),
    "a list": (httpx.Response(200, json=[VALID]), Unreachable),
    "401 of another kind": (error(60001, 401), Misconfigured),
    "401 without a body": (httpx.Response(401), Misconfigured),
    "used before": (error(60019, 401), Gone),
    "no such user": (error(60026, 404), Gone),
}


@pytest.mark.parametrize("answer", NO_YES)
async def test_nothing_else_opens(answer: str, network: Network) -> None:
    response, kind = NO_YES[answer]
    network.checks(response)
    with pytest.raises(ProviderError) as raised:
        await network.check()
    assert type(raised.value) is kind


@pytest.mark.parametrize("code", ["", "12345", "1234567890123", "123456/9", "../sms", "١٢٣٤٥٦"])
async def test_what_cannot_be_a_code_never_enters_a_url(code: str, network: Network) -> None:
    assert await network.check(code) is False
    assert not network.router.calls.called


@pytest.mark.parametrize("user", ["", "16 35", "../1", "1" * 21, "VE1", "١"])
async def test_what_cannot_be_an_id_never_enters_a_url(user: str, network: Network) -> None:
    with pytest.raises(Unreachable):
        await network.check(reference=user)
    assert not network.router.calls.called


@pytest.mark.parametrize(
    "user", [{}, {"id": None}, {"id": "../1"}, {"id": [1]}, {"id": -1}, 5, None]
)
async def test_a_new_user_without_a_proper_id_is_unreadable(user: object, network: Network) -> None:
    network.users().respond(200, json={"user": user, "success": True})
    with pytest.raises(Unreachable) as raised:
        await network.send()
    assert raised.value.maybe_sent is True


# Errors.

CODES = [
    (60001, 401, Misconfigured, 1),
    (60003, 429, Busy, 3),
    (60008, 401, Misconfigured, 1),
    (60009, 400, TooManySends, 1),
    (60010, 400, TooManySends, 1),
    (60011, 400, TooManySends, 1),
    (60012, 400, TooManySends, 1),
    (60013, 400, CountryNotServed, 1),
    (60017, 401, Blocked, 1),
    (60020, 401, Misconfigured, 1),  # a code can only be wrong where one is checked
    (60027, 400, InvalidNumber, 1),
    (60033, 400, InvalidNumber, 1),
    (60060, 401, Misconfigured, 1),
    (60078, 400, InvalidNumber, 1),
    (60082, 403, NotMobile, 1),
    (60106, 401, Misconfigured, 1),
    (60107, 401, Misconfigured, 1),
    (60115, 403, OptedOut, 1),
    (60120, 429, TooManySends, 1),
    (60205, 403, Misconfigured, 1),  # Twilio's code, not Authy's
    (60605, 403, Misconfigured, 1),
]


@pytest.mark.parametrize(("code", "status", "kind", "requests"), CODES)
async def test_an_error_code_becomes_its_kind(
    code: int, status: int, kind: type[ProviderError], requests: int, network: Network
) -> None:
    users = network.users()
    sms = network.router.get(f"{ROOT}/sms/1635").mock(return_value=error(code, status))
    with pytest.raises(ProviderError) as raised:
        await network.send()
    assert type(raised.value) is kind
    assert raised.value.code == str(code)
    assert raised.value.maybe_sent is False
    assert (users.call_count, sms.call_count) == (1, requests)


FAULTS: dict[str, tuple[httpx.Response | Exception, bool, int]] = {
    "refused": (httpx.ConnectError("refused"), False, 3),
    "connect timeout": (httpx.ConnectTimeout(""), False, 3),
    "read timeout": (httpx.ReadTimeout(""), True, 1),
    "dropped after acceptance": (httpx.RemoteProtocolError(""), True, 1),
    "500": (httpx.Response(500), True, 1),
    "502 in HTML": (httpx.Response(502, text="<html>"), True, 1),
    "200 that is not JSON": (httpx.Response(200, text="OK"), True, 1),
    "200 without success": (httpx.Response(200, json={"success": False}), True, 1),
}


@pytest.mark.parametrize("act", ["send", "check"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_becomes_its_kind_and_a_send_is_not_repeated(
    fault: str, act: str, network: Network
) -> None:
    answer, maybe_sent, requests = FAULTS[fault]
    route = network.router.get(url__regex="/(sms|verify)/")
    route.mock(side_effect=answer if isinstance(answer, Exception) else [answer])
    with pytest.raises(Unreachable) as raised:
        await (network.send(account="1635") if act == "send" else network.check())
    assert raised.value.maybe_sent is maybe_sent
    assert route.call_count == requests


async def test_making_a_user_and_texting_it_share_one_deadline() -> None:
    class Clockwork(httpx.AsyncBaseTransport):
        asked: list[str] = []  # noqa: RUF012 (of this test alone)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.asked.append(request.url.path)
            wait = 0.12 if request.method == "POST" else 10
            await asyncio.sleep(wait)
            return httpx.Response(200, json={"user": {"id": 1}, "success": True})

    vendor = Clockwork()
    async with aclosing(HttpTransport(0.2, vendor)) as wire:
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unreachable):
            await Authy(VendorClient("authy", wire), "key").send(
                PHONE, email="ada@example.com", channel=Channel.SMS
            )
        assert asyncio.get_running_loop().time() - began < 0.3
    assert len(vendor.asked) == 2


# Whatever Authy says.

VALUES: st.SearchStrategy[object] = (
    st.sampled_from([True, False, "true", "is valid", "60020", None, 1, [], {}]) | st.text()
)
BODIES = st.dictionaries(st.sampled_from(["success", "token", "error_code", "user"]), VALUES)


@settings(deadline=None)
@given(
    status=st.sampled_from([200, 201, 302, 400, 401, 404, 429, 500, 503]),
    content=st.binary(max_size=60) | BODIES.map(lambda body: json.dumps(body).encode()),
)
async def test_no_answer_is_a_wrong_yes_or_an_error_of_another_kind(
    status: int, content: bytes
) -> None:
    network = Network()  # another each time: none has met five failures in a row
    network.router.route().respond(status, content=content)
    with suppress(ProviderError):
        await network.send()
    try:
        right = await network.check()
    except ProviderError:
        return
    fields = json.loads(content)
    valid = status == 200 and fields.get("token") == "is valid"
    assert right is (valid and str(fields["success"]).lower() == "true" and not is_wrong(fields))


def is_wrong(fields: dict[str, object]) -> bool:
    return fields.get("error_code") == "60020"
