"""How often something may be done: ``20/second``, ``100/minute``, ``5000/hour``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_UNITS: Mapping[str, int] = {"second": 1, "minute": 60, "hour": 3600}
_RATE = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times in so many seconds; both at least 1."""

    amount: int
    seconds: int

    def __post_init__(self) -> None:
        if self.amount < 1 or self.seconds < 1:
            raise ValueError("a rate is at least once in at least a second")

    @property
    def per_second(self) -> float:
        """How many times in a second, on average."""
        return self.amount / self.seconds


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a rate for somebody, counted a moment ago."""

    rate: Rate
    remaining: int
    reset: float
    """Seconds until there is more of it."""
    spent: bool = False
    """Whether there was none left: what was counted is refused."""


def parse_rate(text: str) -> Rate | None:
    """A rate from a setting; an empty text is no limit. Raises `ValueError` for anything else."""
    text = text.strip()
    if not text:
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError("must be a rate such as 20/second, 100/minute or 5000/hour, or empty")
    return Rate(int(match[1]), _UNITS[match[2]])
