"""The documents name files and pages that exist."""

import re
from pathlib import Path

import pytest

from tests.servers import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "bench" / "README.md", *sorted(ROOT.glob("docs/*.md"))]
LINK = re.compile(r"\]\((?!http)([^)#]+)\)")
ANCHOR = re.compile(r"\]\((?!http)([^)#]*)#([^)]+)\)")
FILE = re.compile(r"`((?:bench|docs|migrations|static|templates|tests|webapp)/[\w./-]+)`")


@pytest.fixture(params=DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_link_leads_to_a_file(document: Path) -> None:
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_file_that_a_document_names_exists(document: Path) -> None:
    assert [name for name in FILE.findall(document.read_text()) if not (ROOT / name).exists()] == []


def test_every_anchor_is_a_heading(document: Path) -> None:
    lost = []
    for name, anchor in ANCHOR.findall(document.read_text()):
        linked = document.parent / name if name else document
        headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
        if anchor not in map(slug, headings):
            lost.append(f"{name}#{anchor}")
    assert lost == []


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(("name", "most"), [("README.md", 130), ("docs/operate.md", 50)])
def test_the_first_page_of_each_is_short(name: str, most: int) -> None:
    assert len((ROOT / name).read_text().splitlines()) <= most


@pytest.mark.parametrize("folder", ["webapp", "webapp/accounts"])
def test_the_architecture_draws_every_room(folder: str) -> None:
    plan = (ROOT / "docs" / "architecture.md").read_text().split("```")[1]
    drawn = {line.split()[0].rstrip("/") for line in plan.splitlines() if line.strip()}
    rooms = {path.name for path in (ROOT / folder).iterdir() if not path.name.startswith("__")}
    assert rooms - drawn == set()
