"""The commands of `python -m webapp`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
import uvloop

from webapp import server
from webapp.accounts.history.recorder import writing
from webapp.accounts.sending.delivery import delivering
from webapp.app import Ports, create_app
from webapp.clients.oidc.keys import Keyring
from webapp.clock import synchronised, utcnow
from webapp.database import Database
from webapp.operate import CommandError
from webapp.operate import commands as operators
from webapp.schema import UNUSABLE, log_mismatches, mismatches
from webapp.settings import Settings
from webapp.web import log as logs

WORKER_CONNECTIONS = 2  # to PostgreSQL: it delivers a few messages at a time


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
        case "keys":
            _run(partial(rotate_keys, at_once=options.at_once))
        case "people":
            _run(partial(people, options=options))
        case _:
            _run(partial(operate, options=options))


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
    operators.add_to(commands)
    keys = commands.add_parser("keys", help="the keys that sign tokens for your applications")
    rotate = keys.add_subparsers(dest="action", required=True).add_parser(
        "rotate", help="sign with a new key; the old one is published for another day"
    )
    rotate.add_argument(
        "--at-once", action="store_true", help="publish the old one no more: it was stolen"
    )
    return parser


def _run(command: Callable[[Settings], Coroutine[Any, Any, int]]) -> None:
    sys.exit(uvloop.run(command(Settings.from_environment())))


def dev(host: str, port: str | None) -> None:
    """Migrate, then serve for development."""
    settings = Settings.from_environment(development=True, **({"PORT": port} if port else {}))
    listener = server.listen(settings.port, host)
    asyncio.run(migrate(settings))
    app = create_app(settings, Ports(receipts_by_themselves=True))
    _say(f"\n  Sign up  {settings.base_url}\n  Phone    {settings.base_url}/sandbox/phone\n")
    server.serve(app, listener)


def web() -> None:
    """Serve as deployed, by ``WEB_CONCURRENCY`` workers."""
    settings = Settings.from_environment()
    app = create_app(settings)
    server.serve_by_workers(app, server.listen(settings.port), settings.web_concurrency)


async def migrate(settings: Settings) -> int:
    """Apply the migrations that the database lacks, and tell where it is ahead of this version."""
    async with _database(settings, "migrate", statement_timeout=None) as database:
        for name in await database.migrate():
            _say(f"applied {name}")
        for line in await mismatches(database):
            print(f"DATABASE_URL: {line}", file=sys.stderr)
    return 0


async def rotate_keys(settings: Settings, *, at_once: bool) -> int:
    """Sign tokens with a new key from here on, in every process."""
    async with _database(settings, "rotate"):
        name = await Keyring(settings.secret_key, utcnow).rotate(at_once=at_once)
        _say(f"{name} signs from now on")
    return 0


@asynccontextmanager
async def _database(settings: Settings, doing: str, **options: Any) -> AsyncIterator[Database]:
    """The database, open. Where it fails the process ends with a line."""
    database = Database(settings.database_url, schema=settings.database_schema, **options)
    await database.open()
    try:
        yield database
    except UNUSABLE as error:
        advice = (
            ". DATABASE_SCHEMA keeps our tables apart" if "already exists" in str(error) else ""
        )
        sys.exit(f"DATABASE_URL: cannot {doing}: {type(error).__name__}: {error}{advice}")
    finally:
        await database.close()


async def operate(settings: Settings, *, options: argparse.Namespace) -> int:
    """Run one of the operator's commands."""
    async with _database(settings, options.command):
        try:
            _say("\n".join(await options.run(options, settings, utcnow())))
        except CommandError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


async def people(settings: Settings, *, options: argparse.Namespace) -> int:
    """Act on accounts; what is printed is for machines, and the log goes to standard error."""
    from webapp.operate.people import ACTIONS, Operator  # noqa: PLC0415 - see doctor

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `people list | head` ends in silence
    given = {name: value for name, value in vars(options).items() if name in operators.GIVEN}
    state = create_app(settings).state
    logs.configure(settings.log_format, secret=settings.secret_key, stream=sys.stderr)
    operator = Operator(os.environ.get("USER") or "unknown", state.site)
    try:
        async with _database(settings, options.action, statement_timeout=None):
            async for line in ACTIONS[options.action](operator, **given):
                print(line)
    except CommandError as error:
        sys.exit(str(error))
    finally:
        await state.providers.aclose()
    return 0


async def worker(settings: Settings) -> int:
    """Deliver the outbox until SIGTERM or SIGINT; what is in flight is finished first."""
    state = create_app(settings).state
    database = Database(
        settings.database_url, pool_size=WORKER_CONNECTIONS, schema=settings.database_schema
    )
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await database.open()
    await log_mismatches(database)
    try:
        async with (
            synchronised(state.site.clock),
            writing(state.history),
            delivering(state.outbox, state.receipts),
        ):
            await stopping.wait()
    finally:
        await state.providers.aclose()
        await database.close()
    return 0


async def doctor(settings: Settings) -> int:
    """Print what is wrong with a deployment; where nothing is, what it goes without."""
    from webapp.doctor import examine, remarks  # noqa: PLC0415 - 7 MB that `web` has no use for

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    faults = [fault async for fault in examine(settings)]
    _say("\n".join(faults or ["All is well.", *await remarks(settings)]))
    return 1 if faults else 0


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    main()
