"""What a designer may do: look at every state, and delete any line without taking a page down."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from jinja2 import DictLoader, TemplateError
from starlette.applications import Starlette

from tests.servers import ROOT
from webapp.pages.gallery import STATES

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

TEMPLATES = ROOT / "templates"
FRAMES = ("layout.html", "fragment.html")
# The lines of a statement belong together: whoever deletes {% if … %} deletes its {% endif %} too.
OPENED = re.compile(r"{%-?\s*(if|for|with|block|set(?=\s+\w+\s*%))\b")
CLOSED = re.compile(r"{%-?\s*(else|elif|end\w+)\b")


def editable() -> Iterator[str]:
    yield from FRAMES
    for folder in ("steps", "partials", "errors"):
        for path in sorted((TEMPLATES / folder).glob("*.html")):
            yield str(path.relative_to(TEMPLATES))


def stands_alone(line: str) -> bool:
    """Whether a line can go without another that belongs to it."""
    opened, closed = len(OPENED.findall(line)), len(CLOSED.findall(line))
    return opened == closed


def contexts() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every state of the gallery, with few of the countries, since most of them are alike."""
    for state in STATES.values():
        context = dict(state.context())
        if "countries" in context:
            context["countries"] = context["countries"][:2]
        yield state.template, context


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


@pytest.mark.parametrize("edited", [*editable()])
async def test_no_line_of_a_template_takes_a_page_down_when_it_is_deleted(
    app: Starlette, edited: str
) -> None:
    sources = {
        str(path.relative_to(TEMPLATES)): path.read_text() for path in TEMPLATES.rglob("*.html")
    }
    lines = sources[edited].splitlines(keepends=True)
    environment = app.state.templates.environment.overlay(loader=DictLoader(sources))
    environment.bytecode_cache = None
    broken = {}
    for number, line in enumerate(lines):
        if not stands_alone(line):
            continue
        sources[edited] = "".join(lines[:number] + lines[number + 1 :])
        for template, context in contexts():
            for base in FRAMES:
                try:
                    page = environment.get_template(template)
                    page.render(base=base, fragment=base == "fragment.html", **context)
                except TemplateError as error:
                    broken[number + 1, line.strip()] = str(error)
    assert broken == {}
