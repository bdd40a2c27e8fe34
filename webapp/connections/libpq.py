"""A PostgreSQL URL as libpq reads it; what we cannot do as libpq does is refused by name.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
"""

import re
import ssl
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

SCHEMES = ("postgres", "postgresql")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSIONS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
HOST = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]*))?")
HONOURED = {  # by name; with a set, only these of its values, which change nothing for us
    **dict.fromkeys(("host", "port", "dbname", "user", "password", "passfile", "options")),
    **dict.fromkeys(("sslmode", "sslrootcert", "target_session_attrs")),
    **dict.fromkeys(("application_name", "connect_timeout")),
    "channel_binding": {"disable", "prefer"},
    "client_encoding": {"utf8", "UTF8", "utf-8", "UTF-8"},
    "gssencmode": {"disable", "prefer"},
    "load_balance_hosts": {"disable"},
}
ELSEWHERE = dict.fromkeys(
    ("schema", "currentSchema", "search_path"), ": set DATABASE_SCHEMA instead"
) | {"pgbouncer": ": a pooler is recognised without it"}


def parameters(url: str) -> dict[str, str]:
    """libpq's parameters by name; a later one stands in for an earlier one, as in libpq.

    Raises ``ValueError`` with what is wrong, and repeats neither user nor password.
    """
    try:
        parts = urlsplit(url)
        said = dict([*_address(parts.netloc), *_path(parts.path), *_options(parts.query)])
    except ValueError as wrong:
        ours = str(wrong).startswith(("names", "has", "gives"))
        raise ValueError(str(wrong) if ours else "cannot be read as a URL") from None
    if parts.fragment:
        raise ValueError("has a # in it; in a password it is written %23")
    for name, value in said.items():
        _check(name, value)
    if not said.get("dbname"):
        raise ValueError("names no database")
    if len(ports(said)) not in (0, 1, len(hosts(said))):
        raise ValueError("gives not as many ports as hosts")
    return said


def hosts(said: dict[str, str]) -> list[str]:
    """The hosts to try in turn; one that begins with / is the directory of a socket."""
    return said["host"].split(",") if said.get("host") else []


def ports(said: dict[str, str]) -> list[int]:
    """Their ports: none, one for all, or one for each."""
    return [int(port or 5432) for port in said["port"].split(",")] if said.get("port") else []


def _address(netloc: str) -> Iterator[tuple[str, str]]:
    who, _, where = netloc.rpartition("@")
    user, _, password = who.partition(":")
    found = [HOST.fullmatch(host) for host in where.split(",")]
    if not all(found):
        raise ValueError("names a host or a port that is none; in a password, / is %2F, ? is %3F")
    places = [match for match in found if match]
    if user:
        yield "user", unquote(user)
    if password:
        yield "password", unquote(password)
    if any(place["host"] for place in places):
        yield "host", ",".join(unquote(place["host"].strip("[]")) for place in places)
    if any(place["port"] for place in places) or len(places) > 1:
        yield "port", ",".join(place["port"] or "" for place in places)


def _path(path: str) -> Iterator[tuple[str, str]]:
    if name := path.removeprefix("/"):
        yield "dbname", unquote(name)


def _options(query: str) -> Iterator[tuple[str, str]]:
    """The options behind the ``?``. A + in them is not a space."""
    for pair in query.split("&") if query else []:
        name, equals, value = map(unquote, pair.partition("="))
        if not equals or not re.fullmatch("[A-Za-z_]+", name):  # perhaps of a password with a ?
            raise ValueError("has a ? without name=value behind it; in a password it is %3F")
        yield ("sslmode", "require") if (name, value) == ("ssl", "true") else (name, value)


def _check(name: str, value: str) -> None:
    if name not in HONOURED:
        raise ValueError(f"has an option {name}, which is not supported{ELSEWHERE.get(name, '')}")
    if (taken := HONOURED[name]) and value not in taken:
        raise ValueError(f"{name}={value} is not supported; what is: {', '.join(sorted(taken))}")
    if name == "sslmode" and value not in SSL_MODES:
        raise ValueError(f"sslmode={value} is none of {', '.join(SSL_MODES)}")
    if name == "target_session_attrs" and value not in SESSIONS:
        raise ValueError(f"target_session_attrs={value} is none of {', '.join(SESSIONS)}")
    if name == "port" and not re.fullmatch("[0-9]{0,5}(,[0-9]{0,5})*", value):
        raise ValueError("names a port that is no number")
    if name == "connect_timeout" and not re.fullmatch("[1-9][0-9]{0,3}", value):
        raise ValueError(f"connect_timeout={value} is not a number of seconds above 0")
    if name == "sslrootcert" and value != "system":
        _check_authorities(value)


def _check_authorities(file: str) -> None:
    try:
        ssl.create_default_context(cafile=file)
    except OSError:  # the base of ssl's own errors too
        raise ValueError(f"sslrootcert={file} is no file of certificates") from None
