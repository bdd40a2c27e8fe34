"""A second messenger sends where the first is down."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog

from webapp.providers import Messenger, Misconfigured, ProviderError, Unreachable

log = structlog.get_logger("providers")

# Its network is away, or our account there is closed or without credit.
DOWN = (Unreachable, Misconfigured)


async def _go_on(_: Messenger) -> None:
    """Do nothing before another messenger is asked."""


async def send_by_first_up(
    messengers: Sequence[Messenger],
    to: str,
    body: str,
    *,
    valid_for: timedelta,
    is_code: bool = False,
    switch: Callable[[Messenger], Awaitable[None]] = _go_on,
) -> str:
    """Text ``body`` by the first messenger that is not down: the vendor's id.

    A messenger that may have sent the text is the last one asked, so that nobody gets it twice.
    ``switch`` is awaited before a messenger other than the first is asked. Raises the
    ``ProviderError`` of the messenger that was asked last.
    """
    *others, last = messengers
    for messenger, following in zip(others, messengers[1:], strict=True):
        try:
            return await messenger.send(to, body, valid_for=valid_for, is_code=is_code)
        except ProviderError as error:
            if error.maybe_sent or not isinstance(error, DOWN):
                raise
            kind = type(error).__name__
            log.warning("messenger_down", vendor=messenger.name, kind=kind, error=error.code)
        await switch(following)
    return await last.send(to, body, valid_for=valid_for, is_code=is_code)
