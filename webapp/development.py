"""Development's settings and network: the sandbox stands in for vendors without credentials.

Without a mail server, it is one.
"""

from dataclasses import fields, replace
from typing import Any

import httpx

from webapp.providers.http import Pools
from webapp.providers.smtp import Dial
from webapp.sandbox import TWINS, Sandbox
from webapp.sandbox.twin import Twin
from webapp.settings import Settings

MAIL_SERVER, SENDER = "smtp://sandbox.invalid", "no-reply@sandbox.invalid"


def simulated(settings: Settings) -> list[type[Twin]]:
    """The vendors that the sandbox stands in for."""
    everything = settings.verify_provider == "sandbox"
    return [twin for twin in TWINS if everything or not _has_account(settings, twin)]


def _has_account(settings: Settings, twin: type[Twin]) -> bool:
    return any(
        getattr(settings, name)
        for credential in list(twin.credentials)[:1]
        for name in (credential, f"{twin.name}_base_url")
    )


def simulated_hosts(settings: Settings) -> frozenset[str]:
    """The hosts whose calls go to the sandbox."""
    return frozenset(host for twin in simulated(settings) for host in twin.hosts)


def with_credentials(settings: Settings) -> Settings:
    """``settings`` with the sandbox's credentials in place of a simulated vendor's own settings."""
    stood_in = simulated(settings)
    settings = replace(settings, simulated=frozenset(twin.name for twin in stood_in))
    for twin in stood_in:
        if not twin.credentials:
            continue
        own = [one.name for one in fields(settings) if one.name.startswith(f"{twin.name}_")]
        values: dict[str, Any] = {**dict.fromkeys(own, ""), **twin.credentials}
        settings = replace(settings, **values)
    if not settings.smtp_url:
        settings = replace(settings, smtp_url=MAIL_SERVER, mail_from=settings.mail_from or SENDER)
    return settings


def dial(settings: Settings, sandbox: Sandbox) -> Dial | None:
    """How emails reach the sandbox's mailbox; None where there is a mail server."""
    return None if settings.smtp_url else sandbox.mailbox.dial


class Network(httpx.AsyncBaseTransport):
    """The sandbox for some hosts, the real network for all others."""

    def __init__(self, sandbox: Sandbox, hosts: frozenset[str]) -> None:
        self.hosts = hosts
        self.sandbox = httpx.ASGITransport(sandbox.vendor_app)
        self.real = Pools()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        transport = self.sandbox if request.url.host in self.hosts else self.real
        return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self.real.aclose()
