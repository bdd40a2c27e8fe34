"""Processes killed, databases restarted, disks full, vendors that hang: the person can go on."""

import asyncio
import resource
import shutil
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from tortoise.transactions import in_transaction

from tests import postgres as pg
from tests.conftest import absent, migrated
from tests.people import sign_up, verify
from tests.phone import Phone
from tests.rows import Rows
from tests.servers import PRODUCTION, Process, command, production_environ
from tests.site import UNTHROTTLED, Hold, Person, Site, site, until
from tests.visitor import Visitor, filled_in
from webapp.accounts.people.passwords import LONGEST_QUEUE
from webapp.accounts.people.users import User
from webapp.accounts.sending.carriers import SETTLED_AFTER
from webapp.database import DATABASE_ERRORS, STATEMENT_TIMEOUT, Database
from webapp.database.config import CONNECT_TIMEOUT
from webapp.pages import errors
from webapp.providers.http import LONGEST as LONGEST_CALL
from webapp.settings import Settings, SettingsError
from webapp.web.deadline import DEADLINE, Deadline
from webapp.web.headers import SecurityHeaders
from webapp.web.log import RequestLog

slow = pytest.mark.slow
ON_POSTGRES = pytest.mark.parametrize("database", ["postgres"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
TOWN_ON_POSTGRES = pytest.mark.parametrize("town", ["postgres"], indirect=True)
COOL_DOWN, LEASE = 30, 60


# Processes killed


@pytest.fixture(scope="module", params=["postgres", "sqlite"])
def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site in which nothing runs yet."""
    directory = tmp_path_factory.mktemp("crashes")
    with migrated(request.param, request, directory) as url, site(directory, url) as quiet:
        yield quiet


@pytest.fixture
async def web(town: Site) -> Site:
    """The site with one web process, which a test may kill."""
    if town.web is None or town.web.popen.poll() is not None:
        town.start(WEB_CONCURRENCY="1")
    return town


@pytest.fixture
async def ada(web: Site) -> AsyncIterator[Person]:
    async with web.person() as person:
        yield person


async def killed_while_the_vendor_has(
    web: Site, hold: Hold, person: Person, path: str, form: dict[str, str], **settings: str
) -> None:
    """Send ``form``, and end the web process as the call that ``hold`` waits for is there.

    The next one has these ``settings`` besides.
    """
    assert web.web
    asking = asyncio.create_task(person.send(path, form))
    await hold.reached()
    web.web.close()
    with pytest.raises(httpx.TransportError):
        await asking
    hold.let_go()
    web.start(WEB_CONCURRENCY="1", **settings)


def verified(web: Site, person: Person) -> int:
    sql = "SELECT count(*) FROM users WHERE phone = ? AND verified_at IS NOT NULL"
    return int(web.rows.one(sql, person.number))


@slow
@pytest.mark.parametrize(
    ("town", "acted"),
    [("postgres", "never"), ("postgres", "before"), ("postgres", "after"), ("sqlite", "never")],
    indirect=["town"],
    scope="module",
)
async def test_killed_while_the_first_code_is_sent_the_same_form_leads_on(
    web: Site, ada: Person, acted: str
) -> None:
    form = ada.answers
    hold = web.vendor.hold("Verifications", acted=acted, To=ada.number)
    await killed_while_the_vendor_has(web, hold, ada, "/signup", form)
    page = await ada.post("/signup", form)
    assert (page.status, page.step) == (200, "verification")
    assert web.rows.one("SELECT count(*) FROM users WHERE phone = ?", ada.number) == 1
    web.age(2 * COOL_DOWN)  # where the restart took long, the form has sent a second code by now
    assert await ada.resend() == 200
    assert await ada.verify()
    assert verified(web, ada) == 1


@slow
@pytest.mark.parametrize(
    ("town", "acted"),
    [("postgres", "never"), ("postgres", "before"), ("sqlite", "before")],
    indirect=["town"],
    scope="module",
)
async def test_killed_while_the_code_is_checked_the_person_can_go_on(
    web: Site, ada: Person, acted: str
) -> None:
    await ada.sign_up()
    code = {"code": await ada.code()}
    hold = web.vendor.hold("VerificationCheck", acted=acted)
    await killed_while_the_vendor_has(web, hold, ada, "/verification", code, PROVIDER_TIMEOUT="1")
    page = await ada.post("/verification", code)  # after the time that a call may have taken
    if acted == "before":  # used up at the vendor: only a new one can be proven to us
        assert "expired" in page.text
        assert verified(web, ada) == 0
        assert await ada.resend() == 200
        page = await ada.post("/verification", {"code": await ada.code()})
    assert page.verified is True
    assert verified(web, ada) == 1
    assert web.web
    web.web.close()  # whose patience with the vendor is not the others'


@slow
@TOWN_ON_POSTGRES
async def test_killed_while_a_code_is_sent_again_the_person_can_go_on(
    web: Site, ada: Person
) -> None:
    await ada.sign_up()
    web.age(COOL_DOWN)
    hold = web.vendor.hold("Verifications", acted="never", To=ada.number)
    await killed_while_the_vendor_has(web, hold, ada, "/verification/resend", {"channel": "sms"})
    assert await ada.verify()


@slow
@TOWN_ON_POSTGRES
async def test_killed_while_a_new_number_is_sent_its_code_the_person_can_go_on(
    web: Site, ada: Person
) -> None:
    await ada.sign_up()
    async with web.person() as other:
        change = {"country": "GB", "phone": other.number}
        hold = web.vendor.hold("Verifications", acted="never", To=other.number)
        await killed_while_the_vendor_has(web, hold, ada, "/verification/phone", change)
        page = await ada.post("/verification/phone", change)
        assert page.step == "verification"
        web.age(COOL_DOWN)
        assert await ada.resend() == 200
        page = await ada.post("/verification", {"code": await other.code()})
        assert page.verified is True


@slow
async def test_a_browser_that_never_got_the_answer_to_its_right_code_sends_it_again(
    web: Site, ada: Person
) -> None:
    await ada.sign_up()
    cookies = httpx.Cookies(ada.client.cookies)
    code = {"code": await ada.code()}
    assert (await ada.send("/verification", code)).status_code == 303
    ada.client.cookies = httpx.Cookies(cookies)  # the answer, and its new cookie, got lost
    assert (await ada.visitor.visit("/account")).step == "signup"
    page = await ada.post("/verification", {"code": "000000"})
    assert page.step == "signup"
    page = await ada.post("/verification", code)
    assert page.verified is True
    assert (await ada.visitor.visit("/")).verified is True
    ada.client.cookies = httpx.Cookies(cookies)
    web.age(660)
    assert (await ada.post("/verification", code)).step == "signup"


@slow
async def test_a_code_clicked_twice_opens_for_the_click_whose_answer_the_browser_waits_for(
    web: Site, ada: Person
) -> None:
    await ada.sign_up()
    cookies = httpx.Cookies(ada.client.cookies)
    code = {"code": await ada.code()}
    hold = web.vendor.hold("VerificationCheck", acted="before")
    first = asyncio.create_task(ada.send("/verification", code))
    await hold.reached()
    async with httpx.AsyncClient(
        base_url=ada.client.base_url, cookies=cookies, verify=False
    ) as browser:
        visitor = Visitor(browser)
        second = asyncio.create_task(visitor.post("/verification", code))
        assert not (await asyncio.wait([second], timeout=0.5))[0]  # it waits for the first's answer
        hold.let_go()
        assert (await second).verified is True
        assert (await first).status_code == 303


@slow
async def test_killed_before_the_confirmation_is_sent_it_goes_out_once_afterwards(
    web: Site, ada: Person
) -> None:
    await ada.sign_up()
    hold = web.vendor.hold("Messages", acted="never", To=ada.number)
    assert await ada.verify()
    await hold.reached()
    assert web.web
    web.web.close()
    hold.let_go()
    web.start(WEB_CONCURRENCY="1")
    web.age(LEASE)
    await ada.phone.text(ada.number, "Signup complete")
    await until(lambda: not web.rows.one("SELECT count(*) FROM outbox WHERE state = 'pending'"))
    assert len([text for text in await ada.texts() if "complete" in text]) == 1
    assert (await ada.visitor.visit("/")).verified is True


@slow
async def test_a_worker_killed_at_any_point_leaves_each_text_to_be_sent_once(town: Site) -> None:
    if town.web:
        town.web.close()
    numbers = {acted: f"+44740202000{n}" for n, acted in enumerate(("never", "before", "after"))}
    holds = [
        town.vendor.hold("Messages", acted=acted, To=number) for acted, number in numbers.items()
    ]
    for number in numbers.values():
        write_text(town, number)
    killed = town.worker()
    for hold in holds:
        await hold.reached()
    killed.close()
    begun = len(town.vendor.calls)
    for hold in holds:
        hold.let_go()
    await until(lambda: arrived(town, numbers["after"]) == 1)

    town.worker()
    await until(lambda: "purged" in town.deployment.processes[-1].log.read_text())
    assert len(town.vendor.calls) == begun  # while the lease runs, nobody touches them
    town.rows.age(LEASE)
    await until(lambda: not town.rows.one("SELECT count(*) FROM outbox WHERE state = 'pending'"))
    assert {acted: arrived(town, number) for acted, number in numbers.items()} == {
        "never": 1,
        "before": 1,
        "after": 1,
    }
    for acted, number in numbers.items():
        asked = [call.method for call in town.vendor.calls[begun:] if call.fields["To"] == number]
        assert asked == (["GET", "POST"] if acted == "never" else ["GET"])
    town.deployment.processes[-1].close()


@slow
async def test_a_text_that_the_vendor_takes_after_we_hung_up_is_not_sent_again(town: Site) -> None:
    if town.web:
        town.web.close()
    number = "+447402020010"
    hold = town.vendor.hold("Messages", acted="after", To=number)
    write_text(town, number)
    town.worker(PROVIDER_TIMEOUT="1")
    await hold.reached()
    log = town.deployment.processes[-1].log
    await until(lambda: "text_postponed" in log.read_text())
    settles_in = 20  # more seconds than a busy machine takes for what follows
    town.age(SETTLED_AFTER.total_seconds() - settles_in)
    write_text(town, "+447402020011")
    await until(lambda: arrived(town, "+447402020011") == 1)  # so it looked for what is due
    begun = len(town.vendor.calls)
    hold.let_go()
    await until(lambda: arrived(town, number) == 1)
    town.age(settles_in)
    await until(lambda: not town.rows.one("SELECT count(*) FROM outbox WHERE state = 'pending'"))
    assert [call.method for call in town.vendor.calls[begun:]] == ["GET"]
    assert arrived(town, number) == 1
    town.deployment.processes[-1].close()


def write_text(town: Site, number: str) -> None:
    """A text that is due, as a sign-up writes it."""
    sql = 'INSERT INTO outbox ("to", body, state, attempts, reference, created_at, next_attempt_at)'
    now = town.rows.moment()
    town.rows.all(f"{sql} VALUES (?, 'Welcome', 'pending', 0, '', ?, ?)", number, now, now)


def arrived(town: Site, number: str) -> int:
    return len(town.vendor.sandbox.inbox.messages(number))


@slow
@TOWN_ON_POSTGRES
async def test_a_worker_killed_with_the_lease_alone_leaves_the_text_to_the_next(town: Site) -> None:
    """Between the lease and the call stands the budget, whose table the test locks meanwhile."""
    number = "+447402020009"
    with psycopg.connect(town.database_url) as lock:
        lock.execute("LOCK TABLE usage")
        write_text(town, number)
        killed = town.worker()
        leased = 'SELECT attempts FROM outbox WHERE "to" = ?'
        await until(lambda: town.rows.one(leased, number) == 1)
        killed.close()
    town.rows.age(LEASE)
    town.worker()
    await until(lambda: arrived(town, number) == 1)
    asked = [call.method for call in town.vendor.calls if call.fields.get("To") == number]
    assert asked == ["GET", "POST"]  # nobody can tell that the killed one got no further
    assert arrived(town, number) == 1
    town.deployment.processes[-1].close()


@slow
@TOWN_ON_POSTGRES
async def test_a_process_that_is_stopped_while_it_counts_holds_nobody_up(
    web: Site, ada: Person
) -> None:
    """It is stopped as it waits to count its send, which the database then does without it."""
    async with (
        stopped_at("usage", web, ada),
        asyncio.timeout(5),
        web.person() as eve,
    ):
        await eve.sign_up()


@slow
@TOWN_ON_POSTGRES
async def test_a_process_that_is_stopped_in_a_transaction_gives_its_locks_back(
    web: Site, ada: Person
) -> None:
    """It holds the answers that only one sign-up may have: the same person comes again elsewhere.

    Others sign up meanwhile. It is stopped at a statement that its connection has not run before,
    so that not even PostgreSQL takes it for idle.
    """
    assert web.web
    web.web.close()
    web.start(WEB_CONCURRENCY="1")
    async with (
        stopped_at("verifications", web, ada),
        web.person() as eve,
        web.person(ada.number, ada.email) as again,
        asyncio.timeout(30),
    ):
        coming_back = asyncio.create_task(first_answer(again))
        async with asyncio.timeout(4):
            await eve.sign_up()
        assert await coming_back == 303


async def first_answer(person: Person) -> int:
    """The status of the first answer that is not "we are not ready just now"."""
    while (status := (await person.send("/signup", person.answers)).status_code) == 503:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    return status


@asynccontextmanager
async def stopped_at(table: str, web: Site, ada: Person) -> AsyncIterator[None]:
    """A process stopped as it writes to ``table`` for the sign-up of ``ada``; another runs."""
    stopped = web.web
    assert stopped
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    try:
        with psycopg.connect(web.database_url) as lock:
            lock.execute(f"LOCK TABLE {table} IN SHARE MODE")
            asking = asyncio.create_task(ada.send("/signup", ada.answers))
            await until(lambda: web.rows.one(waiting) == 1)
            stopped.signal(signal.SIGSTOP)
        web.web = None
        web.start(WEB_CONCURRENCY="1")
        yield
    finally:
        stopped.close()
    with pytest.raises(httpx.TransportError):
        await asking


# A vendor that hangs


@slow
async def test_a_vendor_that_hangs_does_not_take_the_pages_down_with_it(
    web: Site, ada: Person
) -> None:
    async with AsyncExitStack() as stack:
        stuck = [await stack.enter_async_context(web.person()) for _ in range(30)]
        holds = [web.vendor.hold("Verifications", To=person.number) for person in stuck]
        asking = [asyncio.create_task(person.send("/signup", person.answers)) for person in stuck]
        for hold in holds:
            await hold.reached()
        page = await ada.visitor.visit("/signup")
        assert page.status == 200
        assert (await ada.client.get("/readyz")).status_code == 200
        await ada.sign_up()
        assert await ada.verify()
        assert not any(task.done() for task in asking)
        for hold in holds:
            hold.let_go()
        assert {answer.status_code for answer in await asyncio.gather(*asking)} == {303}


def test_all_that_a_page_may_wait_for_ends_before_a_router_gives_up() -> None:
    assert max(CONNECT_TIMEOUT, STATEMENT_TIMEOUT) < DEADLINE
    environ = {"SECRET_KEY": PRODUCTION["SECRET_KEY"]}
    usual = Settings.load(environ, development=True).provider_timeout
    assert LONGEST_QUEUE + usual < DEADLINE < 30
    assert LONGEST_CALL < DEADLINE  # so that our own words come where a vendor hangs
    with pytest.raises(SettingsError, match="PROVIDER_TIMEOUT"):
        Settings.load(environ | {"PROVIDER_TIMEOUT": f"{LONGEST_CALL + 1}"}, development=True)


@ON_SQLITE
async def test_every_request_is_under_the_deadline(app: Starlette) -> None:
    # Before it stand only those that wait for nobody: the headers and the log.
    classes: list[object] = [middleware.cls for middleware in app.user_middleware[:3]]
    assert classes == [SecurityHeaders, RequestLog, Deadline]


@ON_SQLITE
async def test_a_page_that_is_not_there_in_time_is_a_503_in_words(app: Starlette) -> None:
    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    bounded = within(app, Deadline(hang, on_error=errors.error_app, seconds=0.05))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bounded)) as client:
        answer = await client.get("http://localhost:8000/signup")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Nothing that was saved is lost" in answer.text


@ON_SQLITE
async def test_an_answer_that_has_begun_may_take_its_time(app: Starlette) -> None:
    async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"whole"})

    bounded = within(app, Deadline(slowly, on_error=errors.error_app, seconds=0.02))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bounded)) as client:
        assert (await client.get("http://localhost:8000/")).text == "whole"


def within(app: Starlette, middleware: ASGIApp) -> ASGIApp:
    """``middleware`` as the application calls it: error pages need to know which one it is."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await middleware({**scope, "app": app}, receive, send)

    return call


# A release that fails


@slow
async def test_a_release_that_fails_half_way_leaves_nothing_of_it(empty_database_url: str) -> None:
    rows, environ = Rows(empty_database_url), production_environ(empty_database_url)
    tables = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if rows.sqlite
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    rows.all("CREATE TABLE verifications (id INTEGER)")  # in the way of the last of our tables
    assert command("migrate", environ=environ).returncode == 1
    assert rows.all(tables) == [("verifications",)]
    rows.all("DROP TABLE verifications")
    assert command("migrate", environ=environ).returncode == 0
    assert ("verifications",) in rows.all(tables)


# A database that goes away


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[pg.Postgres]:
    """A server that may be restarted."""
    binaries = pg.find_binaries()
    if binaries is None:
        absent("PostgreSQL")
    with pg.running(binaries) as server:
        yield server


@slow
async def test_a_database_restarted_under_load_costs_503_pages_and_then_all_is_well(
    own_postgres: pg.Postgres, tmp_path: Path
) -> None:
    url = own_postgres.create("restarted")
    seen: list[tuple[int, str]] = []
    with site(tmp_path, url) as running:
        running.deployment.release(url)
        process = running.start()
        async with AsyncExitStack() as stack:
            people = [await stack.enter_async_context(running.person()) for _ in range(6)]
            for person in people:
                await person.sign_up()
            stopping = asyncio.Event()
            load = [asyncio.create_task(_load(person, stopping, seen)) for person in people]
            await until(lambda: len(seen) > 30)
            with own_postgres.connect() as connection:
                connection.execute("CHECKPOINT")  # it runs without fsync, and forgets the rest
            await asyncio.to_thread(own_postgres.stop)
            await until(lambda: sum(status == 503 for status, _ in seen) > 30)
            assert (await people[0].client.get("/healthz")).status_code == 200
            assert (await people[0].client.get("/readyz")).status_code == 503
            await asyncio.to_thread(own_postgres.start)
            process.wait_until("/readyz")
            stopping.set()
            await asyncio.gather(*load)
            assert {status for status, _ in seen} <= {200, 422, 503}
            assert all("not ready" in words for status, words in seen if status == 503)

            # Every connection of both processes' pools is good, or gets to be.
            answers = await asyncio.gather(
                *(person.client.get("/verification") for person in people * 5)
            )
            assert {answer.status_code for answer in answers} == {200}
            for person in people:
                assert await person.verify()
        assert process.popen.poll() is None


async def _load(person: Person, stopping: asyncio.Event, seen: list[tuple[int, str]]) -> None:
    """Requests that read and such that write, until told otherwise."""
    while not stopping.is_set():
        read = await person.visitor.visit("/verification")
        written = await person.post("/verification", {"code": "1"})
        seen += [(page.status, page.text) for page in (read, written)]


@ON_POSTGRES
async def test_a_connection_that_died_unnoticed_is_given_back_to_the_pool(
    database_url: str,
) -> None:
    database = Database(database_url, pool_size=1)
    await database.open()
    try:
        await User.all().count()
        with psycopg.connect(database_url, autocommit=True) as killer:
            killer.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'signup'"
            )
        with suppress(*DATABASE_ERRORS):
            async with in_transaction():
                await User.all().count()
        async with asyncio.timeout(10), in_transaction():
            assert await User.all().count() == 0
    finally:
        await database.close()


@ON_POSTGRES
async def test_a_transaction_cancelled_as_it_begins_costs_the_pool_nothing(
    database_url: str,
) -> None:
    database = Database(database_url, pool_size=1)
    await database.open()
    try:
        await User.all().count()
        for waits in range(8):  # let it come as far as its first step, its second, …
            task = asyncio.create_task(_count_in_transaction())
            for _ in range(waits):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        async with asyncio.timeout(10):
            assert await _count_in_transaction() == 0
    finally:
        await database.close()


async def _count_in_transaction() -> int:
    async with in_transaction():
        return await User.all().count()


async def test_a_database_that_cannot_be_opened_at_first_is_used_once_it_can(
    migrated_sqlite: Path, tmp_path: Path
) -> None:
    path = tmp_path / "later" / "app.sqlite3"
    database = Database(f"sqlite://{path}")
    await database.open()
    try:
        for _ in range(2):
            async with asyncio.timeout(10):
                assert await database.ready() is False
                with pytest.raises(DATABASE_ERRORS):
                    await _count_in_transaction()
        path.parent.mkdir()
        path.write_bytes(b"no database" * 100)
        with pytest.raises(sqlite3.DatabaseError):
            await _count_in_transaction()
        path.unlink()
        shutil.copy(migrated_sqlite, path)
        async with asyncio.timeout(10):
            assert await database.ready() is True
            assert await _count_in_transaction() == 0
    finally:
        await database.close()


@ON_SQLITE
@pytest.mark.environ(**UNTHROTTLED)
async def test_a_full_database_is_told_in_words_and_goes_on_when_there_is_room(
    app: Starlette, visitor: Visitor, phone: Phone, database_url: str
) -> None:
    connection = app.state.database.connection
    pages = [await sign_up(visitor)]
    [row] = await connection.execute_query_dict("PRAGMA page_count")
    await connection.execute_query(f"PRAGMA max_page_count={row['page_count']}")
    while pages[-1].status == 200:
        assert len(pages) < 100
        visitor.client.cookies.clear()
        another = f"07400 1{len(pages):05}"
        pages.append(await sign_up(visitor, name="A" * 200, phone=another))
    assert pages[-1].status == 503
    assert "We are not ready just now" in pages[-1].text
    assert filled_in(pages[-1].form("/signup"))["name"] == "A" * 200
    assert pages[-1].response.headers["Retry-After"]
    await connection.execute_query("PRAGMA max_page_count=1073741823")
    visitor.client.cookies.clear()
    await sign_up(visitor, phone="07400 123499")
    assert (await verify(visitor, phone, "+447400123499")).verified is True
    assert Rows(database_url).one("PRAGMA integrity_check") == "ok"


@slow
@ON_SQLITE
async def test_a_disk_that_takes_no_more_is_told_in_words_and_corrupts_nothing(
    database_url: str, tmp_path: Path
) -> None:
    if not hasattr(resource, "prlimit"):
        pytest.skip("No file's size can be limited for a running process on this system")
    with site(tmp_path, database_url) as running:
        web = running.start(WEB_CONCURRENCY="1")
        async with running.person() as ada, running.person() as eve:
            await ada.sign_up()
            running.rows.all("PRAGMA wal_checkpoint(TRUNCATE)")  # no room is left in the log
            limit_files(web, 1)
            form = eve.answers
            refused = await eve.post("/signup", form)
            assert (refused.status, refused.step) == (503, "signup")
            assert "Nothing you typed is lost" in refused.text
            assert (await ada.visitor.visit("/verification")).status in {200, 503}
            limit_files(web, resource.RLIM_INFINITY)
            assert await ada.verify()
            assert (await eve.post("/signup", form)).step == "verification"
            assert await eve.verify()
        assert running.rows.one("PRAGMA integrity_check") == "ok"


def limit_files(web: Process, size: int) -> None:
    """Let no file of these running processes grow beyond ``size``, as on a full disk."""
    for pid in processes(web.popen.pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def processes(pid: int) -> list[int]:
    """A process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in processes(int(child)))]
