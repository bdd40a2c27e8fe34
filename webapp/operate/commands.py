"""The operator's commands as `python -m webapp` has them. Each gives the lines to print."""

from argparse import Namespace
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from webapp.operate import blocks, story
from webapp.settings import Settings

Command = Callable[[Namespace, Settings, datetime], Awaitable[list[str]]]


def add_to(commands: Any) -> None:
    """Add the parsers to those of ``argparse``; the ``run`` of the options is a ``Command``."""
    telling = commands.add_parser(
        "story", help="what happened to a phone number in the last 30 days, and why"
    )
    telling.add_argument("number", help="with its country code: +447400123456")
    telling.set_defaults(run=_story)
    blocking = commands.add_parser("block", help="send no text there from now on")
    blocking.add_argument("what", help=blocks.SHAPES)
    blocking.add_argument("--for", dest="span", metavar="24h", help="30m, 24h, 7d; else for good")
    blocking.set_defaults(run=_block)
    lifting = commands.add_parser("unblock", help="lift a block")
    lifting.add_argument("what", help=blocks.SHAPES)
    lifting.set_defaults(run=_unblock)
    commands.add_parser("blocks", help="list what is blocked").set_defaults(run=_blocks)


async def _story(options: Namespace, settings: Settings, now: datetime) -> list[str]:
    return await story.tell(story.read_number(options.number), settings.secret_key, now)


async def _block(options: Namespace, _: Settings, now: datetime) -> list[str]:
    return [await blocks.block(options.what, options.span, now)]


async def _unblock(options: Namespace, _: Settings, now: datetime) -> list[str]:
    return [await blocks.unblock(options.what, now)]


async def _blocks(_: Namespace, __: Settings, now: datetime) -> list[str]:
    return await blocks.listed(now)
