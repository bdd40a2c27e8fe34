"""Passkeys on two web processes at once: a challenge, a count and a limit hold in each."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.authenticator import Authenticator
from tests.postgres import free_port
from tests.racing import at_once, member, two_processes
from tests.site import Person, Site
from webapp.accounts.policy.rules import PASSKEYS_PER_ACCOUNT

pytestmark = pytest.mark.slow
AT_ONCE = 30
OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module", params=["postgres", "sqlite"])
def racing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Two web processes on one database, at a name: there are no passkeys for a number."""
    port = free_port()
    settings = {"PORT": str(port), "BASE_URL": f"http://localhost:{port}"}
    with two_processes(request, tmp_path_factory, **settings) as running:
        yield running


@pytest.fixture
async def ada(racing: Site) -> AsyncIterator[Person]:
    """Somebody whose account is verified."""
    async with member(racing, age=0) as person:
        yield person


@pytest.fixture
def device(racing: Site) -> Authenticator:
    """A device that does not count, so that nothing but the challenge tells one answer."""
    assert racing.web
    return Authenticator(racing.web.url, counts=False)


async def options(person: Person, path: str) -> dict[str, object]:
    response = await person.client.post(path, headers=OURS)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def new_answer(person: Person, device: Authenticator) -> str:
    return device.create(await options(person, "/account/passkeys/options"))


async def signature(person: Person, device: Authenticator) -> str:
    return device.get(await options(person, "/signin/passkey/options"))


async def answer_at_once(person: Person, path: str, credentials: list[str]) -> Counter[int]:
    return await at_once(person, path, ({"credential": each} for each in credentials))


def sessions(racing: Site) -> int:
    return int(racing.rows.one("SELECT count(*) FROM sessions"))


async def test_one_answer_sent_many_times_at_once_signs_in_once(
    racing: Site, ada: Person, device: Authenticator
) -> None:
    await answer_at_once(ada, "/account/passkeys", [await new_answer(ada, device)])
    await ada.send("/signout", {})
    before = sessions(racing)
    answer = await signature(ada, device)
    assert await answer_at_once(ada, "/signin/passkey", [answer] * AT_ONCE) == {
        303: 1,
        422: AT_ONCE - 1,
    }
    assert sessions(racing) == before + 1


async def test_of_a_passkey_and_its_copies_one_signs_in(
    racing: Site, ada: Person, device: Authenticator
) -> None:
    await answer_at_once(ada, "/account/passkeys", [await new_answer(ada, device)])
    await ada.send("/signout", {})
    device.passkeys[-1].sign_count = 7  # each copy's own count
    answers = [await signature(ada, device) for _ in range(AT_ONCE)]
    counted = await answer_at_once(ada, "/signin/passkey", answers)
    assert counted == {303: 1, 422: AT_ONCE - 1}


async def test_many_new_passkeys_at_once_are_no_more_than_an_account_may_have(
    racing: Site, ada: Person, device: Authenticator
) -> None:
    answers = [await new_answer(ada, device) for _ in range(PASSKEYS_PER_ACCOUNT + 5)]
    counted = await answer_at_once(ada, "/account/passkeys", answers)
    assert counted == {303: PASSKEYS_PER_ACCOUNT, 429: 5}


async def test_an_account_deleted_beside_its_sign_ins_is_gone_and_nothing_breaks(
    racing: Site, ada: Person, device: Authenticator
) -> None:
    await answer_at_once(ada, "/account/passkeys", [await new_answer(ada, device)])
    answers = [await signature(ada, device) for _ in range(AT_ONCE)]
    async with racing.person() as elsewhere:
        deleting = ada.send("/account/delete", {"current": ada.answers["password"]})
        signing_in = answer_at_once(elsewhere, "/signin/passkey", answers)
        deleted, counted = await asyncio.gather(deleting, signing_in)
    assert deleted.status_code == 303
    assert counted.keys() <= {303, 422}
    gone = "SELECT count(*) FROM users WHERE email = ?"
    assert racing.rows.one(gone, ada.answers["email"]) == 0
    assert racing.rows.one("SELECT count(*) FROM passkeys") < PASSKEYS_PER_ACCOUNT + 3
