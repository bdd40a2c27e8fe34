"""The designers' templates: no one line of them is needed for a page to render."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment, FunctionLoader, TemplateSyntaxError
from jinja2.meta import find_referenced_templates
from selectolax.lexbor import LexborHTMLParser
from starlette.applications import Starlette

from webapp.pages.gallery import STATES
from webapp.web.templates import Templates

DIRECTORY = Path(__file__).parent.parent / "templates"
SOURCES = {str(path.relative_to(DIRECTORY)): path.read_text() for path in DIRECTORY.rglob("*.html")}
FRAMES = {"layout.html": False, "fragment.html": True}
OURS = [name for name in SOURCES if not name.startswith("sandbox/")]

Page = tuple[str, dict[str, Any]]


class Edited:
    """The application's templates, of which a test edits one."""

    def __init__(self, templates: Templates) -> None:
        self.environment = templates.environment.overlay(
            loader=FunctionLoader(self.load), bytecode_cache=None, auto_reload=True
        )
        self.sources = dict(SOURCES)

    def load(self, name: str) -> tuple[str, str, Any]:
        source = self.sources[name]
        return source, name, lambda: self.sources[name] is source

    def without_one_line(self, name: str) -> Iterator[int]:
        """Take each line out of ``name`` in turn, except one half of a pair of tags."""
        lines = SOURCES[name].splitlines(keepends=True)
        for at in range(len(lines)):
            source = "".join(lines[:at] + lines[at + 1 :])
            try:
                self.environment.parse(source)
            except TemplateSyntaxError:
                continue  # development's error page names the line
            self.sources[name] = source
            yield at + 1

    def pages(self, name: str) -> list[Page]:
        """The states of the gallery that read the template ``name``; one a step for the frames."""
        states = {state.template: state for state in STATES.values()} if name in FRAME else STATES
        return [
            (
                state.template,
                {"base": frame, "fragment": fragment, **few_countries(state.context())},
            )
            for state in states.values()
            for frame, fragment in FRAMES.items()
            if name in read_by(state.template) | read_by(frame)
        ]

    def fault(self, page: Page) -> str | None:
        template, context = page
        try:
            self.environment.get_template(template).render(context)
        except Exception as error:  # noqa: BLE001 - whatever it is, the page is down
            return repr(error)
        return None


@cache
def read_by(name: str) -> set[str]:
    """The template ``name`` and those it includes."""
    included = find_referenced_templates(Environment().parse(SOURCES[name]))
    return {name}.union(*(read_by(other) for other in included if other))


def few_countries(context: Any) -> dict[str, Any]:
    """``context`` with two of the 245 countries, which only take time."""
    return {name: rows[:2] if name == "countries" else rows for name, rows in context.items()}


FRAME = read_by("layout.html") | read_by("fragment.html")


@pytest.fixture
def edited(app: Starlette) -> Edited:
    return Edited(app.state.templates)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", OURS)
def test_no_line_that_a_designer_deletes_takes_a_page_down(edited: Edited, name: str) -> None:
    pages, faults = edited.pages(name), {}
    for line in edited.without_one_line(name):
        found = next(filter(None, map(edited.fault, pages)), None)
        if found:
            faults[line] = found
    assert faults == {}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_plain_field_is_one_line_of_a_step(app: Starlette) -> None:
    line = (
        '{% with field = "company", label = "Company", autocomplete = "organization" %}'
        '{% include "partials/field.html" %}{% endwith %}'
    )
    template = app.state.templates.environment.from_string(line)
    errors = {"company": "Enter your company", "name": "Enter your name"}
    form = SimpleNamespace(company='"Söhne" & Co', errors=errors)
    page = LexborHTMLParser(template.render(form=form, problem=None))
    assert page.css("label[for=company]")[0].text() == "Company"
    assert "Enter your company" in page.css("#company-error")[0].text()
    assert page.css("input#company")[0].attributes | {"class": ""} == {
        "class": "",
        "id": "company",
        "name": "company",
        "type": "text",
        "value": '"Söhne" & Co',
        "spellcheck": "false",
        "autocomplete": "organization",
        "required": None,
        "aria-invalid": "true",
        "aria-describedby": "company-error",
    }
