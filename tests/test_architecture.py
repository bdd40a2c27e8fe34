"""Who may know whom: the table of the design, held against the imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT

# A room knows itself and what is named here, a room or one module of it; a trailing "!" allows the
# package's front door alone.
KNOWS: dict[str, set[str]] = {
    "__main__": {"*"},
    "app": {"*"},
    "middleware": {"clients", "pages", "settings", "web"},
    "doctor": {
        "clock",
        "app",
        "clients",
        "connections",
        "database",
        "providers",
        "schema",
        "settings",
        "web",
    },
    "development": {"providers", "sandbox", "settings"},
    "routes": {"clients", "operate", "pages"},
    "schema": {"database"},
    "operate": {"accounts", "database", "settings", "web"},
    "clients": {"accounts", "database", "providers", "settings", "web"},
    "pages": {"accounts", "providers!", "web"},
    "accounts": {"providers!", "providers.failover", "database", "segments"},
    "providers": {"segments", "settings"},
    "sandbox": {"segments"},
    "segments": set(),
    "web": set(),
    "clock": {"database"},
    "connections": set(),
    "database": {"connections"},
    "settings": {"connections", "segments"},
    "server": {"web", "workers"},
    "workers": set(),
}
MODULES = sorted((ROOT / "webapp").rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The part of the house that ``webapp.<room>.…`` is in; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports, wherever in it."""
    ours = {name_of(module) for module in MODULES}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("webapp"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute, so that this test can read them"
            if (node.module or "").split(".")[0] == "webapp":
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    yield whole if whole in ours else str(node.module)


def allowed(room: str, module: str) -> bool:
    known = KNOWS[room]
    other = room_of(module)
    if other in {room, ""} or known & {"*", other, module.removeprefix("webapp.")}:
        return True
    return f"{other}!" in known and module == f"webapp.{other}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_room_knows_only_whom_the_table_names(path: Path) -> None:
    room = room_of(name_of(path))
    strangers = {module for module in imports(path) if room and not allowed(room, module)}
    assert not strangers


def test_the_table_names_every_room() -> None:
    assert {room_of(name_of(path)) for path in MODULES} - {""} == KNOWS.keys()


def test_only_the_entrances_read_the_environment() -> None:
    readers = {
        name_of(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
        if isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    assert readers <= {"webapp.__main__", "webapp.app", "webapp.settings"}


def test_a_file_says_in_its_first_line_what_it_is_for() -> None:
    silent = [
        name_of(path)
        for path in MODULES
        if path.read_text() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []
