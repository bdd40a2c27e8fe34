"""Links: only their hash is stored, each works once, and for the account as it was."""

import asyncio
import hashlib
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from tortoise.transactions import in_transaction

from tests.conftest import Clock
from tests.rows import Rows
from webapp.accounts.challenges import links
from webapp.accounts.challenges.links import Opened, Purpose
from webapp.accounts.people import users
from webapp.accounts.people.users import User
from webapp.accounts.purge import purge

CONFIRM, RESET = Purpose.CONFIRM_EMAIL, Purpose.RESET_PASSWORD
SECOND = timedelta(seconds=1)


@pytest.fixture
async def ada(app: Starlette, clock: Clock) -> User:
    user = User(
        name="Ada",
        email="ada@example.com",
        country="GB",
        phone="+447400123456",
        password_hash="$argon2id$1",
        created_at=clock(),
        verified_at=clock(),
    )
    await users.insert(user)
    return user


async def link_of(user: User, clock: Clock, purpose: Purpose = CONFIRM) -> str:
    """The token of a new link."""
    token = links.new_token()
    await links.insert(token, user, purpose, user.email, clock())
    return token


async def use(token: str, clock: Clock, purpose: Purpose = CONFIRM) -> Opened | None:
    async with in_transaction():
        return await links.use(token, purpose, clock())


async def test_a_link_works_once(ada: User, clock: Clock) -> None:
    token = await link_of(ada, clock)
    found = await links.find(token, CONFIRM)
    assert found
    assert found.works(clock())
    used = await use(token, clock)
    assert used
    assert (used.user.id, used.link.address) == (ada.id, "ada@example.com")
    assert await use(token, clock) is None
    found = await links.find(token, CONFIRM)
    assert found
    assert not found.works(clock())


async def test_a_link_used_by_many_at_once_is_used_once(ada: User, clock: Clock) -> None:
    token = await link_of(ada, clock)
    used = await asyncio.gather(*(use(token, clock) for _ in range(20)))
    assert len([one for one in used if one]) == 1


async def test_a_token_is_long_and_random_and_only_its_hash_is_stored(
    ada: User, clock: Clock, database_url: str
) -> None:
    token = await link_of(ada, clock)
    assert len(token) == 43  # 256 bits in base64
    assert token != await link_of(ada, clock)
    rows = Rows(database_url).all("SELECT * FROM links")
    assert token not in str(rows)
    assert hashlib.sha256(token.encode()).hexdigest() in str(rows)


@pytest.mark.parametrize(
    ("purpose", "lifetime"), [(CONFIRM, timedelta(hours=24)), (RESET, timedelta(minutes=30))]
)
async def test_a_link_works_for_its_lifetime(
    ada: User, clock: Clock, purpose: Purpose, lifetime: timedelta
) -> None:
    sooner, later = await link_of(ada, clock, purpose), await link_of(ada, clock, purpose)
    clock.advance((lifetime - SECOND).total_seconds())
    assert await use(sooner, clock, purpose)
    clock.advance(1)
    assert await use(later, clock, purpose) is None


async def test_a_link_works_for_its_own_purpose_alone(ada: User, clock: Clock) -> None:
    token = await link_of(ada, clock)
    assert await links.find(token, RESET) is None
    assert await use(token, clock, RESET) is None
    assert await use(token, clock, CONFIRM)


@pytest.mark.parametrize("token", ["", "no-such-token", "x" * 43, "\0", "é"])
async def test_a_link_that_nobody_made_does_not_work(ada: User, clock: Clock, token: str) -> None:
    await link_of(ada, clock)
    assert await use(token, clock) is None


@pytest.mark.parametrize(
    "change",
    [{"password_hash": "$argon2id$2"}, {"email": "ada@example.org"}, {"phone": "+447400123457"}],
    ids=lambda change: next(iter(change)),
)
async def test_a_change_of_the_account_ends_its_links(
    ada: User, clock: Clock, change: dict[str, str]
) -> None:
    token = await link_of(ada, clock)
    await User.filter(id=ada.id).update(**change)
    found = await links.find(token, CONFIRM)
    assert found
    assert not found.works(clock())
    assert await use(token, clock) is None


async def test_what_is_undone_is_not_used_up(ada: User, clock: Clock) -> None:
    token = await link_of(ada, clock)
    async with in_transaction() as transaction:
        assert await links.use(token, CONFIRM, clock())
        await transaction.rollback()
    assert await use(token, clock)


async def test_links_go_with_their_user_and_some_time_after_they_expired(
    ada: User, clock: Clock
) -> None:
    await link_of(ada, clock, RESET)
    clock.advance(7 * 86_400)
    assert (await purge(clock()))["links"] == 0
    clock.advance(1801)
    assert (await purge(clock()))["links"] == 1
    await link_of(ada, clock)
    await ada.delete()
    assert await links.Link.all() == []
