"""What the machine could do at best, and what a process and its children use of it."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from webapp.accounts.people.passwords import Hasher

CORES = os.cpu_count() or 1


def hashes_per_second(seconds: float) -> float:
    """Of the product's own argon2, on all cores, with nothing beside it."""
    hasher = Hasher(1).argon2
    deadline = time.perf_counter() + seconds

    def work(_: int) -> int:
        count = 0
        while time.perf_counter() < deadline:
            hasher.hash("violet tugboat harmonica 41")
            count += 1
        return count

    with ThreadPoolExecutor(CORES) as threads:
        return sum(threads.map(work, range(CORES))) / seconds


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


plain = Starlette(routes=[Route("/", hello)])
"""As little as Starlette can do, for one uvicorn to serve: ``bench.machine:plain``."""


class Usage:
    """CPU and memory of process trees by name, from its making until ``stop``."""

    def __init__(self, **roots: int) -> None:
        self.roots = {name: psutil.Process(pid) for name, pid in roots.items()}
        self.before, self.began, self.cpu = self._cpu(), time.perf_counter(), dict[str, float]()

    def stop(self) -> None:
        """Take the measure: ``cpu`` in seconds by name, and ``others``' cores meanwhile."""
        after, seconds = self._cpu(), time.perf_counter() - self.began
        self.cpu = {name: after[name] - self.before[name] for name in after}
        machine = self.cpu.pop("machine")
        self.others = (machine - sum(self.cpu.values())) / seconds

    def _cpu(self) -> dict[str, float]:
        times = psutil.cpu_times()
        used = {name: sum(map(_seconds, tree(root))) for name, root in self.roots.items()}
        busy = times.user + times.nice + times.system + times.irq + times.softirq
        return used | {"bench": _seconds(psutil.Process()), "machine": busy}


def _seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user + times.system
    return 0.0


def tree(root: psutil.Process) -> Iterator[psutil.Process]:
    """A process and all below it."""
    yield root
    with contextlib.suppress(psutil.NoSuchProcess):
        yield from root.children(recursive=True)


def megabytes(pid: int) -> float:
    """The resident memory of a process tree; what processes share is counted once.

    As a container's memory limit counts it. Where the system does not tell (PSS, on Linux), shared
    memory counts for each process.
    """
    total = 0
    for process in tree(psutil.Process(pid)):
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.rss)
    return total / 2**20


@contextlib.asynccontextmanager
async def peak(pid: int) -> AsyncIterator[list[float]]:
    """The most memory that a tree has in the ``with`` block, as the one item of a list."""
    most = [megabytes(pid)]

    async def watch() -> None:
        while True:
            most[0] = max(most[0], megabytes(pid))
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    try:
        yield most
    finally:
        watching.cancel()
