"""What an operator blocks gets no text, at once, and is not told why."""

import logging
import re

import pytest
from starlette.applications import Starlette

from tests.conftest import Clock
from tests.people import ADA, CONFIRMATION, NUMBER, OTHER_NUMBER, PASSWORD, sign_up, verify
from tests.phone import Phone
from tests.test_history import Statements, reasons_of, story_of
from tests.visitor import Visitor
from webapp.operate import CommandError, blocks
from webapp.sandbox import Sandbox

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
PROXIED = pytest.mark.environ(TRUSTED_PROXY_HOPS="1")
WORDS = "We cannot send a code to this number now. Use another mobile number"


async def from_address(visitor: Visitor, address: str) -> None:
    """From here on the visitor's requests come from ``address``."""
    visitor.client.headers["X-Forwarded-For"] = address


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("country:gb", "block_country"),
        ("prefix:+44 7400", "block_prefix"),
        ("phone:+44 7400 123456", "block_phone"),
        ("domain:Example.COM", "block_domain"),
        ("address:127.0.0.0/8", "block_address"),
    ],
)
async def test_a_block_stops_a_sign_up_and_gives_nothing_away(
    app: Starlette, visitor: Visitor, clock: Clock, sandbox: Sandbox, what: str, reason: str
) -> None:
    await blocks.block(what, None, clock())
    page = await sign_up(visitor)
    assert (page.status, page.errors) == (422, {"phone": WORDS})
    assert await reasons_of(app, NUMBER) == [reason]
    assert sandbox.inbox.messages() == []


async def test_the_vendors_own_block_reads_the_same(visitor: Visitor, sandbox: Sandbox) -> None:
    sandbox.faults.add("60410", 1)
    page = await sign_up(visitor)
    assert (page.status, page.errors) == (422, {"phone": WORDS})


async def test_a_block_ends_when_it_is_lifted_or_its_time_is_over(
    visitor: Visitor, clock: Clock
) -> None:
    await blocks.block("prefix:+4474", "30m", clock())
    await blocks.block("country:GB", None, clock())
    assert len(await blocks.listed(clock())) == 2
    assert (await sign_up(visitor)).status == 422
    await blocks.unblock("country:gb", clock())
    assert (await sign_up(visitor)).status == 422
    clock.advance(1801)
    assert (await sign_up(visitor)).step == "verification"
    assert await blocks.listed(clock()) == ["Nothing is blocked."]


async def test_a_block_holds_for_codes_sent_again_and_for_other_numbers(
    app: Starlette, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await sign_up(visitor)
    await blocks.block("prefix:+447", None, clock())
    clock.advance(60)
    assert WORDS in (await visitor.submit("/verification/resend")).text
    await visitor.visit("/verification/phone")
    page = await visitor.submit("/verification/phone", phone=OTHER_NUMBER)
    assert page.errors == {"phone": WORDS}
    assert len(await phone.texts(NUMBER)) == 1
    assert (await reasons_of(app, OTHER_NUMBER)) == ["asked", "block_prefix"]


async def test_the_code_that_went_out_before_the_block_still_counts(
    visitor: Visitor, phone: Phone, clock: Clock, app: Starlette
) -> None:
    await sign_up(visitor)
    await blocks.block("country:GB", None, clock())
    assert (await verify(visitor, phone)).verified
    await app.state.outbox.deliver()
    assert [text.body for text in await phone.texts(NUMBER) if CONFIRMATION in text.body] == []


async def test_a_blocked_number_signs_in_without_a_text(
    app: Starlette, ada: Visitor, clock: Clock, phone: Phone
) -> None:
    await phone.text(NUMBER, CONFIRMATION)
    texts = len(await phone.texts(NUMBER))
    await blocks.block(f"phone:{NUMBER}", None, clock())
    await ada.submit("/signout")
    await ada.visit("/signin")
    page = await ada.submit("/signin", email=ADA["email"], password=PASSWORD)
    assert (page.step, WORDS in page.text) == ("signin-code", True)
    assert len(await phone.texts(NUMBER)) == texts


@PROXIED
async def test_a_blocked_address_enters_no_password_and_asks_for_no_code(
    app: Starlette, visitor: Visitor, phone: Phone, clock: Clock
) -> None:
    await from_address(visitor, "203.0.113.9")
    await sign_up(visitor)
    clock.advance(60)
    await blocks.block("address:203.0.113.0/24", None, clock())
    page = await visitor.submit("/verification/resend")
    assert (page.status, page.response.headers["Retry-After"]) == (429, "3600")
    assert (await verify(visitor, phone)).verified
    await visitor.submit("/signout")
    await visitor.visit("/signin")
    page = await visitor.submit("/signin", email=ADA["email"], password=PASSWORD)
    assert (page.status, page.response.headers["Retry-After"]) == (429, "3600")
    await from_address(visitor, "203.0.114.9")
    page = await visitor.submit("/signin", email=ADA["email"], password=PASSWORD)
    assert page.step == "signin-code"


@PROXIED
@pytest.mark.parametrize(
    ("address", "inside", "outside"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("203.0.113.77/24", "203.0.113.255", "203.0.112.255"),
        ("2001:db8:1::/48", "2001:db8:1:ffff::9", "2001:db8:2::1"),
        ("2001:db8::5", "2001:db8::99", "2001:db8:0:1::5"),  # one home, whatever its addresses
        ("198.51.100.0/23", "::ffff:198.51.101.1", "::ffff:198.51.102.1"),
    ],
)
async def test_networks_are_blocked_to_their_edges(
    visitor: Visitor, clock: Clock, address: str, inside: str, outside: str
) -> None:
    await blocks.block(f"address:{address}", None, clock())
    await from_address(visitor, inside)
    assert (await sign_up(visitor)).status == 422
    await from_address(visitor, outside)
    assert (await sign_up(visitor)).step == "verification"


@pytest.mark.parametrize(
    ("domain", "email", "blocked"),
    [
        ("bücher.example", "a@bücher.example", True),
        ("xn--bcher-kva.example", "a@bücher.example", True),
        ("bücher.example", "a@xn--bcher-kva.example", True),
        ("BÜCHER.example", "a@mail.bücher.example", True),
        ("example.com", "a@example.com", True),
        ("@example.com", "a@a.b.example.com", True),
        ("example.com", "a@badexample.com", False),
        ("mail.example.com", "a@example.com", False),
    ],
)
@ON_SQLITE
async def test_domains_are_blocked_with_all_below_them_in_any_spelling(
    visitor: Visitor, clock: Clock, domain: str, email: str, blocked: bool
) -> None:
    await blocks.block(f"domain:{domain}", None, clock())
    assert ((await sign_up(visitor, email=email)).status == 422) is blocked


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("", "says not what it is"),
        ("NG", "says not what it is"),
        ("planet:mars", "says not what it is"),
        ("country:XX", "is no country"),
        ("country:Nigeria", "is no country"),
        ("prefix:23480", "is no prefix"),
        ("prefix:+", "is no prefix"),
        ("prefix:+1234567890123456", "is no prefix"),
        ("phone:0151 123", "with its country code"),
        ("phone:hello", "with its country code"),
        ("address:203.0.113.256", "is no address"),
        ("address:0.0.0.0/0", "is everybody"),
        ("address:::/0", "is everybody"),
        ("domain:", "is no domain"),
        ("domain:exa mple.com", "is no domain"),
        ("domain:a@b@c", "is no domain"),
    ],
)
def test_what_cannot_be_blocked_is_told_in_a_line(what: str, why: str) -> None:
    with pytest.raises(CommandError, match=re.escape(why)):
        blocks.read_what(what)


@pytest.mark.parametrize("span", ["", "24", "0h", "-1h", "1w", "1.5h", "999999d"])
def test_a_time_that_cannot_be_read_is_told(span: str) -> None:
    with pytest.raises(CommandError, match="write 30m, 24h or 7d"):
        blocks.read_span(span)


async def test_a_block_given_again_has_its_new_end(app: Starlette, clock: Clock) -> None:
    await blocks.block("country:NG", "24h", clock())
    await blocks.block("country:NG", None, clock())
    assert await blocks.listed(clock()) == ["country:NG  until it is unblocked"]


async def test_unblocking_what_is_not_blocked_is_told(app: Starlette, clock: Clock) -> None:
    with pytest.raises(CommandError, match="is not blocked"):
        await blocks.unblock("country:NG", clock())


async def test_the_story_says_that_a_number_is_blocked(
    app: Starlette, visitor: Visitor, clock: Clock
) -> None:
    await blocks.block("prefix:+44740", None, clock())
    await sign_up(visitor)
    story = await story_of(app, NUMBER)
    assert "refused: an operator blocked the prefix" in story
    assert "Blocked by prefix:+44740." in story


@pytest.mark.environ(OUTBOX_IN_WEB="0")
async def test_a_journey_looks_blocks_up_in_a_statement_that_it_runs_anyway(
    visitor: Visitor, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    logger, statements = logging.getLogger("tortoise.db_client"), Statements()
    logger.addHandler(statements)
    with caplog.at_level(logging.DEBUG, logger.name):
        await sign_up(visitor)
        await verify(visitor, phone)
    logger.removeHandler(statements)
    [looked_up] = [sql for sql in statements.of_requests if "FROM blocks" in sql]
    assert "LEFT JOIN users" in looked_up
