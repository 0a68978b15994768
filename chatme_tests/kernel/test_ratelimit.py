"""Moving windows in memory. What holds in Redis as well: `conformance/test_limits.py`."""

from __future__ import annotations

import pytest

from chatme.ratelimit import MAX_HITS, MAX_WINDOWS, BoundedMemory, RateLimiter
from chatme.rates import Quota, Rate

FEW = Rate(3, 60)


class Seconds:
    """A clock that counts seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


@pytest.fixture
def clock() -> Seconds:
    """A clock that stands still."""
    return Seconds()


async def test_no_rate_refuses_nobody() -> None:
    """Where a rate is turned off, nothing is counted."""
    assert [await RateLimiter().count(None, "login") for _ in range(10)] == [None] * 10


async def test_the_window_moves(clock: Seconds) -> None:
    """Each hit counts for just the window's length: room comes back one by one, as told."""
    limiter = RateLimiter(now=clock)
    for _ in range(3):
        await limiter.count(FEW, "ada")
        clock.now += 10

    assert await limiter.count(FEW, "ada") == Quota(FEW, 0, 30.0, spent=True)
    clock.now += 29.5
    refused = await limiter.count(FEW, "ada")
    assert refused is not None
    assert refused.spent
    clock.now += refused.reset
    last, over = await limiter.count(FEW, "ada"), await limiter.count(FEW, "ada")
    assert last == Quota(FEW, 0, 10.0)
    assert over == Quota(FEW, 0, 10.0, spent=True)


async def test_what_is_refused_is_not_counted(clock: Seconds) -> None:
    """Who goes on knocking is let in as soon as who waited."""
    limiter = RateLimiter(now=clock)
    for _ in range(100):
        await limiter.count(FEW, "ada")
    clock.now += 60

    assert await limiter.count(FEW, "ada") == Quota(FEW, 2, 60.0)


async def test_what_expired_is_forgotten(clock: Seconds) -> None:
    """Windows in which nothing counts any more go with the next hit of anybody."""
    memory = BoundedMemory(clock)
    for number in range(1000):
        await memory.acquire_entry(f"key {number}", 3, 60)
    clock.now += 59
    await memory.acquire_entry("key 0", 3, 60)
    assert len(memory) == 1000
    clock.now += 1
    await memory.acquire_entry("key 0", 3, 60)

    assert len(memory) == 1
    assert await memory.get_moving_window("key 0", 3, 60) == (1059.0, 2)


async def test_a_flood_of_names_is_bounded(clock: Seconds) -> None:
    """Beyond the bound the longest unused windows are forgotten, and the others stay."""
    memory = BoundedMemory(clock)
    for number in range(MAX_WINDOWS + 10):
        await memory.acquire_entry(f"key {number}", 3, 60)

    assert len(memory) == MAX_WINDOWS
    assert await memory.get_moving_window("key 9", 3, 60) == (1000.0, 0)
    assert await memory.get_moving_window("key 10", 3, 60) == (1000.0, 1)


async def test_a_flood_of_hits_is_bounded(clock: Seconds) -> None:
    """However high a rate is set, what is remembered of all hits has a bound."""
    memory = BoundedMemory(clock)
    await memory.acquire_entry("old", MAX_HITS, 60, amount=MAX_HITS - 1)
    await memory.acquire_entry("new", MAX_HITS, 60, amount=2)

    assert len(memory) == 1
    assert await memory.get_moving_window("new", MAX_HITS, 60) == (1000.0, 2)


async def test_windows_can_be_cleared(clock: Seconds) -> None:
    """A window that is cleared, alone or with all, is as new, and no longer weighs."""
    memory = BoundedMemory(clock)
    for key in ("ada", "bob", "eve"):
        await memory.acquire_entry(key, MAX_HITS, 60, amount=MAX_HITS // 3)
    await memory.clear("ada")
    await memory.clear("nobody")
    assert await memory.get_moving_window("ada", 3, 60) == (1000.0, 0)
    assert await memory.reset() == 2

    await memory.acquire_entry("ada", MAX_HITS, 60, amount=MAX_HITS)
    assert len(memory) == 1
