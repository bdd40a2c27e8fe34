"""The commands: dev, web, migrate, worker, doctor.

What they need they import themselves: the process above the web workers is to stay small.
"""

import argparse
import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

    from webapp.settings import Settings
    from webapp.workers import Supervisor

SERVER: dict[str, Any] = {
    "loop": "uvloop",
    "http": "httptools",
    "ws": "none",
    "lifespan": "on",
    "access_log": False,  # ours is without personal data
    "log_config": None,
    "proxy_headers": False,  # ours counts the hops
    "server_header": False,
}


def main() -> None:
    options = _parser().parse_args()
    match options.command:
        case "dev":
            dev(options.host, options.port)
        case "web":
            web()
        case "migrate":
            _run(migrate)
        case "worker":
            _run(worker)
        case "doctor":
            _run(doctor)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m webapp", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("dev", help="serve for development, with the sandbox phone")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", help="8000 if neither this nor PORT says otherwise")
    commands.add_parser("web", help="serve as deployed, by WEB_CONCURRENCY processes")
    commands.add_parser("migrate", help="bring the database up to date")
    commands.add_parser("worker", help="deliver the outbox")
    commands.add_parser(
        "doctor", help="check a deployment: exit status 1 and a line for each fault"
    )
    return parser


def _run(command: Callable[["Settings"], Coroutine[Any, Any, int]]) -> None:
    import uvloop  # noqa: PLC0415

    from webapp.settings import Settings  # noqa: PLC0415

    sys.exit(uvloop.run(command(Settings.from_environment())))


def dev(host: str, port: str | None) -> None:
    """Migrate, then serve for development."""
    import asyncio  # noqa: PLC0415

    import uvicorn  # noqa: PLC0415

    from webapp.app import create_app  # noqa: PLC0415
    from webapp.settings import Settings  # noqa: PLC0415

    settings = Settings.from_environment(development=True, **({"PORT": port} if port else {}))
    asyncio.run(migrate(settings))
    app = create_app(settings)
    _say(f"\n  Sign up  {settings.base_url}\n  Phone    {settings.base_url}/sandbox/phone\n")
    uvicorn.run(app, host=host, port=settings.port, timeout_graceful_shutdown=5, **SERVER)


def web() -> None:
    """Serve as deployed, by ``WEB_CONCURRENCY`` workers.

    Whether the two variables read here are good is for the first worker to find, with the others.
    """
    from webapp.workers import Supervisor, listeners  # noqa: PLC0415

    port = _number("PORT", 8000, 65_535)
    try:
        sockets = listeners(port, _number("WEB_CONCURRENCY", 1, 64))
    except OSError as error:
        sys.exit(f"PORT: cannot listen at {port}: {error.strerror}")
    Supervisor(sockets, _work).run()


def _number(variable: str, default: int, most: int) -> int:
    value = os.environ.get(variable, "").strip()
    return int(value) if value.isdecimal() and 0 < int(value) <= most else default


def _work(family: "Supervisor", listener: "socket.socket") -> None:
    """One worker of the web process."""
    import gc  # noqa: PLC0415

    gc.disable()  # nothing that is imported is ever garbage
    import uvicorn  # noqa: PLC0415

    from webapp.app import production  # noqa: PLC0415

    app = production()
    gc.freeze()
    gc.enable()
    config = uvicorn.Config(
        app,
        **SERVER,
        timeout_graceful_shutdown=25,  # a platform kills after 30 seconds
        callback_notify=family.ready,
        timeout_notify=5,
    )
    uvicorn.Server(config).run([listener])


async def migrate(settings: "Settings") -> int:
    """Apply the migrations that the database lacks."""
    from webapp.database import DATABASE_ERRORS, Database  # noqa: PLC0415

    database = Database(settings.database_url)
    await database.open()
    try:
        for name in await database.migrate():
            _say(f"applied {name}")
    except DATABASE_ERRORS as error:
        sys.exit(f"DATABASE_URL: cannot migrate: {type(error).__name__}: {error}")
    finally:
        await database.close()
    return 0


async def worker(settings: "Settings") -> int:
    """Deliver the outbox until SIGTERM or SIGINT; what is in flight is finished first."""
    import asyncio  # noqa: PLC0415
    import signal  # noqa: PLC0415

    from webapp.accounts.sending.delivery import delivering  # noqa: PLC0415
    from webapp.app import create_app  # noqa: PLC0415

    state = create_app(settings).state
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await state.database.open()
    try:
        async with delivering(state.outbox):
            await stopping.wait()
    finally:
        await state.providers.aclose()
        await state.database.close()
    return 0


async def doctor(settings: "Settings") -> int:
    """Print what is wrong with a deployment; where nothing is, what it goes without."""
    import logging  # noqa: PLC0415

    import structlog  # noqa: PLC0415

    from webapp.doctor import examine, remarks  # noqa: PLC0415

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    faults = [fault async for fault in examine(settings)]
    _say("\n".join(faults or ["All is well.", *remarks(settings)]))
    return 1 if faults else 0


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    main()
