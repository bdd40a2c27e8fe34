"""Development's settings and network: what no credentials are given for, the sandbox plays."""

from dataclasses import replace

import httpx

from webapp import sandbox
from webapp.providers.http import Pools
from webapp.settings import Settings

TWILIO_HOSTS = frozenset({"verify.twilio.com", "api.twilio.com"})
AUTHY_HOSTS = frozenset({"api.authy.com"})


def simulated_hosts(settings: Settings) -> frozenset[str]:
    """The vendors' hosts that the sandbox stands in for."""
    everything = settings.verify_provider == "sandbox"
    twilio = everything or not (settings.twilio_account_sid or settings.twilio_base_url)
    authy = everything or not (settings.authy_api_key or settings.authy_base_url)
    return (TWILIO_HOSTS if twilio else frozenset()) | (AUTHY_HOSTS if authy else frozenset())


def with_credentials(settings: Settings) -> Settings:
    """``settings`` with the sandbox's credentials where there are none."""
    hosts = simulated_hosts(settings)
    if hosts >= TWILIO_HOSTS:
        settings = replace(
            settings,
            twilio_account_sid=sandbox.ACCOUNT_SID,
            twilio_auth_token=sandbox.AUTH_TOKEN,
            twilio_api_key="",
            twilio_verify_service_sid=sandbox.VERIFY_SERVICE_SID,
            twilio_number=sandbox.NUMBER,
            twilio_messaging_service_sid="",
            twilio_base_url="",
        )
    if hosts >= AUTHY_HOSTS:
        settings = replace(settings, authy_api_key=sandbox.AUTHY_API_KEY, authy_base_url="")
    return settings


class Network(httpx.AsyncBaseTransport):
    """The sandbox for some hosts, the real network for all others."""

    def __init__(self, box: sandbox.Sandbox, hosts: frozenset[str]) -> None:
        self.hosts = hosts
        self.sandbox = httpx.ASGITransport(box.vendor_app)
        self.real = Pools()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        transport = self.sandbox if request.url.host in self.hosts else self.real
        return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self.real.aclose()
