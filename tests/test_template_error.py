"""What a designer is told about a template that is wrong, and what strangers are not."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from jinja2 import FileSystemLoader
from selectolax.lexbor import LexborHTMLParser
from starlette.applications import Starlette
from structlog.testing import capture_logs

from tests.conftest import Clock, no_pause, prepared
from tests.servers import PRODUCTION, ROOT
from webapp.app import Ports, create_app
from webapp.settings import Settings
from webapp.web.templates import PageCache, Templates

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
SIGNUP, HEAD = "steps/signup.html", "partials/head.html"
WRONG = [
    (SIGNUP, "{{ emial }}", "'emial' is undefined"),
    (SIGNUP, "{% if form %}", "that needs to be closed is 'if'"),
    (SIGNUP, "{{ form.name | shuot }}", "No filter named 'shuot'"),
    (SIGNUP, '{% include "partials/feild.html" %}', "there is no template 'partials/feild.html'"),
    (SIGNUP, "{{ asset('css/ap.css') }}", "no file 'css/ap.css'"),
    (SIGNUP, "{{ 1 + 'one' }}", "unsupported operand"),
    (HEAD, "{{ emial }}", "'emial' is undefined"),
]


def spoilt(app: Starlette, directory: Path, template: str, text: str) -> int:
    """A copy of the templates with ``text`` in the last block of one: in which line it stands."""
    shutil.copytree(ROOT / "templates", directory)
    path = directory / template
    lines = path.read_text().splitlines()
    at = len(lines) - 1 if lines[-1].startswith("{% endblock") else len(lines)
    path.write_text("\n".join([*lines[:at], text, *lines[at:]]))
    templates: Templates = app.state.templates
    templates.directory, templates.environment.loader = directory, FileSystemLoader(directory)
    app.state.empty_forms = PageCache(0)  # which were rendered before
    return at + 1


@pytest.mark.parametrize(
    ("template", "text", "words"), WRONG, ids=[f"{name} {text}" for name, text, _ in WRONG]
)
async def test_a_designer_reads_which_line_of_which_template_is_wrong(
    app: Starlette, client: httpx.AsyncClient, tmp_path: Path, template: str, text: str, words: str
) -> None:
    line = spoilt(app, tmp_path / "templates", template, text)
    with capture_logs() as logs:
        answer = await client.get("/signup")
    page = LexborHTMLParser(answer.text).body
    assert page
    shown = " ".join(page.text(separator=" ").split())
    assert answer.status_code == 500
    assert words in shown
    if "closed" not in words:  # that is told of the line where another block ends
        assert f"{template}, line {line}:" in shown
        assert text in page.text()
    assert logs[0]["event"] == "template_failed"


async def test_in_a_page_that_is_there_the_words_replace_the_step(
    app: Starlette, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    spoilt(app, tmp_path / "templates", SIGNUP, "{{ emial }}")
    headers = {"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
    answer = await client.post("/signup", data={"name": "Ada"}, headers=headers)
    assert (answer.status_code, answer.headers["HX-Replace-Url"]) == (422, "/signup")
    assert answer.text.lstrip().startswith('<section class="step" data-step="template-error">')


@pytest.fixture
async def deployed(database_url: str, clock: Clock) -> AsyncIterator[Starlette]:
    """Production's application."""
    given = {"BASE_URL": "http://localhost:8000", "DATABASE_URL": database_url}
    app = prepared(create_app(Settings.load(PRODUCTION | given), Ports(clock, no_pause)))
    async with app.router.lifespan_context(app):
        yield app


@pytest.mark.parametrize(
    ("template", "text", "words"), WRONG, ids=[f"{name} {text}" for name, text, _ in WRONG]
)
async def test_strangers_read_nothing_of_it_and_the_database_is_not_blamed(
    deployed: Starlette, tmp_path: Path, template: str, text: str, words: str
) -> None:
    spoilt(deployed, tmp_path / "templates", template, text)
    transport = httpx.ASGITransport(deployed)
    with capture_logs() as logs:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as bare:
            answer = await bare.get("/signup")
    assert answer.status_code == 500
    assert template not in answer.text
    errors = [line["event"] for line in logs if line["log_level"] == "error"]
    assert errors[:1] == ["unhandled exception"]
