"""Shows the operator's doctor how its request arrived through the proxies, and shows nobody else.

The doctor proves itself by a signature of SECRET_KEY over the time, which counts for a minute.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.types import Scope

from webapp.web.security import header_values

HEADER = "x-doctor"
VALID_FOR = timedelta(minutes=1)  # and as far ahead: the two clocks may differ


def sign(secret_key: str, now: datetime) -> str:
    """The value of ``HEADER`` for a request made now."""
    moment = str(int(now.timestamp()))
    message = f"doctor\0{moment}".encode()
    return f"{moment}.{hmac.digest(secret_key.encode(), message, hashlib.sha256).hex()}"


def is_signed(headers: Mapping[str, str], secret_key: str, now: datetime) -> bool:
    """Whether the request is our doctor's, and new."""
    value = headers.get(HEADER, "")
    moment = value.partition(".")[0]
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 11):  # noqa: PLR2004
        return False
    signed_at = datetime.fromtimestamp(int(moment), UTC)
    right = hmac.compare_digest(value.encode(), sign(secret_key, signed_at).encode())
    return right and abs(now - signed_at) <= VALID_FOR


def arrival(scope: Scope) -> dict[str, Any]:
    """What the proxies made of a request: each header's values, as they came."""
    return {
        "host": _values(scope, b"host"),
        "forwarded_for": [
            address.strip()
            for line in _values(scope, b"x-forwarded-for")
            for address in line.split(",")
        ],
        "forwarded_proto": _values(scope, b"x-forwarded-proto"),
    }


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for value in header_values(scope, name)]
