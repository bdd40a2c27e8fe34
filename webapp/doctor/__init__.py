"""What is wrong with a deployment, a line for each fault."""

from collections.abc import AsyncIterator
from secrets import token_hex

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from webapp.app import Ports, connect_providers
from webapp.clients.webhooks import TEST, payload
from webapp.clock import utcnow
from webapp.doctor import database, front_door
from webapp.providers import SetupFault
from webapp.providers.webhook import WebhookEndpoint
from webapp.settings import Settings, misspelt

REDIS_DEADLINE = 5.0  # seconds


async def examine(settings: Settings) -> AsyncIterator[str]:
    """The faults of the deployment that ``settings`` describe, a line for each.

    Faults of the settings themselves were reported when they were loaded.
    """
    for name, meant in misspelt():
        yield f"{name}: is no setting. Is {meant} meant?"
    async for fault in database.examine(settings):
        yield fault
    async for fault in _providers(settings):
        yield fault
    if settings.redis_url and (why := await _redis(settings.redis_url)):
        yield f"REDIS_URL: does not answer ({why}): each process would count requests for itself"
    if settings.https and settings.trusted_proxy_hops == 0:
        yield (
            "TRUSTED_PROXY_HOPS: is 0, but BASE_URL is https, which a proxy in front must end: "
            "every visitor would share that proxy's address and its limits"
        )
    for fault in await front_door.examine(settings):
        yield fault


async def remarks(settings: Settings) -> list[str]:
    """What is no fault, but good to know."""
    providers = connect_providers(settings, Ports())
    try:
        said = await providers.remarks()
    finally:
        await providers.aclose()
    if not settings.smtp_url:
        said.append("SMTP_URL: is not set, so no email is sent, and what needs one is not offered")
    if settings.webhook_url:
        said.append("WEBHOOK_URL: took a test event, signed with WEBHOOK_SECRET")
    return said


async def _providers(settings: Settings) -> AsyncIterator[str]:
    providers = connect_providers(settings, Ports())
    try:
        faults = [
            *await providers.verifier.examine(settings.allowed_countries),
            *[
                fault
                for messenger in providers.messengers
                for fault in await messenger.examine(settings.allowed_countries)
            ],
            *(await providers.mailer.examine() if providers.mailer else ()),
            *(await _webhook(providers.webhook) if providers.webhook else ()),
        ]
    finally:
        await providers.aclose()
    for fault in dict.fromkeys(faults):  # one account may carry both
        yield f"{fault.variable}: {fault.words}"


async def _webhook(endpoint: WebhookEndpoint) -> list[SetupFault]:
    now = utcnow()
    return await endpoint.examine(f"msg_{token_hex(16)}", payload(TEST, {}, now))


async def _redis(url: str) -> str | None:
    """The name of the error that Redis answers with, or None."""
    client = redis.from_url(url, socket_timeout=REDIS_DEADLINE, retry=Retry(NoBackoff(), 0))
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        return type(error).__name__
    finally:
        await client.aclose()
    return None
