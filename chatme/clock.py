"""Now, and new ids: the one door to both, so that a test can hold time still.

Times are naive UTC with milliseconds, exactly what the database keeps, so that a value that was
written and read again is equal to itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from bson import ObjectId


class Clock(Protocol):
    """What tells the time: the system's clock, or a test's that is moved by hand."""

    def now(self) -> datetime:
        """The present moment, naive UTC, cut to milliseconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment, naive UTC, cut to milliseconds."""
        return to_milliseconds(datetime.now(UTC))


def to_milliseconds(moment: datetime) -> datetime:
    """A moment as the database keeps it: naive UTC, cut (not rounded) to milliseconds."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def timestamp(moment: datetime) -> str:
    """A naive UTC moment as RFC 3339 with milliseconds: ``2026-01-31T12:00:00.000Z``."""
    return moment.isoformat(timespec="milliseconds") + "Z"


def from_epoch(seconds: float) -> datetime:
    """The moment so many seconds after 1970-01-01T00:00Z, as the database keeps it."""
    return to_milliseconds(datetime.fromtimestamp(seconds, UTC))


def to_epoch(moment: datetime) -> float:
    """Seconds since 1970-01-01T00:00Z of a naive UTC moment."""
    return moment.replace(tzinfo=UTC).timestamp()


def new_id() -> ObjectId:
    """A fresh id: 4 bytes of time, 5 random for the process, 3 counting up."""
    return ObjectId()
