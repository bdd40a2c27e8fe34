"""Settings that are URLs: each check raises ``ValueError`` and repeats no secret."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from webapp.connections import libpq

SMTPS_PORT = 465


def origin(text: str) -> str:
    """Scheme, host and perhaps a port, where calls go instead of to a vendor."""
    text = text.rstrip("/")
    _web_url(text)
    return text


def origin_or_off(text: str) -> str:
    """The same; empty where the setting is ``off``."""
    return "" if text == "off" else origin(text)


def public_origin(text: str) -> str:
    """Our own origin, as browsers write it in ``Origin`` and ``Host``."""
    text = text.rstrip("/")
    parts = _web_url(text)
    if text.partition("://")[2] != parts.netloc or "@" in parts.netloc or parts.port == 0:
        raise ValueError("must be an origin alone: scheme, host and perhaps a port")
    return text.lower()


def link(text: str) -> str:
    """A page or an endpoint elsewhere, with whatever path and query."""
    if not re.fullmatch(r"[!-\[\]-~]+", text) or "@" in _web_url(text).netloc:
        raise ValueError("must be a URL like https://example.com/page, without a user in it")
    return text


def contact(text: str) -> str:
    """A page elsewhere, or an address to write to: ``mailto:…``."""
    if re.fullmatch(r"mailto:[!-\[\]-~]+@[!-\[\]-~]+", text):
        return text
    return link(text)


def origins(text: str) -> frozenset[str]:
    """Origins, with commas or spaces between them."""
    return frozenset(map(public_origin, text.replace(",", " ").split()))


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def database(text: str) -> str:
    """PostgreSQL, by a URL that libpq would take, or an SQLite file."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("cannot be read as a URL") from None
    if parts.scheme in libpq.SCHEMES:
        libpq.parameters(text)
    elif parts.scheme != "sqlite":
        raise ValueError("must begin with postgres:// or sqlite://")
    elif not parts.netloc + parts.path:
        raise ValueError("names no file: sqlite://path")
    elif parts.query or parts.fragment:
        raise ValueError("has options or a fragment, which sqlite:// does not take")
    return text


def redis(text: str) -> str:
    """A URL that redis-py can make a connection of; none is opened."""
    from redis.asyncio import ConnectionPool  # noqa: PLC0415 - most start without Redis
    from redis.exceptions import RedisError  # noqa: PLC0415

    if not text.startswith(("redis://", "rediss://")):
        raise ValueError("must begin with redis:// or rediss://")
    try:
        ConnectionPool.from_url(text).make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, AttributeError, RedisError):  # for options too
        raise ValueError("has a port or options that redis-py does not take") from None
    return text


def smtp(text: str) -> str:
    """A mail server: `smtp://` with STARTTLS, or `smtps://`."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("cannot be read as a URL") from None
    if parts.scheme not in ("smtp", "smtps") or not _is_host(parts.hostname):
        raise ValueError("must be a URL like smtp://user:password@smtp.example.com:587")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(
            "must end with the host or port; encode / ? # in the password as %2F %3F %23"
        )
    if parts.scheme == "smtp" and port == SMTPS_PORT:
        raise ValueError("names the port of smtps://, at which STARTTLS is not spoken")
    return text


def _web_url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not _is_host(parts.hostname):
        raise ValueError("must be a URL like https://example.com")
    return parts


def _is_host(name: str | None) -> bool:
    """Whether browsers can ask for ``name``; they write letters beyond ASCII in punycode."""
    try:
        ascii_name = (name or "").encode("idna").decode()
    except UnicodeError:
        return False
    return bool(re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", ascii_name))
