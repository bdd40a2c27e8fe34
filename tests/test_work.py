"""A proof of work is asked for where an attack may begin, and of nobody else; each counts once."""

import base64
import json
import re
from itertools import count
from typing import Any

import altcha
import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import ADA, NUMBER, OTHER_NUMBER, sign_up, verify
from tests.phone import Phone
from tests.rows import Rows
from tests.servers import PRODUCTION
from tests.test_history import reasons_of
from tests.visitor import Page, Visitor, filled_in
from webapp.accounts.challenges import work
from webapp.accounts.policy.rules import WORK_LIFETIME, WORK_WAIT
from webapp.accounts.purge import purge

SECRET = PRODUCTION["SECRET_KEY"]
AUTO = pytest.mark.environ(CHALLENGE="auto", PREFIX_BRAKE="4", SIGNUPS_PER_IP="100/hour")
ALWAYS = pytest.mark.environ(CHALLENGE="always")
NUMBERS = count(7_400_300_000)
WAIT = int(WORK_WAIT.total_seconds())


def challenge_on(page: Page) -> str:
    """The challenge that a form on the page carries, or nothing."""
    field = page.html.css_first("form[data-work] input[name=work]")
    return (field.attributes["value"] or "") if field else ""


def solved(challenge: str) -> str:
    """What js/work.js makes of it."""
    payload = read(challenge)
    tasks = [altcha.Challenge.from_dict(task) for task in payload["challenges"]]
    solutions = [altcha.solve_challenge(task) for task in tasks]
    payload["solutions"] = [solution.to_dict() for solution in solutions if solution]
    return written(payload)


def read(answer: str) -> Any:
    return json.loads(base64.b64decode(answer))


def written(payload: object) -> str:
    return base64.b64encode(json.dumps(payload).encode()).decode()


async def sign_up_another(visitor: Visitor, **fields: str) -> Page:
    """Somebody new, from the same address."""
    number = next(NUMBERS)
    visitor.client.cookies.clear()
    answers = ADA | {"phone": f"+44{number}", "email": f"p{number}@example.com"}
    return await visitor.post("/signup", answers | fields)


@AUTO
async def test_half_way_to_the_brake_a_proof_is_asked_for_and_not_before(
    app: Starlette, visitor: Visitor, phone: Phone
) -> None:
    for _ in range(2):
        page = await sign_up_another(visitor)
        assert (page.step, challenge_on(page)) == ("verification", "")
    visitor.client.cookies.clear()
    page = await sign_up(visitor)
    assert (page.status, page.response.headers["Retry-After"]) == (429, str(WAIT))
    assert "we check that you are not a robot" in page.text
    assert await phone.texts(NUMBER) == []
    page = await visitor.submit(
        "/signup", work=solved(challenge_on(page)), password=ADA["password"]
    )
    assert page.step == "verification"
    assert (await verify(visitor, phone)).verified
    assert (await reasons_of(app, NUMBER))[:2] == ["asked", "limit_work"]


@AUTO
async def test_a_braked_prefix_is_not_worth_any_work(visitor: Visitor) -> None:
    for _ in range(4):
        page = await sign_up_another(visitor)
        if challenge := challenge_on(page):
            form = {name: value for name, value in ADA.items() if name not in {"phone", "email"}}
            fields = {
                field.attributes["name"] or "": field.attributes.get("value") or ""
                for field in page.html.css("input[name=phone], input[name=email]")
            }
            page = await visitor.post("/signup", form | fields | {"work": solved(challenge)})
        assert page.step == "verification"
    page = await sign_up_another(visitor)
    assert (page.status, challenge_on(page)) == (429, "")
    assert "begin like yours" in page.text


@pytest.mark.environ(CHALLENGE="auto", SIGNUPS_PER_IP="4/hour", TRUSTED_PROXY_HOPS="1")
async def test_an_address_with_half_its_sign_ups_unverified_works_and_others_do_not(
    visitor: Visitor,
) -> None:
    visitor.client.headers["X-Forwarded-For"] = "203.0.113.1"
    for _ in range(2):
        assert (await sign_up_another(visitor)).step == "verification"
    assert challenge_on(await sign_up_another(visitor))
    visitor.client.headers["X-Forwarded-For"] = "203.0.113.2"
    assert (await sign_up_another(visitor)).step == "verification"


@ALWAYS
async def test_without_scripts_the_same_form_counts_after_a_wait(
    visitor: Visitor, clock: Clock
) -> None:
    page = await sign_up(visitor)
    assert "wait 120 seconds" in page.text
    assert "What you typed stays, but for your password" in page.text
    early = await visitor.submit("/signup", password=ADA["password"])
    assert early.status == 429
    clock.advance(WAIT)
    page = await visitor.submit("/signup", password=ADA["password"])
    assert page.step == "verification"


@ALWAYS
async def test_who_sends_the_form_too_early_waits_for_the_rest_of_the_time_only(
    visitor: Visitor, clock: Clock
) -> None:
    page = await sign_up(visitor)
    clock.advance(WAIT - 40)
    again = await visitor.submit("/signup", password=ADA["password"])
    assert (again.status, again.response.headers["Retry-After"]) == (429, "40")
    assert "wait 40 seconds" in again.text
    assert challenge_on(again) == challenge_on(page)
    clock.advance(40)
    page = await visitor.submit("/signup", password=ADA["password"])
    assert page.step == "verification"


async def sign_up_with_work(visitor: Visitor) -> Page:
    challenge = challenge_on(await sign_up(visitor))
    return await visitor.submit("/signup", work=solved(challenge), password=ADA["password"])


@ALWAYS
async def test_a_code_sent_again_takes_another_proof(
    app: Starlette, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    page = await sign_up_with_work(visitor)
    clock.advance(page.resend_in or 0)
    page = await visitor.submit("/verification/resend", button="sms")
    assert (page.status, page.step, page.resend_in) == (429, "verification", 0)
    assert "What you typed stays." in page.text
    assert len(await phone.texts(NUMBER)) == 1
    page = await visitor.submit(
        "/verification/resend", button="sms", work=solved(challenge_on(page))
    )
    assert (page.status, challenge_on(page)) == (200, "")
    assert len(await phone.texts(NUMBER)) == 2
    assert (await reasons_of(app, NUMBER)).count("limit_work") == 2
    assert (await verify(visitor, phone)).verified


@ALWAYS
async def test_the_button_that_was_pressed_is_the_one_that_the_browser_presses_again(
    visitor: Visitor, clock: Clock
) -> None:
    page = await sign_up_with_work(visitor)
    clock.advance(page.resend_in or 0)
    page = await visitor.submit("/verification/resend", button="call")
    pressed = page.html.css("form[data-work] [data-pressed]")
    assert [button.attributes["value"] for button in pressed] == ["call"]


@ALWAYS
async def test_another_number_takes_another_proof_and_is_not_typed_again(
    visitor: Visitor, phone: Phone
) -> None:
    await sign_up_with_work(visitor)
    await visitor.visit("/verification/phone")
    page = await visitor.submit("/verification/phone", phone=OTHER_NUMBER)
    assert (page.status, page.step) == (429, "phone")
    assert filled_in(page.form("/verification/phone"))["phone"] == OTHER_NUMBER
    assert await phone.texts(OTHER_NUMBER) == []
    work = solved(challenge_on(page))
    page = await visitor.submit("/verification/phone", phone="+447400123458", work=work)
    assert page.status == 429, "A proof is for one number."
    page = await visitor.submit("/verification/phone", phone=OTHER_NUMBER, work=work)
    assert page.step == "verification"
    assert (await verify(visitor, phone, OTHER_NUMBER)).verified


@ALWAYS
async def test_the_first_code_still_works_while_another_is_waited_for(
    visitor: Visitor, phone: Phone
) -> None:
    await sign_up_with_work(visitor)
    await visitor.post("/verification/phone", {"country": "GB", "phone": OTHER_NUMBER})
    await visitor.visit("/verification")
    assert (await verify(visitor, phone)).verified


@AUTO
async def test_half_way_to_the_brake_resends_and_other_numbers_take_work_and_not_before(
    visitor: Visitor, clock: Clock
) -> None:
    page = await sign_up(visitor)
    clock.advance(page.resend_in or 0)
    page = await visitor.submit("/verification/resend", button="sms")
    assert (page.status, challenge_on(page)) == (200, "")
    clock.advance(page.resend_in or 0)
    assert challenge_on(await visitor.submit("/verification/resend", button="sms"))
    elsewhere = {"country": "DE", "phone": "+4915123456789"}
    beside = {"country": "GB", "phone": OTHER_NUMBER}
    assert challenge_on(await visitor.post("/verification/phone", beside))
    assert (await visitor.post("/verification/phone", elsewhere)).step == "verification"


@ALWAYS
async def test_who_entered_a_password_works_for_no_code(
    visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up_with_work(visitor)
    await verify(visitor, phone)
    visitor.client.cookies.clear()
    await visitor.visit("/signin")
    page = await visitor.submit("/signin", email=ADA["email"], password=ADA["password"])
    assert page.step == "signin-code"
    clock.advance(page.resend_in or 0)
    assert (await visitor.submit("/signin/resend", button="sms")).status == 200


@pytest.mark.environ(CHALLENGE="always", SIGNUPS_PER_IP="2/hour")
async def test_a_sign_up_counts_once_however_its_proof_came(visitor: Visitor) -> None:
    for _ in range(2):
        page = await sign_up_another(visitor)
        work = solved(challenge_on(page))
        page = await visitor.submit("/signup", work=work, password=ADA["password"])
        assert page.step == "verification"
    page = await sign_up_another(visitor)
    assert (page.status, challenge_on(page)) == (429, "")


@ALWAYS
async def test_a_proof_is_for_one_phone_and_counts_once(visitor: Visitor) -> None:
    answer = solved(challenge_on(await sign_up(visitor)))
    other = ADA | {"phone": OTHER_NUMBER, "email": "eve@example.com", "work": answer}
    assert (await visitor.post("/signup", other)).status == 429
    assert (await visitor.post("/signup", ADA | {"work": answer})).step == "verification"
    visitor.client.cookies.clear()
    again = ADA | {"email": "eve@example.com", "work": answer}
    assert (await visitor.post("/signup", again)).status == 429


@pytest.mark.environ(CHALLENGE="off", PREFIX_BRAKE="2", SIGNUPS_PER_IP="off")
async def test_off_asks_nobody(visitor: Visitor) -> None:
    for _ in range(2):
        assert (await sign_up_another(visitor)).step == "verification"
    assert challenge_on(await sign_up_another(visitor)) == ""


def changed(answer: str, **changes: Any) -> str:
    payload = read(answer)
    payload["challenges"][-1]["parameters"].update(changes)
    return written(payload)


def with_tasks(*tasks: tuple[Any, int]) -> str:
    """An answer made of these tasks of others."""
    return written(
        {
            "challenges": [payload["challenges"][place] for payload, place in tasks],
            "solutions": [payload["solutions"][place] for payload, place in tasks],
        }
    )


async def test_what_is_not_ours_or_not_done_proves_nothing(app: Starlette, clock: Clock) -> None:
    challenge = work.issue(NUMBER, SECRET, clock())
    answer = solved(challenge)
    wrong = read(answer)
    wrong["solutions"][-1]["derivedKey"] = "00" * 32
    bad = [
        "",
        "nonsense",
        written([]),
        written({"challenges": {}}),
        written({"challenges": [], "solutions": [1]}),
        written({"challenges": [], "solutions": []}),
        written({"challenges": [{"parameters": [], "signature": 1}] * work.TASKS}),
        written({"challenges": 1, "solutions": 1}),
        base64.b64encode(("[" * 900).encode()).decode(),
        challenge,
        written(wrong),
        changed(answer, cost=1),
        changed(answer, expiresAt=4_000_000_000),
        changed(answer, data={"phone": "x", "issued": 0}),
        solved(work.issue(NUMBER, "another secret of some length", clock())),
    ]
    for typed in bad:
        assert not await work.use(typed, NUMBER, SECRET, clock()), typed[:40]
    assert await work.use(answer, NUMBER, SECRET, clock())
    assert not await work.use(answer, NUMBER, SECRET, clock())


async def test_all_tasks_of_one_challenge_are_solved_and_no_easier_ones(
    app: Starlette, clock: Clock
) -> None:
    one, other = (read(solved(work.issue(NUMBER, SECRET, clock()))) for _ in range(2))
    places = range(work.TASKS)
    for tasks in (
        [(one, place) for place in places[:-1]],
        [(one, 0) for _ in places],
        [(other if place else one, place) for place in places],
        [(one, place) for place in reversed(places)],
        [*((one, place) for place in places), (one, 0)],
    ):
        assert not await work.use(with_tasks(*tasks), NUMBER, SECRET, clock())
    whole = with_tasks(*((one, place) for place in places))
    assert await work.use(whole, NUMBER, SECRET, clock())


async def test_a_proof_grows_old_and_its_row_goes(
    app: Starlette, clock: Clock, database_url: str
) -> None:
    kept, late = (solved(work.issue(NUMBER, SECRET, clock())) for _ in range(2))
    assert await work.use(kept, NUMBER, SECRET, clock())
    clock.advance(WORK_LIFETIME.total_seconds())
    assert not await work.use(late, NUMBER, SECRET, clock())
    await purge(clock())
    assert Rows(database_url).one("SELECT count(*) FROM used_work") == 0


async def test_pages_that_ask_for_no_work_load_nothing_for_it(visitor: Visitor) -> None:
    page = await visitor.visit("/signup")
    assert not re.search(r"data-work|work\.js|name=.work", page.response.text)
