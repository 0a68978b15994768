"""Rates, in memory and in Redis: the same promises, also while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.testing import capture_logs

from chatme.clock import new_id
from chatme.ratelimit import RateLimiter, SharedWindows
from chatme.rates import Quota, Rate
from chatme_tests.redis import RedisServer, running_redis
from chatme_tests.serving import PATIENCE

FEW = Rate(3, 60)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis behind a password, for all tests of this file."""
    with running_redis(tmp_path_factory.mktemp("redis"), password="hunter2") as running:
        yield running


@pytest.fixture
async def shared(redis: RedisServer) -> AsyncIterator[SharedWindows]:
    """Windows in Redis."""
    windows = SharedWindows(redis.url, seconds=PATIENCE)
    yield windows
    await windows.aclose()


@pytest.fixture(params=["memory", "redis"])
def limiter(request: pytest.FixtureRequest) -> RateLimiter:
    """A limiter of either kind."""
    if request.param == "memory":
        return RateLimiter()
    return RateLimiter(request.getfixturevalue("shared"))


@pytest.fixture
def ada() -> str:
    """A name that no other test counts."""
    return f"ada {new_id()}"


async def count(limiter: RateLimiter, *names: str, rate: Rate = FEW) -> Quota:
    """Counts once more; what is left."""
    async with asyncio.timeout(PATIENCE):
        quota = await limiter.count(rate, *names)
    assert quota is not None
    return quota


async def test_a_rate_is_spent_and_refused(limiter: RateLimiter, ada: str) -> None:
    """So many are let through, then it is said when there is room again."""
    quotas = [await count(limiter, "login", ada) for _ in range(5)]

    assert [(quota.remaining, quota.spent) for quota in quotas] == [
        *((2, False), (1, False), (0, False)),
        *((0, True), (0, True)),
    ]
    assert all(0 < quota.reset <= 60 for quota in quotas)


async def test_names_do_not_share(limiter: RateLimiter, ada: str) -> None:
    """Each combination of names, and each rate, has a window of its own."""
    for _ in range(3):
        await count(limiter, "login", ada)

    assert (await count(limiter, "refresh", ada)).remaining == 2
    assert (await count(limiter, "login", f"{ada}x")).remaining == 2
    assert (await count(limiter, "login", ada, rate=Rate(4, 60))).remaining == 3


async def test_a_race_lets_no_more_through(limiter: RateLimiter, ada: str) -> None:
    """Of fifty at once, just as many pass as the rate allows."""
    quotas = await asyncio.gather(*(count(limiter, "login", ada) for _ in range(50)))

    assert sum(quota.spent for quota in quotas) == 47


async def test_there_is_room_again(limiter: RateLimiter, ada: str) -> None:
    """Who waits as long as told is let through."""
    rate = Rate(2, 1)
    while not (refused := await count(limiter, ada, rate=rate)).spent:
        assert refused.reset <= 1
    async with asyncio.timeout(PATIENCE):
        while (await count(limiter, ada, rate=rate)).spent:  # noqa: ASYNC110 -- time alone tells
            await asyncio.sleep(0.02)


async def test_processes_count_together(
    redis: RedisServer, shared: SharedWindows, ada: str
) -> None:
    """What is counted by one process in Redis is counted for all."""
    other = SharedWindows(redis.url, seconds=PATIENCE)
    for each in (shared, other, shared):
        await count(RateLimiter(each), ada)

    assert (await count(RateLimiter(other), ada)).spent
    assert (await count(RateLimiter(shared), ada)).spent
    await other.aclose()


async def test_nothing_stays_in_redis(redis: RedisServer, shared: SharedWindows, ada: str) -> None:
    """All that is kept there goes by itself, a window's length after the last hit."""
    await count(RateLimiter(shared), ada)
    async with Redis.from_url(redis.url) as client:
        lives = [await client.ttl(key) for key in await client.keys("*")]

    assert lives
    assert all(0 < life <= 60 for life in lives)


async def _until_back(shared: SharedWindows, ada: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while await shared.count(FEW, ada, "knock") is None:  # noqa: ASYNC110 -- nothing else tells
            await asyncio.sleep(0.02)


async def test_without_redis_each_counts_for_itself(
    redis: RedisServer, shared: SharedWindows, ada: str
) -> None:
    """While Redis is away memory counts, which is logged once; then Redis does again, by itself,
    which is no news of the request that missed it."""
    limiter = RateLimiter(shared)
    await count(limiter, ada)
    redis.kill()
    try:
        with capture_logs(processors=[merge_contextvars]) as lines:
            with bound_contextvars(request_id="r-1"):
                quotas = [await count(limiter, ada) for _ in range(4)]
            assert await shared.count(FEW, ada) is None
            redis.start()
            await _until_back(shared, ada)
    finally:
        redis.kill()
        redis.start()

    assert [quota.spent for quota in quotas] == [False, False, False, True]
    assert [(line["log_level"], line["event"], line.get("request_id")) for line in lines] == [
        ("warning", "Redis is away, each process counts for itself", "r-1"),
        ("info", "Redis is back", None),
    ]
    assert "hunter2" not in str(lines)
    assert (await count(limiter, f"{ada} again")).remaining == 2


async def test_nobody_waits_for_a_redis_that_hangs(redis: RedisServer, ada: str) -> None:
    """A Redis that takes connections and says nothing holds nobody up, and memory counts."""
    shared = SharedWindows(redis.url, seconds=0.2)
    limiter = RateLimiter(shared)
    redis.freeze()
    try:
        quotas = await asyncio.gather(*(count(limiter, ada) for _ in range(100)))
        assert (await count(limiter, ada)).spent
    finally:
        redis.thaw()
    await _until_back(shared, ada)
    await shared.aclose()

    assert sum(not quota.spent for quota in quotas) == 3


async def test_a_start_needs_no_redis(redis: RedisServer, ada: str) -> None:
    """A Redis that was never there, or does not let us in, is as good as one that is away."""
    wrong = redis.url.replace("hunter2", "hunter3")
    with capture_logs() as lines:
        for url in ("redis://127.0.0.1:1/0", wrong):
            windows = SharedWindows(url)
            assert (await count(RateLimiter(windows), ada)).remaining == 2
            await windows.aclose()

    assert [line["log_level"] for line in lines] == ["warning", "warning"]
    assert "hunter3" not in str(lines)
