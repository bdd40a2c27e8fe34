"""Request throttling: rules in the notation of the ``limits`` library, counted by any key."""

import asyncio
import time
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING

import structlog
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

log = structlog.get_logger()

Windows = tuple[RateLimitItem, ...]

GROWTH = (1, 3, 10)
"""How many times a rule's number a visitor's networks may use up, from the narrowest to the widest:
of IPv6 a /64, a /56 and a /48 (``client.PREFIXES``)."""

MOST_KEYS = 20_000  # counted by one process, some 40 MB; above it, counting starts anew
SWEEP_EVERY = 60.0  # seconds between two removals of expired counts

REDIS_DEADLINE = 0.5  # seconds that a request may wait for Redis
REDIS_PAUSE = 10.0  # seconds without Redis after it failed
WARN_EVERY = 60.0  # seconds


def parse_rule(text: str) -> Windows:
    """The windows of a rule such as ``10/hour`` or ``2/second; 30/10minutes``.

    Raises ``ValueError`` if it is not in the notation of ``limits``, or allows nothing.
    """
    windows = tuple(parse_many(text))
    if any(window.amount < 1 for window in windows):
        raise ValueError(f"a rule has to allow something: {text!r}")
    return windows


def multiplied(rule: str | None, times: int) -> str | None:
    """``rule`` with numbers so many times as high."""
    return rule and "; ".join(str(_times(times, window)) for window in parse_rule(rule))


def fewest(rule: str | None) -> int | None:
    """The smallest number of a rule's windows; None for no limit."""
    return min(window.amount for window in parse_rule(rule)) if rule else None


class Throttle:
    """Counts attempts against rules, in Redis where there is one, else in this process.

    It uses moving windows: "10/hour" allows ten in any sixty minutes, and the wait it returns is
    exact. While Redis fails, each process counts for itself: limits stay in force, and nobody is
    locked out.
    """

    def __init__(
        self,
        rules: Mapping[str, str | None],
        redis_url: str = "",
        *,
        secret: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``rules`` by name, ``None`` for no limit. Raises ``ValueError`` if one does not parse.

        ``secret`` keys the hash under which a visitor is counted, the same in every process.
        ``clock``, in seconds, times the pauses after a failure of Redis. The windows themselves
        use the clocks of ``limits`` and Redis.
        """
        self.rules = {name: _by_growth(text) if text else () for name, text in rules.items()}
        self.secret = blake2b(secret.encode()).digest()
        self.clock = clock
        self.memory = Memory(clock)
        self.pool: ConnectionPool | None = None
        self.redis: RedisStorage | None = None
        if redis_url:
            self.pool, self.redis = _redis(redis_url)
        self.redis_rests_until = self.quiet_until = float("-inf")

    async def hit(self, name: str, *keys: str) -> float | None:
        """Count an attempt at ``name``: ``None`` if it is allowed, else the seconds to wait.

        ``keys``: who attempts it, from the narrowest group to the widest; ``GROWTH`` says how many
        times the rule's number each of them has. A key that is refused is not counted for the
        wider ones.
        """
        for key, windows in zip(keys, self.rules[name], strict=False):
            if wait := await self._count(windows, self._pseudonym(name, key)):
                return wait
        return None

    async def _count(self, windows: Windows, visitor: str) -> float | None:
        if self.redis and self.clock() >= self.redis_rests_until:
            try:
                async with asyncio.timeout(REDIS_DEADLINE):
                    return await _count(self.redis, windows, visitor)
            except (StorageError, OSError, TimeoutError) as error:
                self._leave_redis(error)
        return await _count(self.memory, windows, visitor)

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        if self.memory.timer:
            self.memory.timer.cancel()
        if self.pool:
            await self.pool.aclose()

    def _pseudonym(self, name: str, key: str) -> str:
        """The hash that stands for ``key``: neither memory nor Redis holds an address."""
        return blake2b(f"{name} {key}".encode(), key=self.secret, digest_size=16).hexdigest()

    def _leave_redis(self, error: Exception) -> None:
        now = self.clock()
        self.redis_rests_until = now + REDIS_PAUSE
        if now >= self.quiet_until:
            self.quiet_until = now + WARN_EVERY
            log.warning(
                "Redis fails; each process counts for itself", error=repr(error.__cause__ or error)
            )


class Memory(MemoryStorage):
    """The counts of this process. They are bounded, and cleared of old ones now and then.

    ``limits`` looks through all keys after each hit, with a change of threads for each of them.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.clock, self.sweep_at = clock, float("-inf")

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count, as ``limits`` does."""
        if len(self.events) > MOST_KEYS:  # so many addresses no limit by address can hold
            await self.reset()
        return await super().acquire_entry(key, limit, expiry, amount)

    async def _MemoryStorage__schedule_expiry(self) -> None:  # noqa: N802 - its private name there
        if self.clock() >= self.sweep_at:
            self.sweep_at = self.clock() + SWEEP_EVERY
            await super()._MemoryStorage__schedule_expiry()  # type: ignore[misc]


def _by_growth(rule: str) -> tuple[Windows, ...]:
    """The rule's windows for each group of ``GROWTH``."""
    windows = parse_rule(rule)
    return tuple(tuple(_times(growth, window) for window in windows) for growth in GROWTH)


def _times(growth: int, window: RateLimitItem) -> RateLimitItem:
    return type(window)(window.amount * growth, window.multiples)


async def _count(
    storage: MemoryStorage | RedisStorage, windows: Windows, visitor: str
) -> float | None:
    limiter = MovingWindowRateLimiter(storage)
    for window in windows:
        if not await limiter.hit(window, visitor):
            stats = await limiter.get_window_stats(window, visitor)
            return max(1.0, stats.reset_time - time.time())
    return None


def _redis(url: str) -> "tuple[ConnectionPool, RedisStorage]":
    from webapp.web.redis_counts import connections, storage  # noqa: PLC0415 - most sites have none

    pool = connections(url, REDIS_DEADLINE)
    return pool, storage(pool)
