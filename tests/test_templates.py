"""What a designer may do: look at every state, and delete any line without taking a page down."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from jinja2 import DictLoader, Environment, TemplateError
from starlette.applications import Starlette

from tests.servers import ROOT
from webapp.pages.gallery import STATES

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

Page = tuple[str, str, Mapping[str, Any]]  # template, frame and context

TEMPLATES = ROOT / "templates"
# Answers of their own, which no state in the gallery has in it.
ALONE = {"partials/countries.html", "partials/hint_password.html"}
FRAMES = ("layout.html", "fragment.html")
# The lines of a statement belong together: whoever deletes {% if … %} deletes its {% endif %} too.
OPENED = re.compile(r"{%-?\s*(if|for|with|block|set(?=\s+\w+\s*%))\b")
CLOSED = re.compile(r"{%-?\s*(else|elif|end\w+)\b")


def read_sources() -> dict[str, str]:
    return {
        str(path.relative_to(TEMPLATES)): path.read_text() for path in TEMPLATES.rglob("*.html")
    }


def editable() -> set[str]:
    folders = ("steps", "account", "recovery", "partials", "errors")
    inner = {name for name in read_sources() if name.startswith(folders)}
    return {*FRAMES, *inner} - ALONE


def stands_alone(line: str) -> bool:
    """Whether a line can go without another that belongs to it."""
    opened, closed = len(OPENED.findall(line)), len(CLOSED.findall(line))
    return opened == closed


def pages() -> Iterator[Page]:
    """Every state of the gallery in each frame: template, frame and context.

    Few of the countries are in it, since most of them are alike.
    """
    for state in STATES.values():
        context = dict(state.context())
        if "countries" in context:
            context["countries"] = context["countries"][:2]
        for frame in FRAMES:
            yield state.template, frame, context


class Recording(DictLoader):
    """Notes which templates are loaded."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        super().__init__(sources)
        self.loaded: set[str] = set()

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, None, Callable[[], bool]]:
        self.loaded.add(template)
        return super().get_source(environment, template)


_affected: dict[str, list[Page]] = {}


def affected(environment: Environment, edited: str) -> list[Page]:
    """The pages that have ``edited`` in them; all of them are rendered once to find out."""
    if not _affected:
        loader = Recording(read_sources())
        uncached = environment.overlay(loader=loader, cache_size=0)
        for page in pages():
            loader.loaded.clear()
            render(uncached, page)
            for template in loader.loaded:
                _affected.setdefault(template, []).append(page)
    return _affected[edited]


def render(environment: Environment, page: Page) -> None:
    template, base, context = page
    environment.get_template(template).render(
        base=base, fragment=base == "fragment.html", **context
    )


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["whole", "fragment"])
async def test_every_state_in_the_gallery_is_shown(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answers = {
        name: await client.get(f"/sandbox/gallery/{name}", headers=headers) for name in STATES
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        STATES, 200
    )


@pytest.mark.parametrize("edited", sorted(editable()))
async def test_no_line_of_a_template_takes_a_page_down_when_it_is_deleted(
    app: Starlette, edited: str
) -> None:
    sources = read_sources()
    lines = sources[edited].splitlines(keepends=True)
    environment = app.state.templates.environment.overlay(loader=DictLoader(sources))
    environment.bytecode_cache = None
    pages_with_it = affected(app.state.templates.environment, edited)
    broken = {}
    for number, line in enumerate(lines):
        if not stands_alone(line):
            continue
        sources[edited] = "".join(lines[:number] + lines[number + 1 :])
        for page in pages_with_it:
            try:
                render(environment, page)
            except TemplateError as error:
                broken[number + 1, line.strip()] = str(error)
    assert broken == {}
