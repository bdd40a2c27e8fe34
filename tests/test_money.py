"""Texts cost no more than the owner allows, whoever asks for them."""

import asyncio
import json
from collections import Counter
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.people import NUMBER, PASSWORD
from tests.test_abuse import ON_SQLITE, SMALL_PAGES, Stranger, scattered
from tests.test_webhooks import SECRET
from webapp.accounts.events import NoEvents
from webapp.accounts.policy import limits
from webapp.accounts.policy.money import Allowance, Money
from webapp.accounts.policy.prices import MILLION, UNKNOWN_PRICE, Prices
from webapp.accounts.policy.rules import SpendingLimits, SpendReached
from webapp.accounts.policy.usage import Scope, Usage
from webapp.accounts.sending.outbox import OutboxMessage
from webapp.providers import Price
from webapp.providers.circuit import FAILURES
from webapp.providers.registry import Providers
from webapp.sandbox import Sandbox
from webapp.settings import Settings, SettingsError

DAY = 86_400
CENT = MILLION // 100
NO_OTHER_LIMIT = {
    "SIGNUPS_PER_IP": "off",
    "SIGNINS_PER_IP": "off",
    "RESENDS_PER_IP": "off",
    "TRUSTED_PROXY_HOPS": "1",
    "PREFIX_BRAKE": "off",
    "SENDS_PER_HOUR": "off",
    "SENDS_PER_PHONE": "off",
}
HOOK = {"WEBHOOK_URL": "http://localhost:1/hook", "WEBHOOK_SECRET": SECRET}
DEAR = {"PRICES": "GB=0.10,*=1"}


@pytest.fixture
def money(app: Starlette) -> Money:
    mine: Money = app.state.site.money
    return mine


async def spent(scope: Scope = Scope.SPEND_DAY) -> int:
    """What the limit has counted, in cents."""
    total: int = sum([row.used for row in await Usage.filter(key=f"{scope} ")])
    return total // CENT


@pytest.mark.environ(**NO_OTHER_LIMIT, **DEAR, SPEND_PER_DAY="1", OUTBOX_IN_WEB="0")
async def test_texts_cost_no_more_than_a_day_allows_and_known_people_have_the_last_tenth(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock, app: Starlette
) -> None:
    ada = Stranger(client)
    assert [await ada.sign_up(), await ada.verify(sandbox)] == [303, 303]
    await app.state.outbox.deliver()
    assert await spent() == 20, "A code and a confirmation."
    assert [await Stranger(client).sign_up() for _ in range(7)] == [303] * 7
    answer = await ada.post("/signout")
    late = Stranger(client)
    answer = await late.post("/signup", **late.answers())
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(DAY))
    assert "We cannot send codes just now" in answer.text
    assert f'value="{late.number}"' in answer.text
    assert await spent() == 90
    await ada.post("/signin", email=ada.email, password=PASSWORD)
    assert await spent() == 100
    clock.advance(DAY)
    assert await late.sign_up() == 303


@pytest.mark.environ(**NO_OTHER_LIMIT, **DEAR, **HOOK, SPEND_PER_HOUR="0.5", OUTBOX_IN_WEB="0")
async def test_the_owner_is_told_once_when_most_of_it_is_spent(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    with capture_logs() as logged:
        for number in scattered(4):
            await Stranger(client, number).sign_up()
    [warning] = [line for line in logged if line["event"] == "spend_warning"]
    assert (warning["spent"], warning["limit"], warning["currency"]) == (0.4, 0.5, "USD")
    [hook] = await OutboxMessage.filter(subject="spend.warning")
    told = json.loads(hook.body)
    assert (told["type"], told["data"]["spent"], told["data"]["hours"]) == ("spend.warning", 0.4, 1)


@SMALL_PAGES
@pytest.mark.environ(**NO_OTHER_LIMIT, **DEAR, SPEND_PER_HOUR="2")
async def test_a_hundred_at_once_spend_no_more_than_there_is(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    strangers = [Stranger(client, number) for number in scattered(100)]
    answers = Counter(await asyncio.gather(*(stranger.sign_up() for stranger in strangers)))
    assert answers == {303: 14, 429: 86}  # the last quarter is for prefixes that verified
    assert await spent(Scope.SPEND_HOUR) == 140


@ON_SQLITE
@pytest.mark.environ(**NO_OTHER_LIMIT, **DEAR, SPEND_PER_DAY="1")
@pytest.mark.parametrize(("fault", "status"), [("60205", 422), ("refused", 503), ("timeout", 503)])
async def test_what_did_not_go_out_costs_nothing(
    client: httpx.AsyncClient, sandbox: Sandbox, fault: str, status: int
) -> None:
    sandbox.fail(fault, 10)
    assert await Stranger(client).sign_up() == status
    assert await spent() == 0


@ON_SQLITE
@pytest.mark.environ(**NO_OTHER_LIMIT, SPEND_PER_DAY="1", SPEND_PER_HOUR="1", OUTBOX_IN_WEB="0")
async def test_a_receipt_takes_the_place_of_what_was_reserved(
    client: httpx.AsyncClient, money: Money, clock: Clock
) -> None:
    somebody = Stranger(client)
    assert await somebody.sign_up() == 303
    sent_at = clock()
    clock.advance(600)
    await money.settle(somebody.number, sent_at, Price(25 * CENT, "USD"))
    await money.settle(somebody.number, sent_at, Price(25 * CENT, "EUR"))
    assert (await spent(), await spent(Scope.SPEND_HOUR)) == (25, 25)


@ON_SQLITE
@pytest.mark.environ(**NO_OTHER_LIMIT, SPEND_PER_DAY="100", OUTBOX_IN_WEB="0")
async def test_the_receipt_of_a_code_corrects_what_was_reserved_for_it(
    client: httpx.AsyncClient, clock: Clock, app: Starlette
) -> None:
    assert await Stranger(client).sign_up() == 303
    assert await spent() == 5  # 0.0524, the dearest carrier's
    for _ in range(2):
        clock.advance(10)
        await app.state.receipts.ask()
    assert await spent() == 4  # 0.0400, once


@ON_SQLITE
@pytest.mark.environ(**NO_OTHER_LIMIT, **DEAR, SPEND_PER_DAY="1", OUTBOX_IN_WEB="0")
async def test_a_price_of_the_owners_own_stands(
    client: httpx.AsyncClient, money: Money, clock: Clock
) -> None:
    somebody = Stranger(client)
    assert await somebody.sign_up() == 303
    await money.settle(somebody.number, clock(), Price(25 * CENT, "USD"))
    assert await spent() == 10


# The vendor's list


@ON_SQLITE
@pytest.mark.environ(**NO_OTHER_LIMIT, SPEND_PER_DAY="100")
async def test_the_vendors_list_is_read_once_a_day_and_country(
    client: httpx.AsyncClient, sandbox: Sandbox, clock: Clock, app: Starlette
) -> None:
    for _ in range(3):
        assert await Stranger(client).sign_up() == 303
    assert (await spent(), sandbox.calls["GB"]) == (15, 1)  # 3 times 0.0524, the dearest carrier's
    assert await another_process(app, clock).of("GB") == 52_400
    assert sandbox.calls["GB"] == 1
    clock.advance(DAY)
    assert await Stranger(client).sign_up() == 303
    assert sandbox.calls["GB"] == 2


def another_process(app: Starlette, clock: Clock, currency: str = "USD") -> Prices:
    providers: Providers = app.state.providers
    return Prices({}, providers.price_list, currency, clock)


@ON_SQLITE
async def test_a_list_that_cannot_be_read_makes_texts_dear_and_stops_none(
    app: Starlette, sandbox: Sandbox, clock: Clock
) -> None:
    prices = another_process(app, clock)
    sandbox.fail("500", 10)
    assert await prices.of("GB") == UNKNOWN_PRICE
    sandbox.faults.clear()
    assert await prices.of("GB") == UNKNOWN_PRICE, "It is not asked again for each text."
    clock.advance(timedelta(minutes=5).total_seconds())
    assert await prices.of("GB") == 52_400
    clock.advance(DAY)
    sandbox.fail("500", 10)
    assert await prices.of("GB") == 52_400, "Yesterday's price is better than none."


@ON_SQLITE
async def test_a_list_that_is_down_is_asked_for_no_further_country(
    app: Starlette, sandbox: Sandbox, clock: Clock
) -> None:
    prices, countries = another_process(app, clock), ("GB", "FR", "DE", "ES", "IT", "PT", "NL")
    sandbox.fail("500", len(countries))
    assert {await prices.of(country) for country in countries} == {UNKNOWN_PRICE}
    assert sum(sandbox.calls[country] for country in countries) == FAILURES


@ON_SQLITE
async def test_a_list_in_another_currency_is_not_mistaken_for_ours(
    app: Starlette, clock: Clock
) -> None:
    with capture_logs() as logged:
        assert await another_process(app, clock, "EUR").of("GB") == UNKNOWN_PRICE
    assert "price_currency" in [line["event"] for line in logged]


@ON_SQLITE
async def test_prices_of_the_setting_are_taken_as_they_are(
    app: Starlette, sandbox: Sandbox, clock: Clock
) -> None:
    prices = Prices({"GB": 5, "*": 7}, app.state.providers.price_list, "USD", clock)
    assert [await prices.of(country) for country in ("GB", "FR")] == [5, 7]
    assert await Prices({"GB": 5}, None, "USD", clock).of("FR") == UNKNOWN_PRICE
    assert not sandbox.calls


@ON_SQLITE
async def test_an_allowance_of_nothing_sends_nothing(app: Starlette, clock: Clock) -> None:
    money = Money(Allowance(per_hour=0), Prices({"*": 1}, None, "USD", clock), NoEvents())
    costs = await money.limits(NUMBER, known=True)
    with pytest.raises(SpendReached):
        await limits.reserve_known_send(NUMBER, SpendingLimits(None, None, None), clock(), costs)


# The settings


def test_money_and_prices_are_read_in_millionths(environ: dict[str, str]) -> None:
    more = {"SPEND_PER_HOUR": "25", "SPEND_PER_DAY": "99.5", "PRICES": "TR=0.05, NG=0.11,*=0.06"}
    settings = Settings.load(environ | more, development=True)
    assert (settings.spend_per_hour, settings.spend_per_day) == (25 * MILLION, 99_500_000)
    assert settings.prices == {"TR": 50_000, "NG": 110_000, "*": 60_000}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SPEND_PER_HOUR", "ten"),
        ("SPEND_PER_DAY", "-1"),
        ("SPEND_CURRENCY", "dollars"),
        ("PRICES", "XX=1"),
        ("PRICES", "TR"),
    ],
)
def test_what_is_no_money_stops_the_start(
    environ: dict[str, str], variable: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.load(environ | {variable: value}, development=True)


def test_a_limit_of_money_needs_prices(environ: dict[str, str]) -> None:
    vonage = {
        "VERIFY_PROVIDER": "codes",
        "MESSENGER": "vonage",
        "VONAGE_API_KEY": "abcd1234",
        "VONAGE_API_SECRET": "s3cret-s3cret-16",
        "VONAGE_NUMBER": "+15005550006",
        "SPEND_PER_DAY": "10",
    }
    with pytest.raises(SettingsError, match="PRICES"):
        Settings.load(environ | vonage, development=True)
    Settings.load(environ | vonage | {"PRICES": "*=0.06"}, development=True)
