"""Recovery by many at once, on two web processes: each link, code and change counts once."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.people import PASSWORD
from tests.racing import NO_MAIL_SERVER, TEN_MINUTES, link_to, member, statuses, two_processes
from tests.site import Person, Site, Vendor, until
from webapp.accounts.people.recovery_codes import hash_of

pytestmark = pytest.mark.slow
NEW_PASSWORD = "amber lighthouse concerto 27"
DAY = 86_400


@pytest.fixture(scope="module", params=["postgres"])
def racing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Two web processes on one database."""
    with two_processes(request, tmp_path_factory, **NO_MAIL_SERVER) as running:
        yield running


@pytest.fixture
def vendor(racing: Site) -> Vendor:
    return racing.vendor


@pytest.fixture
async def ada(racing: Site) -> AsyncIterator[Person]:
    """Somebody whose account is verified, signed in."""
    async with member(racing) as person:
        yield person


async def open_reset(racing: Site, person: Person) -> str:
    """The link of a forgotten password, by which a code was sent."""
    await person.post("/password/forgot", {"email": person.email})
    path = link_to(racing, person.email, "/password/reset/")
    page = await person.post(f"{path}/send", {"channel": "sms"})
    assert (page.status, page.step) == (200, "reset")
    return path


def phone_of(racing: Site, person: Person) -> str:
    return str(racing.rows.one("SELECT phone FROM users WHERE claimed_email = ?", person.email))


async def test_of_two_resets_with_one_link_one_counts_and_the_other_is_told(
    racing: Site, ada: Person
) -> None:
    path = await open_reset(racing, ada)
    code = await ada.code()
    async with racing.person(ada.number, ada.email) as other:
        chosen = [(ada, f"{NEW_PASSWORD} a"), (other, f"{NEW_PASSWORD} b")]
        answers = await asyncio.gather(
            *(
                person.send(path, {"code": code, "password": password})
                for person, password in chosen
            )
        )
        assert statuses([*answers]) == {303: 1, 410: 1}
        winner = [ada, other][[answer.status_code for answer in answers].index(303)]
        assert (await winner.visitor.visit("/account")).verified
        racing.age(TEN_MINUTES)
        for person, password in chosen:
            page = await other.post("/signin", {"email": ada.email, "password": password})
            assert (page.step == "signin-code") is (person is winner)


async def test_a_hundred_guesses_of_the_code_at_once_are_five_and_then_none_resets(
    racing: Site, vendor: Vendor, ada: Person
) -> None:
    path = await open_reset(racing, ada)
    code = await ada.code()
    asked = vendor.count("VerificationCheck")
    guesses = [f"{(int(code) + n) % 1_000_000:06}" for n in range(1, 101)]
    answers = await asyncio.gather(
        *(ada.send(path, {"code": guess, "password": NEW_PASSWORD}) for guess in guesses)
    )
    assert statuses([*answers]).keys() <= {422, 429}
    assert vendor.count("VerificationCheck") - asked == 5
    page = await ada.post(path, {"code": code, "password": NEW_PASSWORD})
    assert (page.status, page.step) == (429, "reset")
    assert vendor.count("VerificationCheck") - asked == 5


async def test_fifty_right_codes_at_once_change_the_password_once_and_all_are_in(
    racing: Site, ada: Person
) -> None:
    path = await open_reset(racing, ada)
    form = {"code": await ada.code(), "password": NEW_PASSWORD}
    answers = await asyncio.gather(*(ada.send(path, form) for _ in range(50)))
    assert statuses([*answers]) == {303: 50}
    assert (await ada.visitor.visit("/account")).verified
    rows = racing.rows
    user = rows.one("SELECT id FROM users WHERE claimed_email = ?", ada.email)
    assert rows.one("SELECT count(*) FROM sessions WHERE user_id = ?", user) == 1
    await ada.phone.text(ada.number, "password was changed")
    await until(lambda: not rows.one("SELECT count(*) FROM outbox WHERE state = 'pending'"))
    assert len([text for text in await ada.texts() if "password was changed" in text]) == 1


async def test_links_asked_for_at_once_with_one_email_are_one(racing: Site, ada: Person) -> None:
    form = {"email": ada.email}
    answers = await asyncio.gather(*(ada.send("/password/forgot", form) for _ in range(20)))
    assert statuses([*answers]) == {303: 1, 429: 19}
    links = "SELECT count(*) FROM links WHERE address = ? AND purpose = 'reset_password'"
    assert racing.rows.one(links, ada.email) == 1


async def saved_code(person: Person) -> str:
    await person.post("/account/proof", {"current": PASSWORD})
    page = await person.post("/account/recovery", {})
    code = page.html.css_first("[data-recovery-code]")
    assert code, page.text
    return code.text().strip()


async def test_of_recovery_codes_made_at_once_the_one_that_is_shown_is_the_one_that_works(
    racing: Site, ada: Person
) -> None:
    await ada.post("/account/proof", {"current": PASSWORD})
    answers = await asyncio.gather(*(ada.send("/account/recovery", {}) for _ in range(10)))
    assert statuses([*answers]).keys() <= {200, 409}
    shown = re.findall(r"data-recovery-code>([^<]+)<", "".join(a.text for a in answers))
    stored = racing.rows.one(
        "SELECT recovery_code_hash FROM users WHERE claimed_email = ?", ada.email
    )
    assert [hash_of(code) for code in shown].count(stored) == 1
    assert len(shown) < len(answers), "only of requests that came when another was answered"


async def test_of_a_recovery_code_used_by_two_at_once_one_changes_the_number(
    racing: Site, ada: Person
) -> None:
    saved = await saved_code(ada)
    password = {"email": ada.email, "password": PASSWORD}
    async with racing.person(ada.number, ada.email) as other, racing.person() as new:
        for person in (ada, other):
            await person.post("/signout", {})
            await person.post("/signin", password)
        page = await ada.post("/phone/lost", {"country": "GB", "phone": new.number})
        assert page.step == "lost-phone-code"
        form = {"code": await new.code(), "recovery": saved}
        answers = await asyncio.gather(
            *(person.send("/phone/lost/code", form) for person in (ada, other) for _ in range(5))
        )
        counted = statuses([*answers])
        shown = [answer for answer in answers if "data-recovery-code" in answer.text]
        assert len(shown) == 1, counted
        assert counted[200] == 1
        assert phone_of(racing, ada) == new.number
        assert saved not in shown[0].text


async def test_a_recovery_code_outlives_a_new_number_whose_code_was_used_elsewhere_meanwhile(
    racing: Site, ada: Person, vendor: Vendor
) -> None:
    saved = await saved_code(ada)
    await ada.post("/signout", {})
    await ada.post("/signin", {"email": ada.email, "password": PASSWORD})
    async with racing.person() as new:
        await ada.post("/phone/lost", {"country": "GB", "phone": new.number})
        hold = vendor.hold("VerificationCheck")
        form = {"code": await new.code(), "recovery": saved}
        sending = asyncio.create_task(ada.send("/phone/lost/code", form))
        await hold.reached()
        racing.rows.all("UPDATE verifications SET outcome = 'approved' WHERE phone = ?", new.number)
        hold.let_go()
        answer = await sending
    assert "data-recovery-code" not in answer.text
    stored = "SELECT recovery_code_hash FROM users WHERE claimed_email = ?"
    assert racing.rows.one(stored, ada.email) == hash_of(saved)
    assert phone_of(racing, ada) == ada.number


async def wait_for_number(racing: Site, ada: Person, new: Person) -> str:
    """Ada has lost the phone, and waits for the number of ``new``: the link to stop it."""
    await ada.post("/signout", {})
    await ada.post("/signin", {"email": ada.email, "password": PASSWORD})
    await ada.post("/phone/lost/email", {})
    path = link_to(racing, ada.email, "/phone/new/")
    await ada.post(path, {"country": "GB", "phone": new.number})
    page = await ada.post(f"{path}/code", {"code": await new.code()})
    assert "24 hours" in page.text
    return link_to(racing, ada.email, "/phone/stop/")


@pytest.mark.parametrize("turn", range(3))
async def test_a_change_that_is_stopped_at_the_moment_of_its_effect_is_made_or_stopped(
    racing: Site, ada: Person, turn: int
) -> None:
    async with racing.person() as new, racing.person(ada.number, ada.email) as owner:
        stop = await wait_for_number(racing, ada, new)
        racing.age(DAY - 60)
        racing.rows.all("UPDATE phone_changes SET effective_at = ?", racing.rows.moment())
        password = {"email": ada.email, "password": PASSWORD}
        stops = [owner.send(stop, {}) for _ in range(5)]
        others = [ada.send("/signin", password) for _ in range(5)]
        answers = await asyncio.gather(*(others + stops if turn else stops + others))
        stopped = [answer for answer in answers if "Stopped" in answer.text]
        statuses([*answers])
        await ada.post("/signin", password)
        assert phone_of(racing, ada) == (ada.number if stopped else new.number)
        assert len(stopped) <= 1
