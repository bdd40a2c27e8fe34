"""``make`` in checkouts at any path: what it makes is inside, and what was there before stays."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT

MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not on this machine")

STRANGE = [
    "sign-up copy",
    "sign-up's",
    'sign-up "two"',
    "sign-up & more",
    "sign-up; touch x",
    "sign-up $HOME `x`",
    "sign-up (1) #2 100%",
    "Anmeldung für Bücher 登録",
]
# Python as it is, but what comes over the network comes from here: pip leaves a uv that notes how
# it is called.
PYTHON = f"""#!/bin/sh
[ "$2" = pip ] || exec '{sys.executable}' "$@"
uv="${{5%/python}}/uv"
echo '#!/bin/sh' >"$uv"
echo 'echo "$@" >>uv.log' >>"$uv"
chmod +x "$uv"
"""
MAIN = "import os, sys; print('serves', os.getcwd(), *sys.argv[1:])"


class Checkout:
    """A folder with our Makefile, and with next to nothing that it installs and runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "webapp").mkdir(parents=True)
        (path / "webapp" / "__main__.py").write_text(MAIN)
        for name in ("Makefile", "pyproject.toml", "uv.lock"):
            shutil.copy(ROOT / name, path / name)

    def make(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        python = self.path.parent / "python"
        python.write_text(PYTHON)
        python.chmod(0o755)
        assert MAKE
        return subprocess.run(
            [MAKE, "--no-print-directory", f"PYTHON={python}", *arguments],
            cwd=cwd or self.path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.path.parent), "VIRTUAL_ENV": "/nowhere"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def synced(self) -> list[str]:
        """How uv was called."""
        return (self.path / "uv.log").read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "sign-up")


@pytest.mark.parametrize("name", STRANGE)
def test_at_any_path_it_makes_its_own_folder_alone(tmp_path: Path, name: str) -> None:
    beside = tmp_path / "sign-up"  # which the path begins with, up to its first space
    beside.mkdir()
    (beside / "precious").write_text("kept")
    checkout = Checkout(tmp_path / name)
    before = {path.name for path in tmp_path.iterdir()}
    done = checkout.make("run")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"serves {checkout.path} dev" in done.stdout
    assert checkout.make("setup").returncode == 0
    assert (checkout.path / ".venv" / "pyvenv.cfg").exists()
    assert [path.name for path in beside.iterdir()] == ["precious"]
    assert {path.name for path in tmp_path.iterdir()} == before | {"python"}


def test_to_run_it_no_tools_for_tests_are_installed(checkout: Checkout) -> None:
    said = checkout.make("run").stdout
    assert checkout.synced == ["sync --frozen --inexact --no-default-groups"]
    assert "fetching uv" in said
    assert "Installing what running needs" in said
    checkout.make("setup")
    assert checkout.synced[1:] == ["sync --frozen --inexact --all-groups"]
    assert "Installing" not in checkout.make("run").stdout


def test_what_is_no_virtual_environment_is_never_cleared(checkout: Checkout) -> None:
    venv = checkout.path / ".venv"
    venv.mkdir()
    (venv / "precious").write_text("kept")
    done = checkout.make("setup")
    assert (done.returncode, "no virtual environment" in done.stderr) == (2, True)
    assert (venv / "precious").read_text() == "kept"


def test_nothing_is_cleared_through_a_link(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pyvenv.cfg").write_text("somebody's")
    (checkout.path / ".venv").symlink_to(elsewhere)
    done = checkout.make("setup")
    assert (done.returncode, "is a link" in done.stderr) == (2, True)
    assert (elsewhere / "pyvenv.cfg").read_text() == "somebody's"


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Checkout) -> None:
    checkout.make("run")
    (checkout.path / ".venv" / "bin" / "python").unlink()
    assert "serves" in checkout.make("run").stdout


def test_from_another_folder_it_makes_nothing(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = checkout.make("-f", str(checkout.path / "Makefile"), "setup", cwd=elsewhere)
    assert (done.returncode, "Call make in the checkout" in done.stderr) == (2, True)
    assert list(elsewhere.iterdir()) == []
