"""How often somebody may do something: moving windows, kept in memory by the package `limits`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from chatme.errors import RateLimited
from chatme.rates import Rate


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a rate: how many times, and the seconds until all of it is back."""

    rate: Rate
    remaining: int
    reset: float


class RateLimiter:
    """Lives as long as the app."""

    def __init__(self) -> None:
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    async def spend(self, rate: Rate | None, *names: str) -> Quota | None:
        """Counts one more time under these names; None where there is no rate.

        Raises `RateLimited` over it, with the seconds after which there is room again. What is
        refused is not counted.
        """
        if rate is None:
            return None
        item: RateLimitItem = RateLimitItemPerSecond(rate.amount, rate.seconds)
        allowed = await self._windows.hit(item, *names)
        stats = await self._windows.get_window_stats(item, *names)
        reset = max(0.0, stats.reset_time - time.time())
        if not allowed:
            raise RateLimited(retry_after=reset)
        return Quota(rate, stats.remaining, reset)


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 network of an IPv6 one.

    A household or a host is given a whole /64 (RFC 6177), so single addresses bound nobody.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
    return str(parsed)
