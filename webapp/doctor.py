"""What is wrong with a deployment, a line for each fault."""

from collections.abc import AsyncIterator

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from webapp.app import Ports, connect_providers
from webapp.database import DATABASE_ERRORS, Database
from webapp.settings import Settings

REDIS_DEADLINE = 5.0  # seconds


async def examine(settings: Settings) -> AsyncIterator[str]:
    """The faults of the deployment that ``settings`` describe, a line for each.

    Faults of the settings themselves were reported when they were loaded.
    """
    async for fault in _database(settings):
        yield fault
    async for fault in _providers(settings):
        yield fault
    if settings.redis_url and (why := await _redis(settings.redis_url)):
        yield f"REDIS_URL: does not answer ({why}): each process would count requests for itself"
    if settings.https and settings.trusted_proxy_hops == 0:
        yield (
            "TRUSTED_PROXY_HOPS: is 0, but BASE_URL is https, which a proxy in front must end: "
            "every visitor would share that proxy's address and its limits. Set it to 1"
        )
    if not settings.https and settings.trusted_proxy_hops:
        yield (
            "TRUSTED_PROXY_HOPS: trusts a proxy, but BASE_URL is on this machine: "
            "visitors could name any address they like. Set it to 0"
        )


def remarks(settings: Settings) -> list[str]:
    """What is no fault, but good to know."""
    if settings.smtp_url:
        return []
    return ["SMTP_URL: is not set, so no email is sent, and what needs one is not offered"]


async def _database(settings: Settings) -> AsyncIterator[str]:
    database = Database(settings.database_url)
    await database.open()
    try:
        if missing := await database.missing_migrations():
            yield f"DATABASE_URL: lacks {', '.join(missing)}. Run: python -m webapp migrate"
    except DATABASE_ERRORS as error:
        yield f"DATABASE_URL: the database does not answer ({type(error).__name__})"
    finally:
        await database.close()


async def _providers(settings: Settings) -> AsyncIterator[str]:
    providers = connect_providers(settings, Ports())
    try:
        faults = [
            *await providers.verifier.examine(settings.allowed_countries),
            *await providers.messenger.examine(settings.allowed_countries),
            *(await providers.mailer.examine() if providers.mailer else ()),
        ]
    finally:
        await providers.aclose()
    for fault in dict.fromkeys(faults):  # one account may carry both
        yield f"{fault.variable}: {fault.words}"


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
