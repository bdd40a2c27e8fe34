"""What the HTML standard asks of every page, and html-validate does not look for."""

from collections.abc import Iterator

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from webapp.pages.gallery import STATES

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

PATHS = ["/sandbox/phone", "/sandbox/gallery", *(f"/sandbox/gallery/{name}" for name in STATES)]
NEVER_CAPITALISED = ("email", "url", "password")
URLS = ("href", "src", "action")


@pytest.fixture
async def pages(client: httpx.AsyncClient) -> dict[str, LexborHTMLParser]:
    """Every page that a person can meet, by its path in the gallery."""
    return {path: LexborHTMLParser((await client.get(path)).text) for path in PATHS}


def every(pages: dict[str, LexborHTMLParser], css: str) -> Iterator[tuple[str, LexborNode]]:
    for path, page in pages.items():
        for node in page.css(css):
            yield path, node


async def test_an_address_has_no_raw_spaces(pages: dict[str, LexborHTMLParser]) -> None:
    found = [
        (path, url)
        for path, node in every(pages, "[href], [src], [action]")
        for url in (node.attributes.get(name) or "" for name in URLS)
        if " " in url
    ]
    assert found == []


async def test_a_list_that_must_be_chosen_from_begins_with_a_placeholder(
    pages: dict[str, LexborHTMLParser],
) -> None:
    firsts = [
        (path, first.attributes.get("value"))
        for path, node in every(pages, "select[required]")
        if (first := node.css_first("option"))
    ]
    assert firsts
    assert {value for _, value in firsts} == {""}


async def test_nothing_asks_to_capitalise_what_never_is(pages: dict[str, LexborHTMLParser]) -> None:
    inputs = every(pages, "input[autocapitalize]")
    types = [(path, node.attributes.get("type")) for path, node in inputs]
    assert [found for found in types if found[1] in NEVER_CAPITALISED] == []


async def test_the_first_heading_of_a_page_is_its_only_h1(
    pages: dict[str, LexborHTMLParser],
) -> None:
    headings = {path: [node.tag for node in page.css("h1, h2, h3")] for path, page in pages.items()}
    assert {path: tags for path, tags in headings.items() if tags.count("h1") != 1} == {}
    assert {path: tags for path, tags in headings.items() if tags[0] != "h1"} == {}


async def test_while_a_code_is_awaited_confirm_is_the_only_button_of_its_weight(
    pages: dict[str, LexborHTMLParser],
) -> None:
    for state in ("code", "code-call", "code-wrong", "code-resent"):
        buttons = pages[f"/sandbox/gallery/{state}"].css("main .button")
        assert [button.text() for button in buttons] == ["Confirm"]


async def test_whoever_is_signed_in_finds_the_way_out_on_every_page(
    pages: dict[str, LexborHTMLParser],
) -> None:
    own = [name for name in STATES if name.startswith("account") and name != "account-deleted"]
    assert len(own) > 20
    without = [
        name
        for name in own
        if not pages[f"/sandbox/gallery/{name}"].css_first("form[action='/signout'] button")
    ]
    assert without == []
