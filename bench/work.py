"""What a proof of work costs: `python -m bench.work`. Chromium is asked where it is installed."""

import base64
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import altcha
from playwright.sync_api import sync_playwright

from tests.browser.conftest import QUIET, serving
from webapp.accounts.challenges import work

PHONE, SECRET, TIMES = "+447400123456", "0123456789abcdef" * 2, 20
SOLVE = """async (parameters) => {
  const { solve } = await import("/static/js/work.js");
  const began = performance.now();
  await solve(parameters);
  return performance.now() - began;
}"""
SLOW = 6  # a cheap phone beside this machine, as Lighthouse has it


def challenge() -> dict[str, Any]:
    payload = base64.b64decode(work.issue(PHONE, SECRET, datetime.now(UTC)))
    issued: dict[str, Any] = json.loads(payload)["challenge"]
    return issued


def milliseconds(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return 1000 * (time.perf_counter() - began)


def native() -> Iterator[tuple[str, list[float]]]:
    """Ours, and an attacker's with OpenSSL, on one core."""
    yield "to make a challenge", [milliseconds(challenge) for _ in range(TIMES)]
    challenges = [altcha.Challenge.from_dict(challenge()) for _ in range(TIMES)]
    solving = [milliseconds(lambda one=one: altcha.solve_challenge(one)) for one in challenges]  # type: ignore[misc]
    yield "to solve one by OpenSSL, as an attacker does", solving


def in_chromium() -> Iterator[tuple[str, list[float]]]:
    """A visitor's, with the page's thread as it is and slowed down."""
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if program is None:
        return
    with (
        tempfile.TemporaryDirectory() as directory,
        serving(Path(directory)) as url,
        sync_playwright() as driver,
        driver.chromium.launch(executable_path=program, args=QUIET) as browser,
    ):
        page = browser.new_page()
        page.goto(f"{url}/signup")
        page.evaluate(SOLVE, challenge()["parameters"])  # loads the module
        session = page.context.new_cdp_session(page)
        for times in (1, SLOW):
            session.send("Emulation.setCPUThrottlingRate", {"rate": times})
            parameters = [challenge()["parameters"] for _ in range(TIMES)]
            took = [float(page.evaluate(SOLVE, one)) for one in parameters]
            yield f"to solve one in Chromium, {times} x as slow", took


def main() -> None:
    print(f"{'ms':50}{'median':>10}{'slowest':>10}")
    for figures in (native(), in_chromium()):
        for name, took in figures:
            print(f"{name:50}{statistics.median(took):10.1f}{max(took):10.1f}")


if __name__ == "__main__":
    main()
