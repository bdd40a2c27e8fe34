"""Tortoise's configuration: the tables, and how one connects to SQLite and PostgreSQL."""

import ssl
from typing import Any
from urllib.parse import urlsplit

from webapp.connections import libpq

APP = "accounts"
MODELS = [  # the modules that have a table each
    "webapp.accounts.people.users",
    "webapp.accounts.people.sessions",
    "webapp.accounts.people.remembered_browsers",
    "webapp.accounts.people.passkeys",
    "webapp.accounts.challenges.passkey_challenges",
    "webapp.accounts.people.phone_changes",
    "webapp.accounts.challenges.verifications",
    "webapp.accounts.challenges.links",
    "webapp.accounts.challenges.entries",
    "webapp.accounts.challenges.work",
    "webapp.accounts.history.events",
    "webapp.accounts.history.totals",
    "webapp.accounts.policy.blocks",
    "webapp.accounts.policy.usage",
    "webapp.accounts.policy.prices",
    "webapp.accounts.policy.password_checks",
    "webapp.accounts.policy.link_requests",
    "webapp.accounts.sending.outbox",
    "webapp.accounts.sending.stored_receipts",
    "webapp.clients.oidc.keys",
    "webapp.clients.oidc.grants",
]
APPS: dict[str, Any] = {
    APP: {
        "models": MODELS,
        "default_connection": "default",
        "migrations": "migrations",
    }
}
CONNECT_TIMEOUT = 5.0  # seconds
STATEMENT_TIMEOUT = 10.0  # seconds; well before a platform's router gives up on the page
# PostgreSQL's settings of each session, or behind a pooler of each transaction.
SESSION_SETTINGS = {
    "jit": "off",  # to compile these short queries costs more than to run them
    # A process that is stopped inside a transaction keeps its locks for so many milliseconds; and
    # nobody waits for a lock longer than that, so that a page can still answer in time.
    "idle_in_transaction_session_timeout": "10000",
    "lock_timeout": "5000",
    # Stopped between the two parts in which asyncpg sends a statement for the first time, it is to
    # PostgreSQL not idle. This ends it, from PostgreSQL 17 on.
    "transaction_timeout": "15000",
    # A machine that is gone gives its connections back after a minute instead of two hours.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


def tortoise_config(
    database_url: str,
    *,
    pool_size: int = 5,
    schema: str = "",
    statement_timeout: float | None = STATEMENT_TIMEOUT,
) -> dict[str, Any]:
    """Tortoise's configuration for ``sqlite://path`` or a PostgreSQL URL as libpq takes it.

    With a ``schema``, every name that our statements have is looked for there and nowhere else.
    ``statement_timeout`` is in seconds; None waits for a statement however long.
    """
    parts = urlsplit(database_url)
    options: dict[str, Any] = {
        "pool_size": pool_size,
        "schema": schema,
        "statement_timeout": statement_timeout,
    }
    connection = (
        _sqlite(parts.netloc + parts.path)
        if parts.scheme == "sqlite"
        else _postgres(database_url, **options)
    )
    return {
        "connections": {"default": connection},
        "apps": APPS,
        "use_tz": True,
        "timezone": "UTC",
    }


def _sqlite(path: str) -> dict[str, Any]:
    pragmas = {"journal_mode": "WAL", "foreign_keys": "ON", "busy_timeout": 10_000}
    return {"engine": "webapp.connections.sqlite", "credentials": {"file_path": path, **pragmas}}


def _postgres(
    url: str, *, pool_size: int, schema: str, statement_timeout: float | None
) -> dict[str, Any]:
    said = libpq.parameters(url)
    settings = SESSION_SETTINGS | ({"search_path": schema} if schema else {})
    if statement_timeout is None:
        del settings["transaction_timeout"]
    startup = {name: said[name] for name in ("application_name", "options") if name in said}
    credentials = {
        "host": libpq.hosts(said) or None,
        "port": libpq.ports(said) or None,
        "user": said.get("user"),
        "password": said.get("password"),
        "passfile": said.get("passfile"),
        "database": said["dbname"],
        "target_session_attrs": said.get("target_session_attrs"),
        # Unsaid, it is PGSSLMODE of the environment, as in libpq, or else prefer.
        "ssl": tls(said["sslmode"], said.get("sslrootcert")) if "sslmode" in said else None,
        "minsize": 1,
        "maxsize": pool_size,
        "timeout": float(said.get("connect_timeout", CONNECT_TIMEOUT)),
        "command_timeout": statement_timeout,
        "reset": _no_reset,
        # Poolers refuse most startup parameters; what the URL says of them is the operator's.
        "server_settings": {"application_name": "signup"} | startup,
        "session_settings": settings,
    }
    return {"engine": "webapp.connections.asyncpg", "credentials": credentials}


async def _no_reset(_connection: object) -> None:
    """Spare the round trip by which asyncpg resets a connection after each use.

    It has rolled back an open transaction by then, which releases our locks. Settings may stay.
    """


def tls(sslmode: str, root_certificate: str | None = None) -> ssl.SSLContext | str:
    """What asyncpg takes for libpq's ``sslmode``.

    ``require`` encrypts and trusts any certificate, as platforms' self-signed ones need, unless
    ``sslrootcert`` is there, which makes it ``verify-ca``; this and ``verify-full`` check it
    against that file or the system's authorities.
    https://www.postgresql.org/docs/current/libpq-ssl.html
    """
    if sslmode == "require" and root_certificate:
        sslmode = "verify-ca"
    if sslmode not in ("verify-ca", "verify-full"):
        return sslmode
    bundle = None if root_certificate in (None, "system") else root_certificate
    context = ssl.create_default_context(cafile=bundle)
    context.check_hostname = sslmode == "verify-full"
    return context


CONFIG = tortoise_config("sqlite://:memory:")
"""For Tortoise's own command, which writes migrations and needs no database for it."""
