"""Redis's sign of life, over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from chatme.storage.redis import RedisError, RedisPing
from chatme_tests.redis_stub import RedisStub, free_port


async def test_a_redis_that_answers() -> None:
    """A pong is enough, time after time, over one connection."""
    async with RedisStub() as stub:
        ping = RedisPing(stub.url)
        for _ in range(3):
            await ping()
        await ping.aclose()

    assert (stub.pings, stub.connections) == (3, 1)


async def test_a_closed_port() -> None:
    """Where nothing listens it says so at once."""
    ping = RedisPing(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises((RedisError, OSError)):
        async with asyncio.timeout(5):
            await ping()
    await ping.aclose()


async def test_a_redis_that_went_and_came_back() -> None:
    """After an end of the connection the next ping makes a new one."""
    async with RedisStub() as stub:
        ping = RedisPing(stub.url)
        await ping()
        await stub.hang_up()
        await ping()
        await ping.aclose()

    assert (stub.pings, stub.connections) == (2, 2)
