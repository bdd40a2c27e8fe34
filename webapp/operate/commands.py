"""The operator's commands as `python -m webapp` has them. Each gives the lines to print."""

from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from webapp.operate import blocks, report, story
from webapp.settings import Settings

GIVEN = ("who", "yes", "number")  # what the actions of `people` take of the options
Command = Callable[[Namespace, Settings, datetime], Awaitable[list[str]]]


def add_to(commands: Any) -> None:
    """Add the parsers to those of ``argparse``; the ``run`` of the options is a ``Command``."""
    telling = commands.add_parser(
        "story", help="what happened to a phone number in the last 30 days, and why"
    )
    telling.add_argument("number", help="with its country code: +447400123456")
    telling.set_defaults(run=_story)
    reporting = commands.add_parser(
        "report", help="what was asked for, sent, refused and paid on a day"
    )
    reporting.add_argument("day", nargs="?", default="yesterday", help="yesterday, today or a date")
    reporting.set_defaults(run=_report)
    blocking = commands.add_parser("block", help="send no text there from now on")
    blocking.add_argument("what", help=blocks.SHAPES)
    blocking.add_argument("--for", dest="span", metavar="24h", help="30m, 24h, 7d; else for good")
    blocking.set_defaults(run=_block)
    lifting = commands.add_parser("unblock", help="lift a block")
    lifting.add_argument("what", help=blocks.SHAPES)
    lifting.set_defaults(run=_unblock)
    commands.add_parser("blocks", help="list what is blocked").set_defaults(run=_blocks)
    _add_people(commands.add_parser("people", help="look at accounts and act on them"))


def _add_people(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="who there is, a JSON line for each")
    actions.add_parser("export", help="all that is stored of everybody but secrets, the same way")
    for name, words in {
        "show": "what happened to one person",
        "erase": "remove every trace of a person",
        "sign-out": "end every session of a person",
        "unlock": "lift the pauses after wrong passwords, wrong codes, many texts and emails",
        "change-phone": "give a person another number, whose owner you have made sure of",
    }.items():
        action = actions.add_parser(name, help=words)
        action.add_argument("who", metavar="WHO", help="an email, a number, or a sub")
        if name == "erase":
            action.add_argument("--yes", action="store_true", help="it cannot be undone")
        if name == "change-phone":
            action.add_argument("number", help="with its country code: +447400123456")


async def _story(options: Namespace, settings: Settings, now: datetime) -> list[str]:
    return await story.tell(story.read_number(options.number), settings.secret_key, now)


async def _report(options: Namespace, settings: Settings, now: datetime) -> list[str]:
    return await report.report(report.read_day(options.day, now.date()), settings.spend_currency)


async def _block(options: Namespace, _: Settings, now: datetime) -> list[str]:
    return [await blocks.block(options.what, options.span, now)]


async def _unblock(options: Namespace, _: Settings, now: datetime) -> list[str]:
    return [await blocks.unblock(options.what, now)]


async def _blocks(_: Namespace, __: Settings, now: datetime) -> list[str]:
    return await blocks.listed(now)
