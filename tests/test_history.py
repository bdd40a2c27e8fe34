"""What an operator can find out afterwards: every refusal has a reason, and totals add up."""

import asyncio
import logging
import re
from collections import Counter
from dataclasses import fields
from datetime import timedelta

import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import ADA, NUMBER, OTHER_NUMBER, sign_up, verify, wrong
from tests.phone import Phone
from tests.rows import Rows
from tests.servers import PRODUCTION, ROOT
from tests.visitor import Visitor
from webapp import providers
from webapp.accounts.history import events
from webapp.accounts.history.reasons import BY_ID, REASONS, Reason
from webapp.accounts.history.recorder import KEPT_PER_NETWORK, History, writing
from webapp.accounts.history.totals import ALL_DAYS
from webapp.accounts.policy.rules import LimitExceeded, Throttled
from webapp.accounts.purge import purge
from webapp.database import DATABASE_ERRORS
from webapp.operate.story import tell
from webapp.pages.history import THROTTLES
from webapp.sandbox import Sandbox
from webapp.settings import Settings

SECRET = PRODUCTION["SECRET_KEY"]
SECOND = ADA | {"email": "eve@example.com", "phone": "07400 123457"}


async def reasons_of(app: Starlette, number: str) -> list[str]:
    """The ids of what happened to ``number``, the oldest first."""
    await app.state.history.flush()
    happened = await events.of_phone(
        events.phone_key(number, SECRET), app.state.history.clock() - timedelta(days=30)
    )
    return [event.reason for event in happened]


async def story_of(app: Starlette, number: str) -> str:
    await app.state.history.flush()
    return "\n".join(await tell(number, SECRET, app.state.history.clock()))


@pytest.mark.environ(OUTBOX_IN_WEB="0")
async def test_a_sign_up_is_told_from_the_request_to_the_confirmation(
    app: Starlette, visitor: Visitor, phone: Phone
) -> None:
    await sign_up(visitor)
    await visitor.submit("/verification", code=wrong(await phone.code(NUMBER)))
    await verify(visitor, phone)
    await app.state.outbox.deliver()
    happened = await reasons_of(app, NUMBER)
    assert sorted(happened) == ["asked", "code_wrong", "sent", "sent", "verified"]
    assert "Verified accounts with this number: 1" in await story_of(app, NUMBER)


@pytest.mark.environ(PREFIX_BRAKE="1", SIGNUPS_PER_IP="off")
async def test_who_was_braked_has_a_story_and_no_account(app: Starlette, visitor: Visitor) -> None:
    await sign_up(visitor)
    visitor.client.cookies.clear()
    assert (await visitor.post("/signup", SECOND)).status == 429
    assert await reasons_of(app, OTHER_NUMBER) == ["asked", "limit_prefix"]
    story = await story_of(app, OTHER_NUMBER)
    assert "refused: its prefix is braked" in story
    assert "No verified account has this number." in story


@pytest.mark.environ(SIGNUPS_PER_IP="1/hour")
async def test_who_was_throttled_has_a_story(app: Starlette, visitor: Visitor) -> None:
    await sign_up(visitor)
    visitor.client.cookies.clear()
    assert (await visitor.post("/signup", SECOND)).status == 429
    assert await reasons_of(app, OTHER_NUMBER) == ["throttle_signups"]
    assert "too many sign-ups came from the address" in await story_of(app, OTHER_NUMBER)


@pytest.mark.environ(SIGNUPS_PER_IP="1/hour")
async def test_a_flood_from_one_address_is_counted_whole_and_kept_in_part(
    app: Starlette, visitor: Visitor, database_url: str
) -> None:
    invalid = SECOND | {"name": ""}
    statuses = Counter([(await visitor.post("/signup", invalid)).status for _ in range(60)])
    assert statuses == {422: 30, 429: 30}
    await app.state.history.flush()
    rows = Rows(database_url)
    assert rows.one("SELECT SUM(times) FROM phone_events") == KEPT_PER_NETWORK
    counted = "SELECT reason, SUM(count) FROM daily_totals WHERE day = ? GROUP BY reason"
    totals = dict(rows.all(counted, ALL_DAYS.isoformat()))
    assert totals == {"form_name": 30, "throttle_forms": 30}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("60410", "vendor_blocked"),
        ("60203", "vendor_sends"),
        ("refused", "vendor_unreachable"),
        ("timeout", "vendor_silent"),
    ],
)
async def test_the_vendors_refusals_are_told(
    app: Starlette, visitor: Visitor, sandbox: Sandbox, fault: str, reason: str
) -> None:
    for _ in range(5):
        sandbox.faults.add(fault, 1)
    await sign_up(visitor)
    assert await reasons_of(app, NUMBER) == ["asked", reason]


async def test_a_landline_is_told_apart_from_what_is_no_number(
    app: Starlette, visitor: Visitor
) -> None:
    await sign_up(visitor, phone="020 7946 0018")
    assert await reasons_of(app, "+442079460018") == ["form_landline"]


@pytest.mark.parametrize("number", ["+80012345678", "+979123456789"])
async def test_a_number_of_no_country_is_told_and_loses_no_other_event(
    app: Starlette, visitor: Visitor, database_url: str, number: str
) -> None:
    await sign_up(visitor)
    visitor.client.cookies.clear()
    await sign_up(visitor, phone=number)
    assert await reasons_of(app, number) == ["form_special_rate"]
    assert await reasons_of(app, NUMBER) == ["asked", "sent"]
    sql = "SELECT DISTINCT country FROM phone_events WHERE reason = 'form_special_rate'"
    assert Rows(database_url).all(sql) == [("ZZ",)]


async def test_signing_in_is_told(app: Starlette, ada: Visitor, phone: Phone, clock: Clock) -> None:
    clock.advance(120)
    await ada.submit("/signout")
    await ada.visit("/signin")
    await ada.submit("/signin", email=ADA["email"], password="another violet tugboat")
    await ada.submit("/signin", email=ADA["email"], password=ADA["password"])
    await ada.submit("/signin/code", code=await phone.code(NUMBER))
    happened = await reasons_of(app, NUMBER)
    assert happened[-4:] == ["password_wrong", "asked", "sent", "signed_in"]


@pytest.mark.environ(OUTBOX_IN_WEB="0")
async def test_neither_number_nor_address_nor_email_is_stored(
    app: Starlette, visitor: Visitor, phone: Phone, database_url: str
) -> None:
    await sign_up(visitor)
    await verify(visitor, phone)
    await app.state.history.flush()
    rows = Rows(database_url)
    stored = [*rows.all("SELECT * FROM phone_events"), *rows.all("SELECT * FROM daily_totals")]
    assert len(stored) == 3 + 2 * 3
    assert not re.search(r"7400123456|example\.com|127\.0\.0\.1", str(stored))


class Statements(logging.Handler):
    """The statements that all tasks but the history's own send."""

    def __init__(self) -> None:
        super().__init__()
        self.of_requests: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        task = asyncio.current_task()
        if task and task.get_name() != "history":
            self.of_requests.append(str(record.args))


@pytest.mark.environ(OUTBOX_IN_WEB="0")  # which purges
async def test_requests_run_no_statement_for_the_history(
    app: Starlette, visitor: Visitor, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    logger, statements = logging.getLogger("tortoise.db_client"), Statements()
    logger.addHandler(statements)
    with caplog.at_level(logging.DEBUG, logger.name):
        await sign_up(visitor)
        await visitor.submit("/verification", code=wrong(await phone.code(NUMBER)))
        await verify(visitor, phone)
    logger.removeHandler(statements)
    assert len(statements.of_requests) > 10
    ours = ("phone_events", "daily_totals")
    assert [sql for sql in statements.of_requests if any(table in sql for table in ours)] == []


async def test_processes_at_once_add_up_exactly(
    app: Starlette, clock: Clock, database_url: str
) -> None:
    processes = [History(SECRET, clock) for _ in range(8)]
    for _ in range(5):
        for process in processes:
            for reason in (Reason.ASKED, Reason.SENT, Reason.VERIFIED):
                process.record(reason, NUMBER, channel="sms", money=7)
        await asyncio.gather(*(process.flush() for process in processes))
    totals = Rows(database_url).all("SELECT count, money FROM daily_totals")
    assert totals == [(40, 280)] * 6  # three reasons, of this day and of all days


async def test_events_wait_while_the_database_is_away_and_lose_nothing(
    settings: Settings, app: Starlette, clock: Clock, database_url: str
) -> None:
    history, rows = History(SECRET, clock), Rows(database_url)
    rows.all("ALTER TABLE daily_totals RENAME TO away")
    history.record(Reason.ASKED, NUMBER)
    with pytest.raises(DATABASE_ERRORS):
        await history.flush()
    history.record(Reason.ASKED, NUMBER)
    rows.all("ALTER TABLE away RENAME TO daily_totals")
    await history.flush()
    assert rows.one("SELECT times FROM phone_events") == 2


async def test_a_process_that_is_stopped_writes_its_events_first(
    app: Starlette, clock: Clock, database_url: str
) -> None:
    history = History(SECRET, clock)
    async with writing(history):
        history.record(Reason.ASKED, NUMBER)
    assert Rows(database_url).one("SELECT count(*) FROM phone_events") == 1


async def test_events_live_thirty_days_and_totals_for_good(
    app: Starlette, clock: Clock, database_url: str
) -> None:
    app.state.history.record(Reason.ASKED, NUMBER)
    await app.state.history.flush()
    clock.advance(29 * 86_400)
    await purge(clock())
    assert await reasons_of(app, NUMBER) == ["asked"]
    clock.advance(2 * 86_400)
    await purge(clock())
    rows = Rows(database_url)
    assert rows.one("SELECT count(*) FROM phone_events") == 0
    assert rows.one("SELECT count(*) FROM daily_totals") == 2


def test_the_document_lists_the_reasons_as_they_are() -> None:
    document = (ROOT / "docs" / "operate-details.md").read_text()
    listed = re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|$", document, re.MULTILINE)
    assert {reason: words for reason, words in listed if reason in BY_ID} == {
        reason.value: reason.words for reason in Reason
    }


def test_every_limit_and_every_error_of_a_vendor_has_a_reason() -> None:
    limits = set(LimitExceeded.__subclasses__()) - {Throttled}
    errors = {
        error
        for error in vars(providers).values()
        if isinstance(error, type) and issubclass(error, providers.ProviderError)
    }
    without = {providers.ProviderError, providers.InvalidAddress}  # nothing that a phone meets
    assert (limits | errors) - without == REASONS.keys()


def test_every_throttle_that_a_setting_names_has_a_reason() -> None:
    settings = {field.name for field in fields(Settings) if field.name.endswith("_per_ip")}
    assert {f"{rule}_per_ip" for rule in THROTTLES} == settings | {"forms_per_ip"}


def test_ids_fit_the_columns() -> None:
    assert all(re.fullmatch("[a-z_]{3,32}", reason) for reason in Reason)
