"""Strangers use up a budget, and honest people still get their codes."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from webapp.accounts.policy import limits
from webapp.accounts.policy.rules import (
    AddressShareSpent,
    BudgetSpent,
    LimitExceeded,
    PrefixBraked,
    SpendingLimits,
)

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
MINUTE = timedelta(minutes=1)
HOME = ["+447400", "+447401", "+447402", "+447403", "+447404"]  # where the site's people are
SPENDING = SpendingLimits(sends_per_phone=10, sends_per_hour=200, prefix_brake=50)


class Ask(NamedTuple):
    """Somebody asks for a code."""

    at: datetime
    phone: str
    network: str
    honest: bool


def people(start: datetime, how_many: int) -> Iterator[Ask]:
    """Honest people, spread over an hour: each has an address of their own."""
    for n in range(how_many):
        at = start + n * 60 * MINUTE / how_many
        yield Ask(at, f"{HOME[n % len(HOME)]}{100_000 + n}", f"home {n}", honest=True)


def attack(start: datetime, prefixes: list[str], how_many: int) -> Iterator[Ask]:
    """Every half second one of a thousand addresses asks, for numbers of ``prefixes`` in turn."""
    for n in range(how_many):
        at, prefix = start + n * MINUTE / 120, prefixes[n % len(prefixes)]
        yield Ask(at, f"{prefix}{200_000 + n}", f"bot {n % 1000}", honest=False)


async def enters(ask: Ask, at: datetime) -> None:
    """The code is entered, and the confirmation goes out."""
    await limits.mark_verified(ask.phone, ask.network, SPENDING, 1, at)
    await limits.reserve_confirmation(SPENDING, at)


async def served(asks: list[Ask]) -> Counter[bool]:
    """How many got a code, honest or not. Honest people enter it at once."""
    answers = Counter[bool]()
    for ask in sorted(asks):
        try:
            await limits.reserve_send(ask.phone, ask.network, SPENDING, ask.at)
        except LimitExceeded:
            continue
        answers[ask.honest] += 1
        if ask.honest:
            await enters(ask, ask.at)
    return answers


@pytest.fixture
async def yesterday(app: Starlette, clock: Clock) -> datetime:
    """The site had a few people yesterday evening, in all of its prefixes: when today begins."""
    for ask in people(clock() - 20 * 60 * MINUTE, 10):
        await enters(ask, ask.at)
    return clock()


BOUGHT = [f"+2348{n:02}{m:02}" for n in range(10, 20) for m in range(2)]  # twenty costly ranges
ANYWHERE = [f"+2348{n:03}" for n in range(100, 900)]  # as many as there are


@pytest.mark.parametrize("prefixes", [BOUGHT, ANYWHERE], ids=["some ranges", "any ranges"])
async def test_a_thousand_addresses_that_spend_the_budget_shut_no_honest_person_out(
    yesterday: datetime, prefixes: list[str]
) -> None:
    """20 people in an hour take 40 sends; strangers ask 1500 times within a quarter of it."""
    asks = [*people(yesterday + MINUTE, 20), *attack(yesterday, prefixes, 1500)]
    answers = await served(asks)
    assert answers[True] == 20
    assert answers[False] <= 135, "Of the 180 sends that sign-ups may use."


async def test_strangers_in_peoples_own_prefixes_need_an_address_for_every_five_codes(
    yesterday: datetime,
) -> None:
    """Four addresses, which the throttles would let ask 120 times, get half of the brake and 5."""
    rng = random.Random(7)
    bots = [
        ask._replace(network=f"bot {rng.randrange(4)}") for ask in attack(yesterday, HOME[:1], 400)
    ]
    answers = await served([*people(yesterday + MINUTE, 30), *bots])
    assert answers[True] == 30
    assert answers[False] <= 25 + 4 * 5


async def test_the_share_of_an_address_grows_back_when_its_codes_are_entered(
    yesterday: datetime,
) -> None:
    """An office, a dormitory or a phone network has one address."""
    await served(list(attack(yesterday, BOUGHT, 400)))
    office = [ask._replace(network="office") for ask in people(yesterday + MINUTE, 20)]
    assert await served(office) == {True: 20}


async def test_who_is_refused_hears_whose_share_it_was(yesterday: datetime) -> None:
    await served(list(attack(yesterday, BOUGHT, 400)))
    with pytest.raises(BudgetSpent):
        await limits.reserve_send(f"{BOUGHT[0]}999999", "new", SPENDING, yesterday + MINUTE)
    stranger = [f"{prefix}30000{n}" for n, prefix in enumerate([*HOME, HOME[0]])]
    for phone in stranger[:5]:
        await limits.reserve_send(phone, "bot", SPENDING, yesterday + MINUTE)
    with pytest.raises(AddressShareSpent):
        await limits.reserve_send(stranger[5], "bot", SPENDING, yesterday + MINUTE)


async def test_people_who_entered_their_password_have_the_last_tenth_and_meet_no_brake(
    yesterday: datetime,
) -> None:
    for n in range(180):
        network, phone = f"bot {n}", f"{HOME[n % 5]}{400_000 + n}"
        await limits.mark_verified(phone, network, SPENDING, 0, yesterday)
        await limits.reserve_send(phone, network, SPENDING, yesterday)
    with pytest.raises((BudgetSpent, PrefixBraked)):
        await limits.reserve_send(f"{HOME[0]}555555", "new", SPENDING, yesterday)
    for n in range(20):
        await limits.reserve_known_send(f"{HOME[0]}{600_000 + n}", SPENDING, yesterday)
    with pytest.raises(BudgetSpent):
        await limits.reserve_known_send(f"{HOME[0]}700000", SPENDING, yesterday)
