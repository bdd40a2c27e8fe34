"""What every simulated vendor has, and what it says of itself."""

import base64
import binascii
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import ClassVar, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from webapp.sandbox.callbacks import Callbacks
from webapp.sandbox.phone import Inbox


class Twin(ABC):
    """A simulated API of a vendor."""

    name: ClassVar[str]  # the vendor's: its settings begin with it
    hosts: ClassVar[frozenset[str]]
    # The settings that reach it, by field name, with values of the vendor's form; it takes others
    # of that form too. The first one tells whether a developer has an account at the real vendor.
    # Empty where nobody needs one.
    credentials: ClassVar[Mapping[str, str]]
    codes: ClassVar[Collection[str]]  # the error codes it knows; each is a fault to ask for
    routes: Sequence[BaseRoute]

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        """``inbox`` is every phone there is."""
        self._inbox, self._clock = inbox, clock
        self.callbacks = Callbacks()

    @cached_property
    def app(self) -> ASGIApp:
        """The API as an ASGI application."""
        return application(self.routes)

    @staticmethod
    @abstractmethod
    def error(fault: str, retry_after: int | None) -> Response:
        """The vendor's answer with the error ``fault``: 429, 500 or a code, known or not."""


class ErrorResponse(Exception):
    """Ends a call with an answer that tells an error."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def application(routes: Sequence[BaseRoute]) -> Starlette:
    """The ASGI application of a vendor."""
    return Starlette(
        routes=routes, exception_handlers={ErrorResponse: _error, HTTPException: _unknown}
    )


async def _error(_: Request, error: Exception) -> Response:
    return cast(ErrorResponse, error).response


async def _unknown(_: Request, error: Exception) -> Response:
    return JSONResponse({"message": "No such call"}, cast(HTTPException, error).status_code)


def retry_after_header(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}


def basic_credentials(request: Request) -> tuple[str, str]:
    """User name and password of HTTP Basic authentication; empty where there are none."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (name, password) if scheme.lower() == "basic" else ("", "")


def is_e164(number: str) -> bool:
    """Whether a value has the form of an international number."""
    return bool(re.fullmatch(r"\+[1-9][0-9]{6,14}", number))


async def form(request: Request) -> dict[str, str]:
    """The fields of a form post."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
