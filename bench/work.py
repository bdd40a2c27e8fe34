"""What a proof of work costs: `python -m bench.work`. Chromium is asked where it is installed."""

import base64
import json
import os
import shutil
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import altcha
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import QUIET, serving
from webapp.accounts.challenges import work

PHONE, SECRET, TIMES = "+447400123456", "0123456789abcdef" * 2, 30
SOLVE = """async (challenge) => {
  const { solve } = await import("/static/js/work.js");
  const began = performance.now();
  await solve(challenge);
  return performance.now() - began;
}"""
SLOW = 6  # a cheap phone beside this machine, as Lighthouse has it
RUNS = 0.005  # seconds that a slowed renderer runs before it is stopped for five times as many


def challenge() -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(
        base64.b64decode(work.issue(PHONE, SECRET, datetime.now(UTC)))
    )
    return payload


def milliseconds(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return 1000 * (time.perf_counter() - began)


def solve(asked: dict[str, Any]) -> list[altcha.Solution | None]:
    return [altcha.solve_challenge(altcha.Challenge.from_dict(one)) for one in asked["challenges"]]


def native() -> Iterator[tuple[str, list[float]]]:
    """Ours, and an attacker's with OpenSSL, on one core."""
    yield "to make a challenge", [milliseconds(challenge) for _ in range(TIMES)]
    asked = [challenge() for _ in range(TIMES)]
    yield "to solve one by OpenSSL", [milliseconds(lambda one=one: solve(one)) for one in asked]  # type: ignore[misc]


def in_chromium() -> Iterator[tuple[str, list[float]]]:
    """A visitor's, with the whole renderer as it is and slowed down."""
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
        page.evaluate(SOLVE, challenge())  # loads the module
        process = renderer(browser)
        took, cpu = solved_in(page, process)
        yield "to solve one in Chromium", took
        yield "the CPU time of that", cpu
        yield f"the CPU time, {SLOW} times", [SLOW * each for each in cpu]
        with slowed(process):
            took, cpu = solved_in(page, process)
        yield f"to solve one, stopped {1 - sum(cpu) / sum(took):.0%} of the time", took


def solved_in(page: Page, process: int) -> tuple[list[float], list[float]]:
    """How long solving took, and the renderer's CPU time for it, in milliseconds."""
    took, cpu = list[float](), list[float]()
    for _ in range(TIMES):
        asked, before = challenge(), cpu_time(process)
        took.append(float(page.evaluate(SOLVE, asked)))
        cpu.append(cpu_time(process) - before)
    return took, cpu


def cpu_time(process: int) -> float:
    """What all threads of ``process`` have used, in milliseconds."""
    files = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e6


def renderer(browser: Browser) -> int:
    """The process of the page: the renderer that has used most of the CPU."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [process for process in processes if process["type"] == "renderer"]
    return int(max(renderers, key=lambda process: float(process["cpuTime"]))["id"])


@contextmanager
def slowed(process: int) -> Iterator[None]:
    """Let ``process`` run one ``SLOW``th of the time.

    Chromium's own throttling slows the page's thread alone; Web Crypto has threads of its own.
    """
    over = threading.Event()
    thread = threading.Thread(target=_stop_and_go, args=(process, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _stop_and_go(process: int, over: threading.Event) -> None:
    due = time.perf_counter()
    while not over.is_set():
        for what, seconds in ((signal.SIGCONT, RUNS), (signal.SIGSTOP, RUNS * (SLOW - 1))):
            os.kill(process, what)
            due += seconds
            time.sleep(max(0.0, due - time.perf_counter()))
    os.kill(process, signal.SIGCONT)


def main() -> None:
    print(f"{'ms':50}{'median':>10}{'slowest':>10}")
    for figures in (native(), in_chromium()):
        for name, took in figures:
            print(f"{name:50}{statistics.median(took):10.1f}{max(took):10.1f}")


if __name__ == "__main__":
    main()
