"""How often somebody may do something: moving windows of the package `limits`.

They are kept in memory, or in Redis, where all processes count together. Redis is a hint: while it
is away each process counts for itself.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from chatme.rates import Quota, Rate

MAX_WINDOWS = 50_000
MAX_HITS = 1_000_000
REDIS_SECONDS = 1.0
REDIS_CONNECTIONS = 20
RETRY_SECONDS = 1.0
_PROBE = Rate(1, 1)

log = structlog.stdlib.get_logger("chatme.ratelimit")


@dataclass(slots=True)
class _Window:
    """When somebody did something, oldest first, and for how many seconds that counts."""

    seconds: int
    hits: array[float] = field(default_factory=lambda: array("d"))


class BoundedMemory(MemoryStorage):
    """The memory of `limits`, with moving windows of its own: theirs go through every window there
    is, in a thread each, with every hit, and a flood of addresses is kept without a bound.

    The longest unused windows are forgotten first, expired or, beyond the bounds, not.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._hits = 0

    def __len__(self) -> int:
        return len(self._windows)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Counts once more, unless the window is full."""
        now = self._now()
        self._forget_expired(now)
        window = self._windows.get(key) or _Window(expiry)
        over = bisect_right(window.hits, now - expiry)
        del window.hits[:over]
        self._hits -= over
        if len(window.hits) + amount > limit:
            return False
        window.hits.extend([now] * amount)
        self._hits += amount
        self._windows[key] = window
        self._windows.move_to_end(key)
        while len(self._windows) > MAX_WINDOWS or self._hits > MAX_HITS:
            self._forget_oldest()
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest hit was that still counts, and how many there are."""
        now = self._now()
        window = self._windows.get(key)
        first = bisect_right(window.hits, now - expiry) if window else 0
        if window is None or first == len(window.hits):
            return now, 0
        return window.hits[first], len(window.hits) - first

    async def clear(self, key: str) -> None:
        """Forgets one window."""
        window = self._windows.pop(key, None)
        self._hits -= len(window.hits) if window else 0

    async def reset(self) -> int:
        """Forgets all windows; how many."""
        size = len(self._windows)
        self._windows.clear()
        self._hits = 0
        return size

    def _forget_expired(self, now: float) -> None:
        while self._windows:
            oldest = next(iter(self._windows.values()))
            if oldest.hits and oldest.hits[-1] + oldest.seconds > now:
                return
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, window = self._windows.popitem(last=False)
        self._hits -= len(window.hits)


class SharedWindows:
    """Windows in Redis. Lives as long as the app; close it.

    No request waits for Redis longer than a moment: after the first failure nobody asks it any more
    until a look at it in the background succeeds.
    """

    def __init__(self, url: str, seconds: float = REDIS_SECONDS) -> None:
        self._seconds = seconds
        self._pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
            url,
            max_connections=REDIS_CONNECTIONS,
            timeout=seconds,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), 0),
        )
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="chatme:limits",
            connection_pool=self._pool,  # type: ignore[arg-type]  # goes on to redis as it is
        )
        self._windows = MovingWindowRateLimiter(storage)
        self._waiting: asyncio.Task[None] | None = None

    async def count(self, rate: Rate, *names: str) -> Quota | None:
        """Counts once more; nothing while Redis is away."""
        if self._waiting is not None:
            return None
        try:
            return await self._count(rate, *names)
        except Exception as error:  # noqa: BLE001 -- Redis is a hint, whatever befalls it
            if self._waiting is None:
                log.warning("Redis is away, each process counts for itself", reason=repr(error))
                # In a context of its own: that Redis is back is no news of this request.
                self._waiting = asyncio.create_task(self._wait(), context=Context())
            return None

    async def aclose(self) -> None:
        """Lets go of Redis."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.gather(self._waiting, return_exceptions=True)
        await self._pool.disconnect()

    async def _count(self, rate: Rate, *names: str) -> Quota:
        async with asyncio.timeout(self._seconds):
            return await _count(self._windows, time.time, rate, *names)

    async def _wait(self) -> None:
        """Counts something of no weight now and then: a Redis that is full or a replica answers a
        ping, too."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            with suppress(Exception):
                await self._count(_PROBE, "probe")
                log.info("Redis is back")
                self._waiting = None
                return


class RateLimiter:
    """Counts in Redis where it is there, else in memory. Lives as long as the app."""

    def __init__(
        self, shared: SharedWindows | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared = shared
        self._now = now
        self._windows = MovingWindowRateLimiter(BoundedMemory(now))

    async def count(self, rate: Rate | None, *names: str) -> Quota | None:
        """Counts once more under these names, and tells what is left; nothing without a rate.

        What is refused is not counted.
        """
        if rate is None:
            return None
        shared = await self._shared.count(rate, *names) if self._shared is not None else None
        return shared or await _count(self._windows, self._now, rate, *names)


async def _count(
    windows: MovingWindowRateLimiter, now: Callable[[], float], rate: Rate, *names: str
) -> Quota:
    item = RateLimitItemPerSecond(rate.amount, rate.seconds)
    allowed = await windows.hit(item, *names)
    stats = await windows.get_window_stats(item, *names)
    reset = max(0.0, stats.reset_time - now())
    return Quota(rate, max(0, stats.remaining), reset, spent=not allowed)
