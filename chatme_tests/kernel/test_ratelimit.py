"""Moving windows, and what counts as one client."""

from __future__ import annotations

import asyncio

import pytest

from chatme.errors import RateLimited
from chatme.ratelimit import RateLimiter, network_of
from chatme.rates import Rate

FEW = Rate(3, 60)


async def test_a_rate_is_spent_and_refused() -> None:
    """Within a window so many are let through, then it is said when there is room again."""
    limiter = RateLimiter()
    quotas = [await limiter.spend(FEW, "login", "ada") for _ in range(3)]
    with pytest.raises(RateLimited) as refused:
        await limiter.spend(FEW, "login", "ada")

    assert [quota.remaining for quota in quotas if quota] == [2, 1, 0]
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 60


async def test_names_do_not_share() -> None:
    """Each combination of names has a window of its own."""
    limiter = RateLimiter()
    for name in ("ada", "bob"):
        for _ in range(3):
            await limiter.spend(FEW, "login", name)

    assert await limiter.spend(FEW, "refresh", "ada") is not None


async def test_no_rate_refuses_nobody() -> None:
    """Where a rate is turned off, nothing is counted."""
    limiter = RateLimiter()

    assert [await limiter.spend(None, "login") for _ in range(10)] == [None] * 10


async def test_a_race_lets_no_more_through() -> None:
    """Of fifty at once, just as many pass as the rate allows."""
    limiter = RateLimiter()
    answers = await asyncio.gather(
        *(limiter.spend(FEW, "login", "ada") for _ in range(50)), return_exceptions=True
    )

    assert sum(isinstance(answer, RateLimited) for answer in answers) == 47


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_an_address_or_a_network(address: str, network: str) -> None:
    """IPv4 goes by the address, IPv6 by its /64; what is neither goes by itself."""
    assert network_of(address) == network
