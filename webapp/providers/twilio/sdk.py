"""Twilio's SDK over our client. Imported at its first use: it costs 0.1 s and 15 MB."""

import logging
from collections.abc import Mapping
from typing import Any

from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from webapp.providers.answers import ErrorParser
from webapp.providers.client import VendorClient

COUNTRY_CODE = 2  # letters


def sdk_client(
    vendor: VendorClient, parse_error: ErrorParser, account_sid: str, username: str, secret: str
) -> Client:
    """An SDK client that makes its calls through ``vendor``, with errors by ``parse_error``."""
    return Client(
        username,
        secret,
        account_sid,
        http_client=Http(vendor, parse_error),
        environment={"TWILIO_EDGE": ""},  # an empty one would make it read os.environ
    )


class Http(AsyncHttpClient):  # type: ignore[misc]
    """The HTTP client that the SDK calls."""

    def __init__(self, vendor: VendorClient, parse_error: ErrorParser) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True)
        self._vendor, self._parse_error = vendor, parse_error

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 (ours holds)
        allow_redirects: bool = False,  # noqa: ARG002 (never)
    ) -> Response:
        """Make one call. Raises ``ProviderError`` where the SDK would raise its own error."""
        answer = await self._vendor.call(
            f"{method} {resource(uri)}",
            method,
            uri,
            parse_error=self._parse_error,
            params=params,
            data=data,
            headers=headers,
            auth=auth,
        )
        return Response(answer.status, answer.text, answer.headers)


def resource(uri: str) -> str:
    """The resource that a URI names, without SIDs, numbers and countries: "VerificationCheck"."""
    words = (part.removesuffix(".json") for part in uri.partition("?")[0].split("/"))
    return [word for word in words if word.isalpha() and len(word) > COUNTRY_CODE][-1]
