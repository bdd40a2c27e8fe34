"""The applications that may sign people in here, as the variable `OIDC_CLIENTS` names them."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from webapp.settings import urls, values

CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
FEWEST_WORDS = 3  # an id, a secret and a redirect URI


@dataclass(frozen=True, slots=True)
class Client:
    """One application. A code goes to no URL but its ``redirect_uris``, letter by letter."""

    client_id: str
    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]


def clients(text: str) -> tuple[Client, ...]:
    """One client a line, or between semicolons: id, secret and redirect URIs, by spaces."""
    read = tuple(_client(line.split()) for line in re.split(r"[;\n]", text) if line.strip())
    ids = [client.client_id for client in read]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise ValueError(f"names {', '.join(twice)} twice")
    return read


def _client(words: list[str]) -> Client:
    if len(words) < FEWEST_WORDS:
        raise ValueError("must be lines of: client_id client_secret redirect_uri [redirect_uri …]")
    client_id, secret, *redirect_uris = words
    if not CLIENT_ID.fullmatch(client_id):
        raise ValueError("client_id must be letters, digits, and any of . _ ~ -, 64 at most")
    try:
        values.secret(secret)
    except ValueError as wrong:
        raise ValueError(f"the secret of {client_id} {wrong}") from None
    return Client(client_id, secret, tuple(map(_redirect_uri, redirect_uris)))


def _redirect_uri(text: str) -> str:
    """RFC 6749, 3.1.2: absolute and without a fragment; codes are not sent in the clear."""
    urls.link(text)
    parts = urlsplit(text)
    if "#" in text or not (parts.scheme == "https" or urls.is_loopback(parts.hostname or "")):
        raise ValueError("a redirect_uri must be https (or on this machine) and have no fragment")
    return text
