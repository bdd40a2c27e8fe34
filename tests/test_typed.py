"""What people type and paste: names, email addresses and codes."""

import re
import unicodedata
from collections.abc import AsyncIterator

import httpx
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import FormData

from tests.people import ADA, NUMBER, OTHER_NUMBER, sign_up, verify
from tests.phone import Phone
from tests.visitor import Visitor
from webapp.accounts.forms.code import CodeForm
from webapp.accounts.forms.signup import SignupForm
from webapp.accounts.people import emails
from webapp.accounts.people.letters import INVISIBLE, one_line, visible

many = settings(max_examples=200, deadline=None)


@pytest.fixture
async def another_visitor(client: httpx.AsyncClient) -> AsyncIterator[Visitor]:
    """Somebody else, with a browser of their own."""
    transport, url = client._transport, client.base_url
    async with httpx.AsyncClient(transport=transport, base_url=url) as browser:
        yield Visitor(browser)


def filled(**changes: str) -> SignupForm:
    """Ada's form with other answers."""
    return SignupForm.parse(FormData(list((ADA | changes).items())))


def code_in(text: str) -> str:
    return CodeForm.parse(FormData([("code", text)])).digits


# Names


@pytest.mark.parametrize(
    "name",
    [
        "\U00031350",  # unassigned in Python 3.11's Unicode, an ideograph since Unicode 15
        "\ue000\U000f0000",  # private use: Hong Kong's and companies' own letters
        "\ufa19\ufa1b",  # 神福 as some Japanese families write them; normalised they are others
        "Ame\u0301lie",
        "می\u200cخواهم",
        "Ada \U0001f469\u200d\U0001f4bb",
    ],
)
def test_a_name_keeps_every_letter(name: str) -> None:
    form = filled(name=name)
    assert (form.name, form.errors) == (name, {})


def test_a_name_is_one_line_without_control_characters() -> None:
    assert filled(name="\tAda\x00\r\n  King\u2028Lovelace\ud800\x9f ").name == "Ada King Lovelace"


@pytest.mark.parametrize("name", ["\u3164", "\u034f", "\u2800 \u200b", "\u202e\u200d", "\ufe0f"])
def test_a_name_of_invisible_letters_is_missing(name: str) -> None:
    assert filled(name=name).errors == {"name": "Enter your name"}


@many
@given(st.text())
def test_a_line_is_one_line_and_reading_it_again_changes_nothing(text: str) -> None:
    once = one_line(text)
    assert once == one_line(once)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", once)


def test_invisible_letters_are_those_that_unicode_calls_ignorable() -> None:
    letters = [chr(point) for point in range(0x110000)]
    ignorable = regex.compile(r"\p{Default_Ignorable_Code_Point}")
    missed = [letter for letter in letters if ignorable.match(letter) and visible(letter)]
    assert missed == []
    others = {letter for letter in letters if INVISIBLE.match(letter)}
    assert {letter for letter in others if not ignorable.match(letter)} == {"\u2800", "\U0001d159"}


# Email addresses


@pytest.mark.parametrize(
    ("email", "taken"),
    [
        ("ada@staging.test", True),  # RFC 6761: testers' own
        ("ada+tag@example.com", True),
        ("ada@bücher.example", True),
        ("ada@localhost", False),
        ("ada@example", False),
        ("ada@192.0.2.1", False),
        ("ada@@example.com", False),
    ],
)
def test_an_email_address_has_a_domain_that_can_be_written_to(email: str, *, taken: bool) -> None:
    form = filled(email=email)
    assert ("email" not in form.errors) is taken


@pytest.mark.parametrize(
    "typed",
    [
        "a\u034fda@example.com",
        "a\ufe0fda@example.com",
        "ada\u3164@example.com",
        "a\u2800da@example.com",
        "\ufeffada@example.com",
        "ada@example.com\u200b",
        "ada@exam\u00adple.com",
        "\u202aada@example.com\u202c",
        "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ",
    ],
)
def test_invisible_and_wide_letters_are_no_part_of_an_email(typed: str) -> None:
    form = filled(email=typed)
    assert (form.clean_email, form.errors) == ("ada@example.com", {})


def test_a_domains_joiners_are_never_left_out_since_it_could_be_anothers() -> None:
    assert filled(email="ada@نامه\u200cای.com").errors.keys() == {"email"}


@pytest.mark.parametrize(
    "looks_like_adas", ["ADA@example.com", "a\u034fda@example.com", "a\ufe0fda@example.com"]
)
async def test_an_email_that_looks_like_anothers_opens_no_second_account(
    visitor: Visitor, another_visitor: Visitor, phone: Phone, looks_like_adas: str
) -> None:
    await sign_up(visitor)
    assert (await verify(visitor, phone)).verified
    await sign_up(another_visitor, email=looks_like_adas, phone=OTHER_NUMBER)
    page = await verify(another_visitor, phone, OTHER_NUMBER)
    assert page.verified is False
    assert "already has an account" in page.title


@pytest.mark.parametrize(
    ("mine", "yours"),
    [
        ("strasse@example.com", "straße@example.com"),
        ("ada@strasse.example", "ada@straße.example"),
        ("παυλοσ@example.com", "παυλος@example.com"),
    ],
)
async def test_two_mailboxes_are_two_accounts(
    visitor: Visitor, another_visitor: Visitor, phone: Phone, mine: str, yours: str
) -> None:
    await sign_up(visitor, email=mine)
    assert (await verify(visitor, phone)).verified
    await sign_up(another_visitor, email=yours, phone=OTHER_NUMBER)
    assert (await verify(another_visitor, phone, OTHER_NUMBER)).verified


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.com", "ada@example.com"),
        ("STRAẞE@example.com", "straße@example.com"),
        ("ΠΑΥΛΟΣ@example.com", "παυλος@example.com"),
        ("ﬁona@example.com", "fiona@example.com"),
        ("ſam@example.com", "sam@example.com"),
        ("e\u0301va@example.com", "éva@example.com"),
        ("می\u200cشود@example.com", "میشود@example.com"),
    ],
)
def test_letters_that_look_alike_are_compared_as_one(one: str, other: str) -> None:
    assert emails.fold(one) == emails.fold(other)


@many
@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert emails.fold(emails.fold(text)) == emails.fold(text)


# Codes


@pytest.mark.parametrize(
    "typed",
    [
        "123\u2011456",
        "123\u2212456",
        "12\u200b34\u200b56",
        "\u200e123456\u200f",
        "\ufeff１２３ ４５６",
        "G-123456",
        "验证码123456，请勿转发",
        "Code:123456.Don't share it",
        "123 456 is your code. Questions? +1 415 555 0132",
        "123456 is your code. See https://shop.example/234567/a",
        "123456 is your shop-4f0c9283456b.herokuapp.com code",
        "Write to shop234567@example.com about 123-456",
    ],
)
def test_a_code_is_found_as_people_type_and_paste_it(typed: str) -> None:
    assert code_in(typed) == "123456"


@pytest.mark.parametrize("line_break", ["\n\n", "\r\n\r\n", "  ", ""])  # browsers differ
@pytest.mark.parametrize(
    "host", ["plumtree-4f0c9283456b.herokuapp.com", "234567.example", "a.test"]
)
def test_the_whole_text_is_a_code_whatever_the_host(host: str, line_break: str) -> None:
    text = f"123456 is your {host} code. Do not share it.{line_break}@{host} #123456"
    assert code_in(text) == "123456"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("provider", ["codes"])
@pytest.mark.environ(BASE_URL="http://plumtree-4f0c9283456b.example:8000")
async def test_our_own_text_may_be_pasted_whole(visitor: Visitor, phone: Phone) -> None:
    await sign_up(visitor)
    text = await phone.text(NUMBER, "#")
    assert (await visitor.submit("/verification", code=text.body)).verified


@pytest.mark.parametrize(
    "typed", ["12345", "123456789", "123 456 789", "123456 or 234567", "call 0800 123456 234567"]
)
def test_what_may_be_no_code_is_none(typed: str) -> None:
    assert code_in(typed) == ""


@many
@given(st.one_of(st.text(), st.text("0123456789 -.,–:#@/a\n٤²①", max_size=30)))
def test_a_code_is_made_of_the_digits_that_stand_there_in_their_order(text: str) -> None:
    code = code_in(text)
    assert re.fullmatch(r"([0-9]{6,8})?", code)
    rest = iter(text)
    assert all(any(_is_digit(seen, digit) for seen in rest) for digit in code)


def _is_digit(letter: str, digit: str) -> bool:
    return letter.isdigit() and str(unicodedata.digit(letter)) == digit


@many
@given(
    code=st.from_regex(r"[0-9]{6}", fullmatch=True),
    before=st.text("abcXYZ:,. \n", max_size=20),
    after=st.text("abcXYZ:,. \n", max_size=20),
)
def test_a_code_is_found_in_whatever_words_stand_around_it(
    code: str, before: str, after: str
) -> None:
    assert code_in(f"{before} {code} {after}") == code
