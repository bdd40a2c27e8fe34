"""Defaults that are made of other settings, or kept in a file."""

from collections.abc import Mapping
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlsplit

from webapp.settings import values

DEV_SECRET_FILE = Path(".secret_key")


def development_secret(_: Mapping[str, Any]) -> str:
    """Made once and kept, so that a restart signs nobody out. Raises ``ValueError``."""
    try:
        if not DEV_SECRET_FILE.exists():
            DEV_SECRET_FILE.touch(mode=0o600)
            DEV_SECRET_FILE.write_text(token_urlsafe(32))
        return values.secret(DEV_SECRET_FILE.read_text().strip())
    except OSError as error:
        why = f"{error.strerror}: it is made where `dev` is started. Set SECRET_KEY instead"
        raise ValueError(f"cannot be kept in {DEV_SECRET_FILE}: {why}") from None
    except ValueError:
        raise ValueError(f"{DEV_SECRET_FILE} holds no secret. Delete the file") from None


def local_origin(read: Mapping[str, Any]) -> str:
    return f"http://localhost:{read['port']}"


def host(read: Mapping[str, Any]) -> str:
    return urlsplit(read["base_url"]).hostname or ""
