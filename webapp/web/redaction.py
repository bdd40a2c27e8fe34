"""Removes personal data and secrets from log lines; fingerprints stand for what is left out."""

import re
import secrets
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from structlog.types import EventDict, WrappedLogger

REDACTED = "[redacted]"
LONGEST = 2_000  # characters of one value
LONGEST_TRACEBACK = 20_000
DEEPEST = 3  # levels of lists and dicts

OUR_KEYS = frozenset(
    {"client", "level", "logger", "password_checks", "prefix", "request_id", "timestamp"}
)
"""Never redacted: we make their values. ``prefix`` is the beginning of many phone numbers, and
``password_checks`` a number of rows."""
SECRET_KEYS = frozenset(
    {"address", "body", "code", "email", "from", "from_", "name", "otp", "phone", "to"}
)
SECRET_PARTS = re.compile(
    "password|passwd|secret|token|authorization|cookie|api_?key", re.IGNORECASE
)

URL_CREDENTIALS = re.compile(r"://[^\s/]+@")
EMAIL = re.compile(
    r"""(?<![^\s<>()\[\],;:"\\])  # from the beginning of a word, so that it stays linear
    [^\s<>()\[\],;:"\\@]+ (?:@|%40) [^\s<>()\[\]{},;:"|\\@]+""",
    re.VERBOSE,
)
ASSIGNED = re.compile(
    rf"""((?:{SECRET_PARTS.pattern}|session)["']?\s{{0,3}}[=:]\s{{0,3}})
    (?:"[^"]*"|'[^']*'|(?:Basic\s|Bearer\s)?[^\s&,;)}}\]]+)""",
    re.IGNORECASE | re.VERBOSE,
)
DIGITS = re.compile(  # six or more, however spaced: codes and phone numbers
    r"(?<![0-9A-Za-z])(?:%2B|\+)?\(?\d(?:[ \t\u00a0\u2009\u202f()./-]{0,3}\d){5,}(?![0-9A-Za-z])",
    re.IGNORECASE,
)
HARMLESS_DIGITS = re.compile(
    r"(?:19|20)\d\d-[01]\d-[0-3]\d(?:[ ]\d\d)?"  # a date
    r"|(?:[0-9]{1,3}\.){3}[0-9]{1,3}"  # an IPv4 address
)
# 256 bits in base64
TOKEN = re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{43}(?![\w-])")
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
CONTROLS_IN_LINES = re.compile(CONTROLS.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))

_key = bytearray(secrets.token_bytes(32))  # until ``key_fingerprints`` is called


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Scrub what looks personal or secret from a log line: a structlog processor.

    It is the second line of defence; the first is not to log such things. It recognises phone
    numbers, emails and codes by their form, passwords only by their key.
    """
    return {key: value if key in OUR_KEYS else _clean(key, value) for key, value in event.items()}


def scrub(text: str, *, lines: bool = False) -> str:
    """``text`` without emails, credentials, phone numbers, codes and control characters.

    ``lines`` keeps line breaks and tabs, for a traceback.
    """
    if "@" in text or "%40" in text:
        text = URL_CREDENTIALS.sub(f"://{REDACTED}@", text)
        text = EMAIL.sub("[email]", text)
    text = ASSIGNED.sub(rf"\1{REDACTED}", text)
    text = TOKEN.sub("[token]", text)
    text = DIGITS.sub(_without_digits, text)
    return (CONTROLS_IN_LINES if lines else CONTROLS).sub(_escaped, text)


def fingerprint(value: str) -> str:
    """Twelve hex digits by which ``value`` can be followed through the log without being in it."""
    return blake2b(value.encode(errors="replace"), key=_key, digest_size=6).hexdigest()


def key_fingerprints(secret: str) -> None:
    """Key fingerprints with the site's secret, so that all processes make the same ones."""
    _key[:] = blake2b(secret.encode(), digest_size=32).digest()


def _clean(key: str, value: object, depth: int = 0) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _clean_text(key, value)
    if _is_secret(key):
        return REDACTED
    return value if isinstance(value, (int, float)) else _clean_object(key, value, depth)


def _clean_object(key: str, value: object, depth: int) -> object:
    if isinstance(value, (date, timedelta, UUID)):
        return str(value)
    if isinstance(value, Mapping) and depth < DEEPEST:
        return {scrub(str(k)): _clean(str(k), v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) and depth < DEEPEST:
        return [_clean(key, item, depth + 1) for item in value]
    return scrub(_shown(value)[:LONGEST])


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a log line must not fail for what it is about
        return f"<{type(value).__name__}>"


def _clean_text(key: str, text: str) -> str:
    if key in {"exception", "stack"}:
        return scrub(text[-LONGEST_TRACEBACK:], lines=True)
    if _is_secret(key):
        return REDACTED
    return scrub(text[:LONGEST])


@lru_cache(maxsize=512)
def _is_secret(key: str) -> bool:
    return key.lower() in SECRET_KEYS or SECRET_PARTS.search(key) is not None


def _without_digits(match: re.Match[str]) -> str:
    return match[0] if HARMLESS_DIGITS.fullmatch(match[0]) else "[digits]"


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
