"""``make bench``: one table. See README.md beside this file."""

import argparse
import asyncio
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from bench import lighthouse
from bench.deployment import OFF, RAISED, Site, database, deployed, revision, workers
from bench.machine import CORES, Usage, hashes_per_second, megabytes, peak
from bench.vendor import Vendor
from bench.visitors import Crowd, requests_per_second
from tests.postgres import Postgres
from tests.rows import Rows

Figures = dict[str, float]
HANGING = 8.0  # seconds that a vendor takes who hangs; ours gives up after 10
OVERLOADED = 30.0  # seconds, for the queue to be as long as it may get
BUSY = """SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'signup' AND datname = current_database() AND state <> 'idle'"""
CALLS = 2  # to the vendor, that a journey waits for: the code sent, and checked
COLUMN = 12  # characters
REFERENCES = ("floor", "limit")


class Column(NamedTuple):
    """What is measured: a revision, here or another, with a past of so many people."""

    name: str
    commit: str | None = None
    people: int = 0
    limits: dict[str, str] = RAISED


class Bench:
    """One revision, measured in every way."""

    def __init__(self, options: argparse.Namespace, server: Postgres) -> None:
        self.options, self.server, self.vendor = options, server, Vendor()

    async def run(self, files: Path, column: Column) -> Figures:
        """Start it anew, with its past, and take its figures."""
        figures: Figures = {}
        database_url = self.server.create(uuid4().hex)
        async with self.vendor.serving() as vendor_url:
            self.vendor.latency = 0
            with deployed(files, database_url, vendor_url, column.limits) as site:
                await asyncio.sleep(2)  # until all workers are there
                figures["first answer, s"] = site.cold_start
                figures["memory idle, MB"] = megabytes(site.pid)
                if column.people:
                    await asyncio.to_thread(Rows(database_url).fill, column.people)
                page = f"{site.url}/signup"
                figures["sign-up page, requests/s"] = await requests_per_second(
                    page, self.options.seconds / 2
                )
                async with peak(site.pid) as most:
                    figures |= await self._journeys(site)
                figures["memory at its peak, MB"] = most[0]
                for visitors in self.options.bursts:
                    figures |= await self._burst(site, visitors)
                if self.options.waiting:
                    figures |= await self._waiting(site, database_url)
                if self.options.overload:
                    figures |= await self._overload(site, 2 * figures["journeys/s"])
                if self.options.lighthouse:
                    scores = await asyncio.to_thread(lighthouse.scores, page)
                    figures |= {f"Lighthouse, {name}": score for name, score in scores.items()}
        return figures

    async def run_floor(self, name: str) -> Figures:
        """The figures of the least sign-up that the stack allows."""
        database_url = self.server.create(name)
        async with self.vendor.serving() as vendor_url:
            self.vendor.latency = 0
            environ = {"DATABASE_URL": database_url, "VENDOR_URL": vendor_url}
            with workers("bench.floor:app", "/signup", **environ) as site:
                figures = {"memory idle, MB": megabytes(site.pid)}
                async with peak(site.pid) as most:
                    figures |= await self._journeys(site)
                figures["memory at its peak, MB"] = most[0]
                for visitors in self.options.bursts:
                    figures |= await self._burst(site, visitors)
        return figures

    async def _journeys(self, site: Site) -> Figures:
        crowd = Crowd(site.url, self.vendor)
        warm = time.perf_counter() + 2
        await crowd.come_and_go(self.options.visitors, lambda: time.perf_counter() > warm)
        crowd.done = 0
        usage = Usage(web=site.pid, database=self.server.process.pid)
        began, end = time.perf_counter(), time.perf_counter() + self.options.seconds
        await crowd.come_and_go(self.options.visitors, lambda: time.perf_counter() > end)
        usage.stop()
        seconds, done = time.perf_counter() - began, max(1, crowd.done)
        return {
            "journeys/s": crowd.done / seconds,
            "journeys that failed": len(_told(crowd.failures)),
            "CPU of the web a journey, ms": 1000 * usage.cpu["web"] / done,
            "CPU of PostgreSQL a journey, ms": 1000 * usage.cpu["database"] / done,
            "cores used by others meanwhile": usage.others,
        }

    async def _burst(self, site: Site, visitors: int) -> Figures:
        crowd = Crowd(site.url, self.vendor)
        self.vendor.latency = self.options.latency
        seconds = await crowd.come_at_once(visitors)
        self.vendor.latency = 0
        return {
            f"{visitors} at once: all done, s": seconds,
            f"{visitors} at once: failed": len(_told(crowd.failures)),
            f"{visitors} at once: the page meanwhile, p95 ms": 1000 * _p95(crowd.probes),
        }

    async def _waiting(self, site: Site, database_url: str) -> Figures:
        people, crowd = self.options.waiting, Crowd(site.url, self.vendor)
        entering = await crowd.wait_at_the_code(people, self.options.visitors)
        before = megabytes(site.pid)
        self.vendor.latency = HANGING
        answers = asyncio.gather(*entering)
        await asyncio.sleep(HANGING * 0.8)
        waiting = megabytes(site.pid)
        [[busy]] = Rows(database_url).all(BUSY)
        await answers
        self.vendor.latency = 0
        return {
            f"{people} waiting for a vendor: KB each": 1024 * (waiting - before) / people,
            f"{people} waiting for a vendor: busy connections": busy,
        }

    async def _overload(self, site: Site, rate: float) -> Figures:
        crowd = Crowd(site.url, self.vendor)
        await crowd.come_at_a_rate(rate, OVERLOADED)
        return {
            "at twice the load: turned away, %": 100 * len(crowd.refusals) / (rate * OVERLOADED),
            "at twice the load: turned away after, p95 ms": 1000 * _p95(crowd.refusals or [0]),
            "at twice the load: the slowest taken, s": max(crowd.sign_ups),
        }


def _told(failures: list[str]) -> list[str]:
    for failure in sorted(set(failures)):
        print(f"  failed {failures.count(failure)} times: {failure}", file=sys.stderr)
    return failures


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


async def limits(options: argparse.Namespace) -> Figures:
    """The same figures as they would be if the product cost nothing."""
    hashes = hashes_per_second(options.seconds / 2)
    with workers("bench.machine:plain", "/") as site:
        hellos = await requests_per_second(f"{site.url}/", options.seconds / 2)
    best = {
        "journeys/s": hashes,
        "CPU of the web a journey, ms": 1000 * CORES / hashes,
        "sign-up page, requests/s": hellos,
    }
    for visitors in options.bursts:
        best[f"{visitors} at once: all done, s"] = CALLS * options.latency + visitors / hashes
    return best


def table(runs: Mapping[str, list[Figures]]) -> str:
    """Medians, a column for each name, and the last revision's share of the floor and the limit."""
    names = [name for name in runs if name not in REFERENCES]
    medians = {name: _medians(figures) for name, figures in runs.items()}
    lines = [_row("", *names, *REFERENCES, *(f"of {name}" for name in REFERENCES))]
    for what, value in medians[names[-1]].items():
        cells = [_number(medians[name].get(what)) for name in [*names, *REFERENCES]]
        shares = [_share(value, medians[name].get(what)) for name in REFERENCES]
        lines.append(_row(what, *cells, *shares))
    return "\n".join(lines)


def _share(value: float, reference: float | None) -> str:
    return f"{100 * value / reference:.0f} %" if reference else ""


def _medians(runs: list[Figures]) -> Figures:
    values = defaultdict(list)
    for figures in runs:
        for what, value in figures.items():
            values[what].append(value)
    return {what: statistics.median(several) for what, several in values.items()}


def _row(what: str, *cells: str) -> str:
    return f"{what:<46}" + "".join(f"{cell:>{COLUMN}}" for cell in cells)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


async def main(options: argparse.Namespace) -> None:
    runs: dict[str, list[Figures]] = defaultdict(list)
    columns = [Column("here")]
    if options.base:
        columns.insert(0, Column(options.base, options.base))
    if options.past:
        columns.insert(-1, Column("with a past", people=options.past))
    if options.limits_off:
        columns.insert(-1, Column("limits off", limits=OFF))
    with database() as server:
        for number in range(options.runs):
            runs["limit"].append(await limits(options))
            for column in columns:
                print(f"run {number + 1} of {options.runs}: {column.name}", file=sys.stderr)
                with revision(column.commit) as files:
                    runs[column.name].append(await Bench(options, server).run(files, column))
            print(f"run {number + 1} of {options.runs}: floor", file=sys.stderr)
            runs["floor"].append(await Bench(options, server).run_floor(uuid4().hex))
            runs["limit"].append(await limits(options))  # machines that are shared change speed
    print(table(runs))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--base", help="a revision to run as well, for before and after")
    parser.add_argument("--runs", type=int, default=3, help="of which medians are taken")
    parser.add_argument("--seconds", type=float, default=8, help="of load in each run")
    parser.add_argument("--visitors", type=int, default=16, help="at all times")
    parser.add_argument("--bursts", type=int, nargs="*", default=[200, 500], help="at once")
    parser.add_argument("--latency", type=float, default=1.0, help="of the vendor in a burst, s")
    parser.add_argument("--waiting", type=int, default=0, help="people for a vendor that hangs")
    parser.add_argument("--overload", action="store_true", help="come at twice the rate it stands")
    parser.add_argument("--past", type=int, default=0, help="a column with so many people's rows")
    parser.add_argument("--limits-off", action="store_true", help="a column without any limit")
    parser.add_argument("--lighthouse", action="store_true", help="ask it for its scores, too")
    return parser.parse_args()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(arguments()))
