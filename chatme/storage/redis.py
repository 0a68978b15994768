"""Whether Redis is there."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

__all__ = ["RedisError", "RedisPing"]

_SECONDS = 2.0


class RedisPing:
    """Asks one Redis for a sign of life, over one connection; lives as long as the app; `aclose`
    it."""

    def __init__(self, url: str) -> None:
        # No retries: health wants to know how it is now.
        self._client: Redis = Redis.from_url(
            url,
            max_connections=1,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    async def __call__(self) -> None:
        """Returns when Redis answers; raises `RedisError` or `OSError` where it does not."""
        # The types of both clients in one: this one always gives something to await.
        await cast("Awaitable[bool]", self._client.ping())

    async def aclose(self) -> None:
        """Hangs up."""
        await self._client.aclose()
