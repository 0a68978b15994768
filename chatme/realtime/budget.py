"""How many frames a socket may send: a token bucket, and one more for patience. Pure."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from math import ceil

from chatme.rates import Rate

PATIENCE = 100
"""How many refused frames, beyond those that time makes up for, end the socket."""
_BURST_SECONDS = 2
# Floating point's own error, in seconds: who waits as long as told is not refused for it.
_EPSILON = 1e-6


class Verdict(Enum):
    """What becomes of a frame."""

    #: It is worked.
    OK = auto()
    #: It is answered with an error.
    REFUSED = auto()
    #: The client does not stop: the socket is closed.
    HOPELESS = auto()


class _Bucket:
    """Fills at a steady rate up to its size; full at first."""

    def __init__(self, size: float, per_second: float, now: Callable[[], float]) -> None:
        self._size = size
        self._per_second = per_second
        self._now = now
        self._held = size
        self._filled_at = now()

    def take(self) -> bool:
        """Takes one, where there is one."""
        if self.wait() > _EPSILON:
            return False
        self._held -= 1
        return True

    def wait(self) -> float:
        """Seconds until there is one."""
        now = self._now()
        passed = max(0.0, now - self._filled_at)
        self._held = min(self._size, self._held + passed * self._per_second)
        self._filled_at = now
        return max(0.0, (1 - self._held) / self._per_second)


class FrameBudget:
    """Lives as long as its socket. Without a rate every frame is fine.

    Two seconds' worth of frames may come at once (at least one), then as many as the rate says.
    """

    def __init__(self, rate: Rate | None, now: Callable[[], float]) -> None:
        self._frames: _Bucket | None = None
        if rate is not None:
            per_second = rate.per_second
            self._frames = _Bucket(max(1.0, _BURST_SECONDS * per_second), per_second, now)
            self._patience = _Bucket(PATIENCE, per_second, now)

    @property
    def retry_after(self) -> float:
        """Seconds until a frame would be worked, rounded up to milliseconds."""
        if self._frames is None:
            return 0.0
        return ceil(self._frames.wait() * 1000) / 1000

    def spend(self) -> Verdict:
        """A frame came."""
        if self._frames is None or self._frames.take():
            return Verdict.OK
        return Verdict.REFUSED if self._patience.take() else Verdict.HOPELESS
