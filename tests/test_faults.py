"""Every call to a vendor, met by everything that can go wrong with it, through the wire.

What the person sees, what it costs them, how often the vendor is asked, what is stored; and that
they can go on afterwards, to a verified account.
"""

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from tests.conftest import Clock, light, prepared
from tests.people import ADA, PASSWORD, wrong
from tests.phone import Phone
from tests.rows import Rows
from tests.servers import PRODUCTION
from tests.site import UNTHROTTLED
from tests.visitor import Page, Visitor
from webapp.accounts.people.phones import readable
from webapp.accounts.sending.outbox import OutboxMessage
from webapp.app import create_app
from webapp.providers import authy, twilio
from webapp.sandbox import Sandbox
from webapp.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")
COOL_DOWN, TEN_MINUTES = 30, 600
ON = pytest.mark.parametrize
BOTH_WAYS = ON("htmx", [False, True], ids=["plain", "htmx"])
NUMBERS = count(10_000)

OUT_OF_ORDER = "out of order just now, for everybody"
UNREACHED = "cannot reach our text service"
MAYBE = "may or may not be on its way"
NOT_CHECKED = "could not check your code"
BUSY = "text service is busy"
OURS = "not your fault"
NUMBER = "cannot send a code to this number. Check it"
BLOCKED = "cannot send a code to this number now"
LANDLINE = "This is a landline"
COUNTRY = "cannot send texts to this country"
OPTED_OUT = "asked not to be texted"
SENDS = "sent several codes"
CHECKS = "Too many wrong codes"
EXPIRED = "This code has expired"


@dataclass(frozen=True)
class Case:
    """A fault, and what is to come of it when a code is sent."""

    fault: str
    words: str
    status: int = 503
    calls: int = 1  # of the vendor: more than one where a machine asks again
    charged: bool = False  # the send counts against the person
    arrived: bool = False  # although we do not know it
    wait: str | None = None  # Retry-After

    @property
    def counted(self) -> bool:
        """Whether the limit of the phone counts the send: maybe sent, or a verdict on the phone."""
        return self.charged or self.status == 422 or self.words == SENDS


WIRE = [
    Case("refused", UNREACHED, calls=3, wait="5"),
    Case("dns", UNREACHED, calls=3, wait="5"),
    Case("connect_timeout", UNREACHED, calls=3, wait="5"),
    Case("429", BUSY, calls=3, wait="5"),
    Case("429:30", BUSY, wait="30"),
    Case("timeout", MAYBE, charged=True),
    Case("500", MAYBE, charged=True),
    Case("html", MAYBE, charged=True),
    Case("dropped", MAYBE, charged=True, arrived=True),
    Case("garbage", MAYBE, charged=True, arrived=True),
    Case("shape", MAYBE, charged=True, arrived=True),
]
FEW = [case for case in WIRE if case.fault in {"429:30", "timeout", "dropped"}]


def verdict(code: int, words: str) -> Case:
    """The vendor does not want the number: said at its field, and counted against the number."""
    return Case(str(code), words, status=422)


VERIFY = [
    *(verdict(code, NUMBER) for code in (60200, 60006, 21211, 21604, 21614)),
    verdict(60205, LANDLINE),
    *(verdict(code, COUNTRY) for code in (60220, 60238, 60605, 21408, 21612)),
    *(verdict(code, BLOCKED) for code in (60410, 60413, 30450)),
    verdict(21610, OPTED_OUT),
    Case("60203", SENDS, status=429, wait="600"),
    Case("60202", CHECKS, status=429, wait="600"),
    *(Case(str(code), BUSY, calls=3) for code in (60212, 20429, 20503, 21611)),
    *(Case(str(code), OURS) for code in (60217, 60221, 60223, 20003, 20404, 30034)),
    *(Case(str(code), OURS) for code in (21603, 21606, 21608)),
    Case("20500", MAYBE, charged=True),
]
MESSAGES = [case for case in VERIFY if not case.fault.startswith("602")]
AUTHY = [
    *(verdict(code, NUMBER) for code in (60027, 60033, 60078)),
    verdict(60082, LANDLINE),
    verdict(60013, COUNTRY),
    verdict(60017, BLOCKED),
    verdict(60115, OPTED_OUT),
    *(Case(str(code), SENDS, status=429) for code in (60009, 60010, 60011, 60012, 60120)),
    Case("60003", BUSY, calls=3),
    *(Case(str(code), OURS) for code in (60001, 60008, 60060, 60106, 60107)),
    Case("60000", MAYBE, charged=True),
]


def named(case: object) -> str | None:
    return case.fault if isinstance(case, Case) else None


@ON("house", ["twilio"], indirect=True, scope="module")
async def test_the_tables_have_every_code_that_the_providers_know() -> None:
    assert {case.fault for case in VERIFY} >= twilio.KINDS.keys()
    gone = {"60019", "60026"}  # of a check, and of an account that Authy forgot
    assert {case.fault for case in AUTHY} | gone >= authy.KINDS.keys()


class House:
    """The application, its sandbox, and its database from outside."""

    def __init__(self, app: Starlette, clock: Clock, rows: Rows, provider: str) -> None:
        self.app, self.clock, self.rows, self.provider = app, clock, rows, provider
        self.sandbox: Sandbox = app.state.sandbox

    def fail(self, fault: str, *, after: int = 0) -> None:
        """Let every call meet ``fault`` until ``mend``, the first ``after`` excepted."""
        if after:
            self.sandbox.fail("slow:0", after)
        self.sandbox.fail(fault, 10)

    def mend(self) -> None:
        self.sandbox.faults.clear()

    @property
    def calls(self) -> int:
        return sum(self.sandbox.calls.values())

    def used(self, scope: str, whose: str = "") -> int:
        """What the limits of that scope have counted."""
        sql = "SELECT COALESCE(SUM(used), 0) FROM usage WHERE key = ?"
        return int(self.rows.one(sql, f"{scope} {whose}"))

    def verification(self, number: str, column: str) -> object:
        sql = f"SELECT {column} FROM verifications WHERE phone = ? ORDER BY id DESC LIMIT 1"
        return self.rows.one(sql, number)

    def verified(self, number: str) -> bool:
        sql = "SELECT count(*) FROM users WHERE phone = ? AND verified_at IS NOT NULL"
        return bool(self.rows.one(sql, number))


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["twilio", "codes", "authy"], autouse=True
)
async def house(
    request: pytest.FixtureRequest,
    migrated_sqlite: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[House]:
    path = shutil.copy(migrated_sqlite, tmp_path_factory.mktemp("faults"))
    environ = UNTHROTTLED | {
        "SECRET_KEY": PRODUCTION["SECRET_KEY"],
        "DATABASE_URL": f"sqlite://{path}",
        "VERIFY_PROVIDER": request.param,
        "OUTBOX_IN_WEB": "0",  # so that no text meets the fault that is meant for a code
    }
    clock = Clock()
    settings = Settings.load(environ, development=True)
    app = prepared(create_app(settings, light(clock)))
    async with app.router.lifespan_context(app):
        yield House(app, clock, Rows(environ["DATABASE_URL"]), request.param)


def only(*providers: str) -> pytest.MarkDecorator:
    """Only with these providers."""
    return ON("house", providers, indirect=True, scope="module")


@dataclass
class Person:
    """Somebody with a number and a browser of their own."""

    visitor: Visitor
    phone: Phone
    number: str

    @property
    def answers(self) -> dict[str, str]:
        return ADA | {"phone": self.number, "email": f"ada{self.number[1:]}@example.com"}

    async def sign_up(self) -> Page:
        """From the form, or from the form that came back."""
        if not self.visitor.page:
            await self.visitor.visit("/signup")
        return await self.visitor.submit("/signup", **self.answers)

    async def codes(self) -> list[str]:
        """Every code that arrived, newest first."""
        texts = await self.phone.texts(self.number)
        return [text.code for text in texts if re.search(r"\b\d{6}\b", text.body)]

    async def type_code(self, code: str = "") -> Page:
        return await self.visitor.post("/verification", {"code": code or (await self.codes())[0]})


@pytest.fixture
def htmx() -> bool:
    return False


@pytest_asyncio.fixture(loop_scope="module")
async def ada(house: House, htmx: bool) -> AsyncIterator[Person]:
    async with person(house, htmx=htmx) as somebody:
        yield somebody
    house.mend()


@asynccontextmanager
async def person(house: House, *, htmx: bool = False) -> AsyncIterator[Person]:
    transport = httpx.ASGITransport(house.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield Person(Visitor(client, htmx=htmx), Phone(client), f"+4474001{next(NUMBERS)}")


@pytest_asyncio.fixture(loop_scope="module")
async def crowd(house: House) -> AsyncIterator[list[Person]]:
    async with AsyncExitStack() as people:
        yield [await people.enter_async_context(person(house)) for _ in range(10)]
    house.mend()


def assert_told(page: Page, case: Case, step: str) -> None:
    """The case's words, in the step where the person is, with its status."""
    assert (page.status, page.step) == (case.status, step), page.text
    assert case.words in page.text
    if case.wait:
        assert page.response.headers["Retry-After"] == case.wait
    if case.status == 422:
        assert case.words in page.errors["phone"]
    assert page.verified is not True


# A code is sent


async def sign_up_meets(house: House, ada: Person, case: Case, *, after: int = 0) -> None:
    """Sign up while ``case`` is, and again when it is over."""
    await ada.visitor.visit("/signup")
    house.fail(case.fault, after=after)
    before, spent = house.calls, house.used("site")
    page = await ada.sign_up()
    asked = house.calls - before
    house.mend()

    assert_told(page, case, "signup")
    for typed in ("name", "email", "phone"):
        assert f'value="{ada.answers[typed]}"' in page.response.text
    assert PASSWORD not in page.response.text
    assert asked == case.calls + after
    assert len(await ada.codes()) == case.arrived
    assert house.used("phone", ada.number) == case.counted
    assert house.used("site") == spent
    assert house.verification(ada.number, "sends") == 0
    assert house.verification(ada.number, "unknown_sends") == case.charged
    assert not house.verified(ada.number)

    page = await ada.sign_up()
    assert (page.status, page.step) == (200, "verification"), page.text
    sql = "SELECT count(*) FROM users WHERE phone = ?"
    assert house.rows.one(sql, ada.number) == 1
    assert len(await ada.codes()) == case.arrived + 1
    assert (await ada.type_code()).verified is True


@ON("case", WIRE, ids=named)
async def test_the_first_code_meets_a_fault_of_the_wire(
    house: House, ada: Person, case: Case
) -> None:
    # Authy's first call makes the user and texts nobody.
    await sign_up_meets(
        house, ada, replace(case, arrived=case.arrived and house.provider != "authy")
    )


@only("twilio")
@ON("htmx", [True], ids=["htmx"])
@ON("case", FEW, ids=named)
async def test_the_first_code_meets_a_fault_of_the_wire_in_a_page_with_javascript(
    house: House, ada: Person, case: Case
) -> None:
    await sign_up_meets(house, ada, case)


@only("twilio")
@ON("case", VERIFY, ids=named)
async def test_twilio_verify_refuses_to_send(house: House, ada: Person, case: Case) -> None:
    await sign_up_meets(house, ada, case)


@only("codes")
@ON("case", MESSAGES, ids=named)
async def test_twilio_messages_refuses_to_send_our_code(
    house: House, ada: Person, case: Case
) -> None:
    await sign_up_meets(house, ada, case)


@only("authy")
@ON("case", WIRE, ids=named)
async def test_authys_text_meets_a_fault_of_the_wire_after_the_user_was_made(
    house: House, ada: Person, case: Case
) -> None:
    await sign_up_meets(house, ada, case, after=1)


@only("authy")
@ON("case", AUTHY, ids=named)
async def test_authy_refuses_to_send(house: House, ada: Person, case: Case) -> None:
    await sign_up_meets(house, ada, case, after=1)


@only("authy")
@ON("case", [case for case in AUTHY if case.fault in {"60027", "60003", "60001"}], ids=named)
async def test_authy_refuses_to_make_a_user(house: House, ada: Person, case: Case) -> None:
    await sign_up_meets(house, ada, case)


@BOTH_WAYS
@ON("case", [*FEW, verdict(60605, COUNTRY)], ids=named)
@only("twilio")
async def test_a_code_sent_again_meets_a_fault_and_the_first_still_opens(
    house: House, ada: Person, case: Case
) -> None:
    await ada.sign_up()
    house.clock.advance(COOL_DOWN)
    house.fail(case.fault)
    page = await ada.visitor.post("/verification/resend", {"channel": "sms"})
    house.mend()
    assert (page.status, page.step) == (case.status, "verification")
    assert case.words in page.text
    assert page.resend_in == 0
    assert house.used("phone", ada.number) == 1 + case.counted
    assert len(await ada.codes()) == 1 + case.arrived
    assert (await ada.type_code((await ada.codes())[-1])).verified is True


@only("twilio", "authy")
@ON("case", FEW, ids=named)
async def test_a_call_meets_a_fault_and_the_text_still_opens(
    house: House, ada: Person, case: Case
) -> None:
    await ada.sign_up()
    house.clock.advance(COOL_DOWN)
    house.fail(case.fault)
    before = house.calls
    page = await ada.visitor.post("/verification/resend", {"channel": "call"})
    assert house.calls - before == case.calls
    house.mend()
    assert (page.status, page.step) == (case.status, "verification")
    assert case.words in page.text
    assert (await ada.type_code()).verified is True


@BOTH_WAYS
@ON("case", [*FEW, verdict(60605, COUNTRY)], ids=named)
@only("twilio")
async def test_another_number_meets_a_fault_and_the_same_form_again_sends_its_code(
    house: House, ada: Person, case: Case
) -> None:
    await ada.sign_up()
    other = replace(ada, number=f"+4474001{next(NUMBERS)}")
    house.fail(case.fault)
    page = await ada.visitor.post("/verification/phone", {"country": "GB", "phone": other.number})
    house.mend()
    assert_told(page, case, "phone")
    assert f'value="{other.number}"' in page.response.text
    kept = other if case.charged else ada
    changes = house.rows.one("SELECT phone_changes FROM users WHERE phone = ?", kept.number)
    assert changes == (case.charged or case.status == 422)
    page = await ada.visitor.post("/verification/phone", {"country": "GB", "phone": other.number})
    assert (page.status, page.step) == (200, "verification")
    assert (await other.type_code()).verified is True


@BOTH_WAYS
@ON("case", [case for case in [*WIRE, verdict(60205, LANDLINE)] if not case.charged], ids=named)
@only("twilio", "codes")
async def test_a_number_that_surely_got_no_code_leaves_the_one_before_as_it_was(
    house: House, ada: Person, case: Case
) -> None:
    await ada.sign_up()
    house.fail(case.fault)
    other = f"+4474001{next(NUMBERS)}"
    page = await ada.visitor.post("/verification/phone", {"country": "GB", "phone": other})
    house.mend()
    assert_told(page, case, "phone")
    page = await ada.visitor.visit("/verification")
    assert readable(ada.number) in page.text
    assert (await ada.type_code()).verified is True


@only("twilio")
async def test_five_sends_into_silence_are_all_there_are_until_the_window_is_over(
    house: House, ada: Person
) -> None:
    house.fail("timeout")
    for _ in range(5):
        assert MAYBE in (await ada.sign_up()).text
    before = house.calls
    page = await ada.sign_up()
    house.mend()
    assert (page.status, house.calls) == (429, before)
    assert int(page.response.headers["Retry-After"]) == TEN_MINUTES
    house.clock.advance(TEN_MINUTES)
    assert (await ada.sign_up()).step == "verification"
    assert (await ada.type_code()).verified is True


@ON("fault", ["500", "html", "timeout"])
async def test_an_outage_costs_five_sends_and_is_told_to_everybody_until_a_call_is_answered(
    house: House, crowd: list[Person], fault: str
) -> None:
    house.sandbox.fail(fault, 1000)
    before = house.calls
    pages = [await somebody.sign_up() for somebody in crowd for _ in range(2)]
    assert house.calls - before == 5
    assert sum(house.used("phone", somebody.number) for somebody in crowd) == 5
    for page in pages[5:]:
        assert_told(page, Case(fault, OUT_OF_ORDER, wait="30"), "signup")

    house.clock.advance(30)
    page = await crowd[-1].sign_up()
    assert MAYBE in page.text
    assert house.calls - before == 6
    assert OUT_OF_ORDER in (await crowd[-2].sign_up()).text

    house.mend()
    house.clock.advance(30)
    for somebody in crowd:
        assert (await somebody.sign_up()).step == "verification"
        assert (await somebody.type_code()).verified is True


@only("twilio")
async def test_while_codes_cannot_be_sent_those_that_were_are_still_checked(
    house: House, ada: Person, crowd: list[Person]
) -> None:
    await ada.sign_up()
    house.sandbox.fail("500", 5)
    for somebody in crowd[:5]:
        await somebody.sign_up()
    assert OUT_OF_ORDER in (await crowd[5].sign_up()).text
    assert (await ada.type_code()).verified is True
    house.clock.advance(30)
    assert (await crowd[5].sign_up()).step == "verification"


# A code is checked

CHECKED = [replace(case, words=NOT_CHECKED) if case.words == MAYBE else case for case in WIRE]


@only("twilio", "authy")
@ON("case", CHECKED, ids=named)
async def test_a_check_meets_a_fault_of_the_wire(house: House, ada: Person, case: Case) -> None:
    await check_meets_the_wire(house, ada, case)


@only("twilio")
@ON("htmx", [True], ids=["htmx"])
@ON("case", [case for case in CHECKED if case.fault in {"429:30", "timeout"}], ids=named)
async def test_a_check_meets_a_fault_of_the_wire_in_a_page_with_javascript(
    house: House, ada: Person, case: Case
) -> None:
    await check_meets_the_wire(house, ada, case)


async def check_meets_the_wire(house: House, ada: Person, case: Case) -> None:
    await ada.sign_up()
    code = (await ada.codes())[0]
    house.fail(case.fault)
    before = house.calls
    page = await ada.type_code(code)
    asked = house.calls - before
    house.mend()
    assert_told(page, case, "verification")
    assert asked == case.calls
    assert house.used("checks", ada.number) == case.charged
    assert house.verification(ada.number, "checks") == case.charged
    assert not house.verified(ada.number)

    page = await ada.type_code(code)
    if case.arrived:  # it is used up at the vendor, and nobody told us that it was right
        assert EXPIRED in page.text
        assert not house.verified(ada.number)
        await ada.visitor.submit("/verification/resend", button="sms")
        page = await ada.type_code()
    assert page.verified is True


@only("twilio")
@ON(
    "case",
    [
        Case("60202", CHECKS, status=429, charged=True),
        Case("20404", EXPIRED, status=422, charged=True),
        *(Case(code, BUSY, calls=3) for code in ("60212", "20429", "20503")),
        *(Case(code, OURS) for code in ("20003", "60217", "60221", "60223")),
        Case("20500", NOT_CHECKED, charged=True),
    ],
    ids=named,
)
async def test_twilio_verify_refuses_to_check(house: House, ada: Person, case: Case) -> None:
    await check_meets(house, ada, case)


@only("authy")
@ON(
    "case",
    [
        *(Case(code, EXPIRED, status=422, charged=True) for code in ("60019", "60026")),
        Case("60003", BUSY, calls=3),
        *(Case(code, OURS) for code in ("60001", "60008", "60060", "60106", "60107")),
        Case("60000", NOT_CHECKED, charged=True),
    ],
    ids=named,
)
async def test_authy_refuses_to_check(house: House, ada: Person, case: Case) -> None:
    await check_meets(house, ada, case)


async def check_meets(house: House, ada: Person, case: Case) -> None:
    await ada.sign_up()
    house.fail(case.fault)
    before = house.calls
    page = await ada.type_code()
    asked = house.calls - before
    house.mend()
    assert (page.status, page.step) == (case.status, "verification"), page.text
    assert case.words in page.text
    assert asked == case.calls
    assert house.used("checks", ada.number) == case.charged
    assert not house.verified(ada.number)
    if case.words in {CHECKS, EXPIRED}:
        house.clock.advance(TEN_MINUTES if case.words == CHECKS else 0)
        page = await ada.visitor.post("/verification/resend", {"channel": "sms"})
        assert page.status == 200
    assert (await ada.type_code()).verified is True


@only("twilio", "authy")
async def test_five_checks_into_silence_are_all_there_are_until_the_window_is_over(
    house: House, ada: Person
) -> None:
    await ada.sign_up()
    code = (await ada.codes())[0]
    house.fail("timeout")
    for _ in range(5):
        assert NOT_CHECKED in (await ada.type_code(code)).text
    house.mend()
    before = house.calls
    page = await ada.type_code(code)
    assert (page.status, page.resend_in) == (429, TEN_MINUTES)
    assert CHECKS in page.text
    house.clock.advance(COOL_DOWN)
    page = await ada.visitor.post("/verification/resend", {"channel": "sms"})
    assert (page.status, page.resend_in) == (429, TEN_MINUTES - COOL_DOWN)
    assert "a moment ago" not in page.text
    assert house.calls == before
    house.clock.advance(TEN_MINUTES - COOL_DOWN)
    await ada.visitor.post("/verification/resend", {"channel": "sms"})
    assert (await ada.type_code()).verified is True


@only("twilio", "authy")
@ON("fault", ["html", "garbage", "shape", "500", "timeout"])
async def test_no_fault_turns_a_wrong_code_into_a_right_one(
    house: House, ada: Person, fault: str
) -> None:
    await ada.sign_up()
    house.fail(fault)
    page = await ada.type_code(wrong((await ada.codes())[0]))
    house.mend()
    assert page.verified is not True
    assert not house.verified(ada.number)


# A text is sent

SENT_LATER = "pending"


@only("twilio")
@ON("case", WIRE, ids=named)
async def test_the_confirmation_meets_a_fault_of_the_wire_and_arrives_once(
    house: House, ada: Person, case: Case
) -> None:
    message = await confirmation_of(house, ada)
    house.fail(case.fault)
    before, spent = house.calls, house.used("site")
    await house.app.state.outbox.deliver()
    assert house.calls - before == case.calls
    house.mend()
    await message.refresh_from_db()
    assert message.state == SENT_LATER
    assert (message.tried_at is not None) == case.charged
    assert message.next_attempt_at > house.clock.now
    assert house.used("site") == spent

    house.sandbox.calls.clear()
    house.clock.advance(TEN_MINUTES)
    await house.app.state.outbox.deliver()
    await message.refresh_from_db()
    assert message.state == "sent"
    assert message.reference.startswith("SM")
    # Where the vendor may have it, its list is asked, and only if it is not there it is sent again.
    assert house.sandbox.calls["Messages"] == 1 + (case.charged and not case.arrived)
    assert len(await complete(ada)) == 1


@only("twilio")
@ON("case", [case for case in MESSAGES if case.status == 422], ids=named)
async def test_a_confirmation_that_the_number_cannot_get_is_given_up(
    house: House, ada: Person, case: Case
) -> None:
    message, spent = await confirmation_of(house, ada), house.used("site")
    house.fail(case.fault)
    await house.app.state.outbox.deliver()
    house.mend()
    await message.refresh_from_db()
    assert message.state == "failed"
    assert house.used("site") == spent
    assert (await ada.visitor.visit("/")).verified is True


@only("twilio")
@ON("case", [case for case in MESSAGES if case.status == 503], ids=named)
async def test_a_confirmation_that_is_refused_for_now_arrives_later(
    house: House, ada: Person, case: Case
) -> None:
    message = await confirmation_of(house, ada)
    house.fail(case.fault)
    await house.app.state.outbox.deliver()
    house.mend()
    await message.refresh_from_db()
    assert message.state == SENT_LATER
    house.clock.advance(TEN_MINUTES)
    await house.app.state.outbox.deliver()
    assert len(await complete(ada)) == 1


@only("twilio")
async def test_where_the_vendors_list_cannot_be_had_nothing_is_sent_again(
    house: House, ada: Person
) -> None:
    message = await confirmation_of(house, ada)
    house.fail("dropped")
    await house.app.state.outbox.deliver()
    house.mend()
    for fault in ("500", "html", "garbage", "shape", "timeout", "20003"):
        house.clock.advance(2 * TEN_MINUTES)
        house.fail(fault)
        await house.app.state.outbox.deliver()
        house.mend()
        await message.refresh_from_db()
        assert message.state == SENT_LATER
    house.clock.advance(2 * TEN_MINUTES)
    await house.app.state.outbox.deliver()
    await message.refresh_from_db()
    assert message.state == "sent"
    assert len(await complete(ada)) == 1


async def confirmation_of(house: House, ada: Person) -> OutboxMessage:
    """A verified person's text, written and not yet sent, and the only one."""
    while await house.app.state.outbox.deliver():
        pass
    await ada.sign_up()
    assert (await ada.type_code()).verified is True
    return await OutboxMessage.get(to=ada.number)


async def complete(ada: Person) -> list[str]:
    return [text.body for text in await ada.phone.texts(ada.number) if "complete" in text.body]
