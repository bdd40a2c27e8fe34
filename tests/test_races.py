"""Many at once, on two web processes and more: each thing happens as often as it may."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import httpx
import psycopg
import pytest
from starlette.applications import Starlette

from tests import servers
from tests.conftest import Clock
from tests.oidc import CLIENTS, Application
from tests.people import wrong
from tests.phone import Phone
from tests.racing import at_once, statuses, two_processes
from tests.rows import Rows
from tests.servers import Process
from tests.site import UNTHROTTLED, Person, Site, Vendor, until
from tests.visitor import Visitor
from webapp.accounts.people.sessions import token_hash
from webapp.accounts.policy.rules import FREE_PASSWORD_CHECKS, SESSION_TOUCH
from webapp.database import STATEMENT_TIMEOUT

pytestmark = pytest.mark.slow
COOL_DOWN, TEN_MINUTES = 30, 600
CONFIRMATION = "Signup complete"


@pytest.fixture(scope="module", params=["postgres", "sqlite"])
def racing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Two web processes on one database."""
    with two_processes(request, tmp_path_factory, OIDC_CLIENTS=CLIENTS) as running:
        yield running


@pytest.fixture
def vendor(racing: Site) -> Vendor:
    return racing.vendor


@pytest.fixture
async def ada(racing: Site) -> AsyncIterator[Person]:
    """Somebody who has not begun yet."""
    async with racing.person() as person:
        yield person


def user_of(racing: Site, person: Person) -> int:
    return int(racing.rows.one("SELECT max(id) FROM users WHERE phone = ?", person.number))


# Guesses


async def test_a_hundred_guesses_at_once_reach_the_vendor_five_times_and_then_none_opens(
    racing: Site, vendor: Vendor, ada: Person
) -> None:
    await ada.sign_up()
    code = await ada.code()
    asked = vendor.count("VerificationCheck")
    guesses = [{"code": f"{(int(code) + n) % 1_000_000:06}"} for n in range(1, 101)]
    counted = await at_once(ada, "/verification", guesses)
    assert vendor.count("VerificationCheck") - asked == 5
    assert counted.keys() <= {422, 429}
    page = await ada.post("/verification", {"code": code})
    assert (page.status, page.step, page.verified) == (429, "verification", None)
    assert "Too many wrong codes" in page.text
    assert vendor.count("VerificationCheck") - asked == 5
    assert (await ada.visitor.visit("/account")).verified is False


async def test_no_new_code_number_or_sign_up_gives_a_phone_more_than_a_days_guesses(
    racing: Site, vendor: Vendor, ada: Person
) -> None:
    async def guess_all_at_once(person: Person) -> None:
        code = await person.code()
        guesses = [{"code": wrong(code, nth)} for nth in range(1, 11)]
        await at_once(person, "/verification", guesses)
        racing.age(TEN_MINUTES + 1)

    asked = vendor.count("VerificationCheck")
    await ada.sign_up()
    await guess_all_at_once(ada)
    assert await ada.resend() == 200
    await guess_all_at_once(ada)
    async with racing.person() as elsewhere:
        for number in (elsewhere.number, ada.number):
            page = await ada.post("/verification/phone", {"country": "GB", "phone": number})
            assert page.step == "verification"
    await guess_all_at_once(ada)
    async with racing.person(number=ada.number) as again:
        await again.sign_up()
        await guess_all_at_once(again)
    assert vendor.count("VerificationCheck") - asked == 20

    async with racing.person(number=ada.number) as last:
        await last.sign_up()
        page = await last.post("/verification", {"code": await last.code()})
        assert (page.status, page.verified) == (429, None)
        assert "for this number today" in page.text
        assert vendor.count("VerificationCheck") - asked == 20
        racing.age(24 * 3600)
    async with racing.person(number=ada.number) as tomorrow:
        await tomorrow.sign_up()
        assert await tomorrow.verify()


@pytest.mark.parametrize("provider", ["codes"])
@pytest.mark.environ(**UNTHROTTLED)
async def test_parallel_guesses_of_many_sign_ups_share_the_phones_day(
    client: httpx.AsyncClient, phone: Phone, database_url: str
) -> None:
    """With codes of our own, which no vendor's limit guards besides."""
    async with AsyncExitStack() as stack:
        people: list[Person] = []
        for _ in range(5):
            alone = httpx.AsyncClient(transport=client._transport, base_url=client.base_url)
            visitor = Visitor(await stack.enter_async_context(alone))
            people.append(Person(visitor, phone, "+447400123456", f"ada{len(people)}@example.com"))
            await people[-1].sign_up()
        texts = await phone.texts("+447400123456")
        bad = [code for code in map(str, range(111_111, 111_130)) if code not in str(texts)]
        guesses = [{"code": code} for code in bad[:8]]
        await asyncio.gather(*(at_once(person, "/verification", guesses) for person in people))
    spent = "SELECT SUM(used) FROM usage WHERE key = 'checks +447400123456'"
    assert Rows(database_url).one(spent) == 20


@pytest.mark.parametrize("provider", ["codes"])  # each sign-up has a code of its own
@pytest.mark.environ(**UNTHROTTLED | {"ACCOUNTS_PER_PHONE": "3"})
async def test_ten_sign_ups_of_one_number_confirmed_at_once_make_three_accounts(
    client: httpx.AsyncClient, phone: Phone, database_url: str
) -> None:
    number, asking = "+447400123456", []
    async with AsyncExitStack() as stack:
        for n in range(10):
            alone = httpx.AsyncClient(transport=client._transport, base_url=client.base_url)
            visitor = Visitor(await stack.enter_async_context(alone))
            person = Person(visitor, phone, number, f"ada{n}@example.com")
            await person.sign_up()
            code = (await phone.texts(number))[0].code
            asking.append(person.send("/verification", {"code": str(code)}))
        assert statuses(await asyncio.gather(*asking)) == {303: 3, 422: 7}
    verified = "SELECT count(*) FROM users WHERE verified_at IS NOT NULL"
    assert Rows(database_url).one(verified) == 3


async def test_one_wrong_code_sent_ten_times_at_once_is_checked_once_and_costs_one_try(
    racing: Site, vendor: Vendor, ada: Person
) -> None:
    await ada.sign_up()
    asked, bad = vendor.count("VerificationCheck"), {"code": wrong(await ada.code())}
    answers = await asyncio.gather(*(ada.send("/verification", bad) for _ in range(10)))
    assert statuses([*answers]) == {422: 10}
    assert all("You have 4 tries left" in answer.text for answer in answers)
    assert vendor.count("VerificationCheck") - asked == 1
    assert await ada.verify()


# The right code


@pytest.mark.parametrize("times", [2, 10])
async def test_whoever_sends_the_right_code_gets_in_however_often_and_wherever_it_lands(
    racing: Site, vendor: Vendor, ada: Person, times: int
) -> None:
    await ada.sign_up()
    asked, code = vendor.count("VerificationCheck"), {"code": await ada.code()}
    answers = await asyncio.gather(*(ada.send("/verification", code) for _ in range(times)))
    assert [(a.status_code, a.headers.get("location")) for a in answers] == [
        (303, "/account")
    ] * times
    assert vendor.count("VerificationCheck") - asked == 1
    async with racing.person() as browser:
        for answer in answers:  # whichever of them the browser waited for
            browser.client.cookies = httpx.Cookies()
            browser.client.cookies.extract_cookies(answer)
            assert (await browser.visitor.visit("/")).verified is True


async def test_two_browsers_at_one_sign_up_both_get_in_by_the_right_code(
    racing: Site, vendor: Vendor, ada: Person
) -> None:
    """The first is let in when both wait: that ends the sessions of all who are not there yet."""
    await ada.sign_up()
    async with racing.person(ada.number, ada.email) as again:
        await again.sign_up()
        racing.age(SESSION_TOUCH.total_seconds() + 1)  # so that a session tells when it is seen
        code = {"code": await ada.code()}
        check = vendor.hold("VerificationCheck")
        sent = [asyncio.create_task(p.send("/verification", code)) for p in (ada, again) * 3]
        await check.reached()
        await until(lambda: seen(racing, ada) and seen(racing, again))
        check.let_go()
        statuses([*await asyncio.gather(*sent)])
        for person in (ada, again):
            assert (await person.visitor.visit("/")).verified is True


def seen(racing: Site, person: Person) -> bool:
    """Whether a request of this browser has come that long after it opened its session."""
    sql = "SELECT last_seen_at > created_at FROM sessions WHERE token_hash = ?"
    return bool(racing.rows.one(sql, token_hash(person.client.cookies["session"])))


async def test_fifty_right_codes_at_once_make_one_account_one_session_and_one_text(
    racing: Site, ada: Person
) -> None:
    await ada.sign_up()
    before = ada.client.cookies["session"]
    counted = await at_once(ada, "/verification", [{"code": await ada.code()}] * 50)
    assert counted == {303: 50}
    assert (await ada.visitor.visit("/")).verified is True
    assert ada.client.cookies["session"] != before

    rows, user = racing.rows, user_of(racing, ada)
    assert rows.one("SELECT count(*) FROM users WHERE phone = ?", ada.number) == 1
    assert rows.one("SELECT count(*) FROM sessions WHERE user_id = ?", user) == 1
    assert rows.one('SELECT count(*) FROM outbox WHERE "to" = ?', ada.number) == 1
    await ada.phone.text(ada.number, CONFIRMATION)
    await until(lambda: not rows.one("SELECT count(*) FROM outbox WHERE state = 'pending'"))
    assert sum(CONFIRMATION in text for text in await ada.texts()) == 1


@pytest.mark.parametrize("provider", ["codes"])
@pytest.mark.environ(**UNTHROTTLED)
async def test_several_right_codes_of_our_own_at_once_make_one_account_and_one_text(
    client: httpx.AsyncClient, phone: Phone, database_url: str
) -> None:
    """No vendor says that the code is used: five of them are told that it is right."""
    ada = Person(Visitor(client), phone, "+447400123456", "ada@example.com")
    await ada.sign_up()
    await at_once(ada, "/verification", [{"code": await ada.code()}] * 50)
    rows = Rows(database_url)
    assert rows.one("SELECT count(*) FROM users WHERE verified_at IS NOT NULL") == 1
    assert rows.one("SELECT count(*) FROM sessions") == 1
    assert rows.one("SELECT count(*) FROM outbox WHERE channel = 'text'") == 1
    assert (await ada.visitor.visit("/")).verified is True


async def test_the_right_code_among_a_hundred_guesses_opens_or_not_but_never_costs_a_sixth_check(
    racing: Site, vendor: Vendor, ada: Person
) -> None:
    await ada.sign_up()
    code = await ada.code()
    asked = vendor.count("VerificationCheck")
    guesses = [{"code": f"{(int(code) + n) % 1_000_000:06}"} for n in range(-50, 50)]
    await at_once(ada, "/verification", guesses)
    assert vendor.count("VerificationCheck") - asked <= 5


# Asking again


async def test_fifty_resends_at_once_send_one_text_after_the_cool_down_and_none_inside_it(
    racing: Site, ada: Person
) -> None:
    await ada.sign_up()
    resends = [{"channel": "sms"}] * 50
    assert await at_once(ada, "/verification/resend", resends) == {429: 50}
    assert len(await ada.texts()) == 1
    racing.age(COOL_DOWN)
    assert await at_once(ada, "/verification/resend", resends) == {303: 1, 429: 49}
    assert len(await ada.texts()) == 2
    assert await ada.verify()


async def test_fifty_resends_at_once_of_an_expired_code_send_one_new_one(
    racing: Site, ada: Person
) -> None:
    await ada.sign_up()
    racing.age(TEN_MINUTES + 1)
    resends = [{"channel": "sms"}] * 50
    assert await at_once(ada, "/verification/resend", resends) == {303: 1, 429: 49}
    assert len(await ada.texts()) == 2
    assert await ada.verify()


async def test_a_number_changed_twice_at_once_is_sent_one_text(racing: Site, ada: Person) -> None:
    await ada.sign_up()
    async with racing.person() as other:
        change = {"country": "GB", "phone": other.number}
        await at_once(ada, "/verification/phone", [change] * 10)
        assert len(await other.texts()) == 1
        assert racing.rows.one("SELECT phone_changes FROM users WHERE phone = ?", other.number) == 1
        page = await ada.post("/verification", {"code": await other.code()})
        assert page.verified is True


# The form


@pytest.mark.parametrize("clicks", [2, 20])
async def test_a_sign_up_clicked_several_times_is_one_account_and_one_text(
    racing: Site, ada: Person, clicks: int
) -> None:
    form = ada.answers
    async with AsyncExitStack() as stack:
        # One browser's clicks, but for the cookie jar: each answer's own session has to work.
        tabs = [await stack.enter_async_context(racing.person(ada.number)) for _ in range(clicks)]
        pages = await asyncio.gather(*(tab.post("/signup", form) for tab in tabs))
        assert {(page.status, page.step) for page in pages} == {(200, "verification")}
        assert len(await ada.texts()) == 1
        assert racing.rows.one("SELECT count(*) FROM users WHERE phone = ?", ada.number) == 1
        for tab in tabs:
            assert (await tab.visitor.visit("/")).step == "verification"
        assert await tabs[-1].verify()


async def test_the_first_of_two_to_prove_a_phone_has_the_email_and_the_other_is_told(
    racing: Site, ada: Person
) -> None:
    async with racing.person(email=ada.email.upper()) as eve:
        await asyncio.gather(ada.sign_up(), eve.sign_up())
        codes = [{"code": await person.code()} for person in (ada, eve)]
        pages = await asyncio.gather(
            ada.post("/verification", codes[0]), eve.post("/verification", codes[1])
        )
        assert sorted(str(page.verified) for page in pages) == ["False", "True"]
        told = pages[0] if pages[0].verified is False else pages[1]
        assert "already has an account" in told.text
    claimed = "SELECT count(*) FROM users WHERE claimed_email = ?"
    assert racing.rows.one(claimed, ada.email) == 1


# The outbox


def write_texts(rows: Rows, numbers: list[str]) -> None:
    """Texts that are due, as sign-ups write them."""
    at = rows.moment()
    row = "(?, 'Signup complete', 'pending', 0, '', ?, ?)"
    sql = 'INSERT INTO outbox ("to", body, state, attempts, reference, created_at, next_attempt_at)'
    values = [value for number in numbers for value in (number, at, at)]
    rows.all(f"{sql} VALUES {', '.join([row] * len(numbers))}", *values)


@pytest.mark.environ(**UNTHROTTLED, OUTBOX_IN_WEB="0")
async def test_many_who_look_for_texts_at_the_same_moment_send_each_once(
    app: Starlette, database_url: str, clock: Clock
) -> None:
    rows = Rows(database_url)
    clock.advance(60)
    for hundred in range(3):
        numbers = [f"+44740200{n}" for n in range(1000 + 100 * hundred, 1100 + 100 * hundred)]
        write_texts(rows, numbers)
        await asyncio.gather(*(app.state.outbox.deliver() for _ in range(8)))
        inbox = app.state.sandbox.inbox
        assert {len(inbox.messages(number)) for number in numbers} == {1}


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.environ(**UNTHROTTLED, OUTBOX_IN_WEB="0")
async def test_texts_that_another_is_just_taking_are_passed_over(
    app: Starlette, database_url: str, clock: Clock
) -> None:
    clock.advance(60)
    write_texts(Rows(database_url), ["+447402009000", "+447402009001"])
    inbox = app.state.sandbox.inbox
    with psycopg.connect(database_url) as other:
        other.execute("""SELECT id FROM outbox WHERE "to" = '+447402009000' FOR UPDATE""")
        async with asyncio.timeout(8):  # before the database would give the statement up
            assert await app.state.outbox.deliver() == 1
        assert len(inbox.messages("+447402009001")) == 1
    assert await app.state.outbox.deliver() == 1
    assert len(inbox.messages("+447402009000")) == 1


async def worker_is_up(worker: Process) -> None:
    """It has tidied up for the first time, which it does after its first look for texts."""
    await until(lambda: "purged" in worker.log.read_text())


def pending(racing: Site) -> int:
    return int(racing.rows.one("SELECT count(*) FROM outbox WHERE state = 'pending'"))


async def test_two_workers_and_a_web_process_send_each_of_two_hundred_texts_once(
    racing: Site, vendor: Vendor
) -> None:
    workers = [racing.worker() for _ in range(2)]
    for worker in workers:
        await worker_is_up(worker)
    numbers = [f"+4474010{n}" for n in range(10_000, 10_200)]
    write_texts(racing.rows, numbers)
    await until(lambda: pending(racing) == 0)
    sent = Counter(
        call.fields["To"]
        for call in vendor.calls
        if (call.method, call.resource) == ("POST", "Messages")
    )
    assert {number: sent[number] for number in numbers} == dict.fromkeys(numbers, 1)
    for worker in workers:
        assert worker.stop() == 0


# Releases


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_of_two_releases_at_once_the_second_waits_for_the_first(
    empty_database_url: str,
) -> None:
    """A third holds the lock, so that both are sure to be there at the same moment."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND wait_event = 'advisory'"
    )
    rows, environ = Rows(empty_database_url), servers.production_environ(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as third:
        third.execute("SELECT pg_advisory_lock(hashtextextended('migrate', 0))")
        releases = [
            asyncio.create_task(asyncio.to_thread(servers.command, "migrate", environ=environ))
            for _ in range(2)
        ]
        await until(lambda: rows.one(waiting) == 2)
    assert [done.returncode for done in await asyncio.gather(*releases)] == [0, 0]


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_release_waits_longer_than_a_page_may(empty_database_url: str) -> None:
    environ = servers.production_environ(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('migrate', 0))")
        release = asyncio.create_task(
            asyncio.to_thread(servers.command, "migrate", environ=environ)
        )
        await asyncio.sleep(STATEMENT_TIMEOUT + 3)  # and as long as its start takes
        assert not release.done()
    done = await release
    assert done.returncode == 0, done.stderr


# Signing in


async def test_a_hundred_passwords_at_once_are_as_many_checks_as_come_without_a_pause(
    racing: Site, ada: Person
) -> None:
    await ada.sign_up()
    assert await ada.verify()
    email = ada.answers["email"]
    wrongs = [{"email": email, "password": f"not the password {n}"} for n in range(100)]
    counted = await at_once(ada, "/signin", wrongs)
    # One after the free ones, and one more whenever a pause of 1, 2, 4 … seconds is over.
    assert FREE_PASSWORD_CHECKS < counted[422] <= FREE_PASSWORD_CHECKS + 1 + 6
    assert counted[429] == 100 - counted[422]


async def test_fifty_sign_ins_and_fifty_right_codes_at_once_cost_one_text_and_sign_in(
    racing: Site, vendor: Vendor, ada: Person
) -> None:
    await ada.sign_up()
    assert await ada.verify()
    racing.age(TEN_MINUTES)
    sent = vendor.count("Verifications")
    password = {"email": ada.answers["email"], "password": ada.answers["password"]}
    counted = await at_once(ada, "/signin", [password] * 50)
    assert counted.keys() <= {303, 429}
    assert vendor.count("Verifications") - sent == 1
    counted = await at_once(ada, "/signin/code", [{"code": await ada.code()}] * 50)
    assert counted == {303: 50}
    assert (await ada.visitor.visit("/account")).verified


# Applications


async def test_a_code_of_an_application_used_twenty_times_at_once_gives_tokens_once(
    racing: Site, ada: Person
) -> None:
    await ada.sign_up()
    assert await ada.verify()
    async with httpx.AsyncClient(base_url=ada.client.base_url, timeout=60, verify=False) as server:
        application = Application(server)
        code = application.answer(await application.authorize(ada.client))["code"]
        answers = await asyncio.gather(*(application.redeem(code) for _ in range(20)))
        assert statuses([*answers]) == {200: 1, 400: 19}
        [token] = [answer.json()["access_token"] for answer in answers if answer.is_success]
        # One of the twenty may have stolen the code: what it gave is taken back.
        assert (await application.userinfo(token)).status_code == 401
