"""Changes of accounts by many at once, on two web processes, and by processes that are killed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.people import PASSWORD
from tests.racing import (
    NO_MAIL_SERVER,
    TEN_MINUTES,
    at_once,
    link_to,
    member,
    statuses,
    two_processes,
)
from tests.site import Person, Site, until
from webapp.accounts.policy.rules import FREE_PASSWORD_CHECKS

pytestmark = pytest.mark.slow
LEASE = 60
NEW_PASSWORD = "orchid lantern tundra 58"
SIGN_IN = {"password": PASSWORD}


@pytest.fixture(scope="module", params=["postgres", "sqlite"])
def racing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Two web processes on one database."""
    with two_processes(request, tmp_path_factory, **NO_MAIL_SERVER) as running:
        yield running


@pytest.fixture
async def ada(racing: Site) -> AsyncIterator[Person]:
    """Somebody whose account is verified."""
    async with member(racing) as person:
        yield person


async def elsewhere(racing: Site, person: Person, stack: AsyncExitStack) -> Person:
    """The same person, signed in at another browser."""
    other = await stack.enter_async_context(racing.person(person.number, person.email))
    await other.post("/signin", {"email": person.email, **SIGN_IN})
    assert (await other.post("/signin/code", {"code": await other.code()})).verified
    return other


async def test_a_hundred_guesses_of_the_current_password_at_once_are_few_checks(
    racing: Site, ada: Person
) -> None:
    guesses = [{"current": f"not mine {n}", "password": NEW_PASSWORD} for n in range(100)]
    answers = await at_once(ada, "/account/password", guesses)
    # One after the free ones, and one more whenever a pause of 1, 2, 4 … seconds is over.
    assert FREE_PASSWORD_CHECKS < answers[422] <= FREE_PASSWORD_CHECKS + 1 + 6
    assert answers[429] == 100 - answers[422]
    assert (await ada.visitor.visit("/account")).verified


async def test_a_change_clicked_many_times_is_one_change_and_one_text(
    racing: Site, ada: Person
) -> None:
    form = {"current": PASSWORD, "password": NEW_PASSWORD}
    answers = await asyncio.gather(*(ada.send("/account/password", form) for _ in range(5)))
    assert statuses(answers) == {303: 5}
    assert {answer.headers["location"] for answer in answers} == {"/account"}
    assert (await ada.visitor.visit("/account")).verified
    await ada.phone.text(ada.number, "password was changed")
    await until(lambda: not racing.rows.one("SELECT count(*) FROM outbox WHERE state = 'pending'"))
    assert len([text for text in await ada.texts() if "was changed" in text]) == 1


async def test_of_two_browsers_that_change_the_password_one_wins_and_the_other_is_told(
    racing: Site, ada: Person
) -> None:
    async with AsyncExitStack() as stack:
        people = [ada, await elsewhere(racing, ada, stack)]
        passwords = [f"{NEW_PASSWORD} {turn}" for turn in range(2)]
        pages = await asyncio.gather(
            *(
                person.post("/account/password", {"current": PASSWORD, "password": password})
                for person, password in zip(people, passwords, strict=True)
            )
        )
        ways = sorted((page.status, page.path, page.verified) for page in pages)
        assert ways[0] == (200, "/account", True)
        assert ways[1] in {(409, "/account/password", None), (200, "/signin", None)}
        winner = [page.path for page in pages].index("/account")
        assert (await people[winner].visitor.visit("/account")).verified
        racing.age(TEN_MINUTES)
        loser = people[1 - winner]
        form = {"email": ada.email, "password": passwords[winner]}
        assert (await loser.post("/signin", form)).step == "signin-code"


async def test_a_browser_that_is_being_signed_out_changes_nothing_any_more(
    racing: Site, ada: Person
) -> None:
    """Neither with the password just proven nor without: its session ends under the same lock."""
    async with AsyncExitStack() as stack:
        other = await elsewhere(racing, ada, stack)
        ends = ada.send("/account/sessions/end", {"all": "1", "current": PASSWORD})
        changes = [other.send("/account/name", {"name": f"Eve {n}"}) for n in range(10)]
        answers = await asyncio.gather(*changes[:5], ends, *changes[5:])
        assert statuses(list(answers)).keys() <= {303, 409}
        name = racing.rows.one("SELECT name FROM users WHERE email = ?", ada.email)
        assert (await other.send("/account/name", {"name": "Too late"})).status_code == 303
        assert racing.rows.one("SELECT name FROM users WHERE email = ?", ada.email) == name


async def test_of_two_new_addresses_asked_for_at_once_one_gets_a_link_that_works(
    racing: Site, ada: Person
) -> None:
    async with AsyncExitStack() as stack:
        people = [ada, await elsewhere(racing, ada, stack)]
        addresses = [f"{turn}-{ada.email}" for turn in ("one", "two")]
        answers = await asyncio.gather(
            *(
                person.send("/account/email", {"current": PASSWORD, "email": address})
                for person, address in zip(people, addresses, strict=True)
            )
        )
        assert statuses(list(answers)) == {303: 1, 429: 1}, "the other is told that one was sent"
    sql = "SELECT count(*) FROM links WHERE address = ? AND purpose = 'change_email'"
    assert sorted(racing.rows.one(sql, address) for address in addresses) == [0, 1]


async def test_of_two_accounts_that_confirm_one_address_one_has_it_and_the_other_is_told(
    racing: Site, ada: Person
) -> None:
    wanted = f"wanted-{ada.email}"
    async with racing.person() as other:
        await other.sign_up()
        assert await other.verify()
        paths = []
        for person in (ada, other):
            page = await person.post("/account/email", {"current": PASSWORD, "email": wanted})
            assert page.path == "/account", page.text
            paths.append(link_to(racing, wanted))
        answers = await asyncio.gather(
            *(person.send(path, {}) for person in (ada, other) for path in paths)
        )
        assert statuses(list(answers)).keys() == {303, 409}
    sql = "SELECT count(*) FROM users WHERE email = ? AND claimed_email = ?"
    assert racing.rows.one(sql, wanted, wanted) == 1


async def test_nobody_is_signed_in_to_an_account_that_is_deleted_beside_it(
    racing: Site, ada: Person
) -> None:
    sign_in = {"email": ada.email, **SIGN_IN}
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(racing.person()) for _ in range(10)]
        answers = await asyncio.gather(
            *(person.send("/signin", sign_in) for person in people[:5]),
            ada.send("/account/delete", {"current": PASSWORD}),
            *(person.send("/signin", sign_in) for person in people[5:]),
        )
        assert statuses(list(answers)).keys() <= {303, 422, 429}
        assert answers[5].headers["location"] == "/account/deleted"
        for person in people:
            assert (await person.client.get("/session")).status_code == 401
    assert racing.rows.one("SELECT count(*) FROM users WHERE email = ?", ada.email) == 0
    orphans = "SELECT count(*) FROM sessions WHERE user_id NOT IN (SELECT id FROM users)"
    assert racing.rows.one(orphans) == 0


async def test_killed_between_a_change_and_its_notice_the_notice_goes_out_once(
    racing: Site, ada: Person
) -> None:
    hold = racing.vendor.hold("Messages", acted="never", To=ada.number)
    page = await ada.post("/account/password", {"current": PASSWORD, "password": NEW_PASSWORD})
    assert page.path == "/account"
    await hold.reached()
    assert racing.web
    racing.web.close()
    hold.let_go()
    racing.start(**NO_MAIL_SERVER)
    racing.age(LEASE)
    await ada.phone.text(ada.number, "password was changed")
    await until(lambda: not racing.rows.one("SELECT count(*) FROM outbox WHERE state = 'pending'"))
    assert len([text for text in await ada.texts() if "was changed" in text]) == 1
    assert (await ada.visitor.visit("/account")).verified
