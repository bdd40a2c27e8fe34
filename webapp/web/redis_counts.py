"""Counts that all processes share, in Redis. Imported only where there is one: it is 7 MB."""

from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError  # noqa: A004

CONNECTIONS = 8  # of one process; small plans of hosted Redis allow about 20 in all


def connections(url: str, deadline: float) -> ConnectionPool:
    """Connections to the Redis at ``url``, with the options that redis-py reads from a URL.

    ``deadline``: seconds that a request may wait for Redis.
    ``rediss://…?ssl_cert_reqs=none`` accepts a self-signed certificate, as some platforms have.
    Raises ``ValueError`` if it is not a Redis URL.
    """
    return BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=deadline,  # to wait for one of them
        # Shorter than our own deadline, since redis-py overhears a cancelling while it connects.
        socket_timeout=deadline / 2,
        socket_connect_timeout=deadline / 2,
        # Once more on a new connection, where Redis had closed the idle one.
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
    )


def storage(pool: ConnectionPool) -> RedisStorage:
    return RedisStorage(
        "async+redis://",  # bare: the pool knows the rest, and limits asks every URL for a port
        wrap_exceptions=True,
        implementation="redispy",
        connection_pool=pool,  # type: ignore[arg-type]  # passed on to redis-py, says its manual
    )
