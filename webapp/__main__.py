"""The commands: dev, web, migrate, worker, doctor."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from webapp.settings import Settings


def main() -> None:
    options = _parser().parse_args()
    match options.command:
        case "dev":
            dev(options.host, options.port)
        case "web":
            web()
        case "migrate":
            _run(migrate(Settings.from_environment()))
        case "worker":
            _run(worker(Settings.from_environment()))
        case "doctor":
            _run(doctor(Settings.from_environment()))


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


def _run(command: Coroutine[Any, Any, int]) -> None:
    import uvloop  # noqa: PLC0415

    sys.exit(uvloop.run(command))


def dev(host: str, port: str | None) -> None:
    """Migrate, then serve for development."""
    from webapp.app import create_app  # noqa: PLC0415

    settings = Settings.from_environment(development=True, **({"PORT": port} if port else {}))
    asyncio.run(migrate(settings))
    app = create_app(settings)
    _say(f"\n  Sign up  {settings.base_url}\n  Phone    {settings.base_url}/sandbox/phone\n")
    _serve(app, host=host, port=settings.port, timeout_graceful_shutdown=5)


def web() -> None:
    """Serve as deployed.

    The settings are read here, before there are workers: a supervisor would take one that ends
    for their sake for one that crashed, and start the next, for ever.
    """
    settings = Settings.from_environment()
    _serve(
        "webapp.app:production",
        factory=True,
        host="0.0.0.0",  # noqa: S104 - the platform's router comes from outside
        port=settings.port,
        workers=settings.web_concurrency,
        timeout_graceful_shutdown=25,  # a platform kills after 30 seconds
    )


def _serve(app: Any, **options: Any) -> None:
    import uvicorn  # noqa: PLC0415

    uvicorn.run(
        app,
        lifespan="on",
        access_log=False,  # ours is without personal data
        log_config=None,
        proxy_headers=False,  # ours counts the hops
        server_header=False,
        **options,
    )


async def migrate(settings: Settings) -> int:
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


async def worker(settings: Settings) -> int:
    """Deliver the outbox until SIGTERM or SIGINT; what is in flight is finished first."""
    from webapp.accounts.outbox import delivering  # noqa: PLC0415
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


async def doctor(settings: Settings) -> int:
    """Print what a deployment lacks, and nothing but that."""
    import structlog  # noqa: PLC0415

    from webapp.doctor import examine  # noqa: PLC0415

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    faults = [fault async for fault in examine(settings)]
    _say("\n".join(faults) or "All is well.")
    return 1 if faults else 0


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    main()
