"""Tests for moments as the database keeps them, and for new ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatme.clock import (
    SystemClock,
    from_epoch,
    new_id,
    timestamp,
    to_epoch,
    to_milliseconds,
)

NOON = datetime(2026, 1, 31, 12)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)).map(to_milliseconds)


def test_now_is_naive_utc_in_milliseconds() -> None:
    """The system's clock tells naive UTC with no microseconds below the millisecond."""
    before = datetime.now(UTC).replace(tzinfo=None)
    now = SystemClock().now()

    assert now.tzinfo is None
    assert now.microsecond % 1000 == 0
    assert abs(now - before) < timedelta(seconds=5)


def test_microseconds_are_cut() -> None:
    """A moment is cut to milliseconds, never rounded up into the future."""
    assert to_milliseconds(NOON.replace(microsecond=999_999)).microsecond == 999_000


def test_another_zone_becomes_utc() -> None:
    """A moment of another time zone is the same moment in UTC."""
    india = timezone(timedelta(hours=5, minutes=30))

    assert to_milliseconds(datetime(2026, 1, 31, 17, 30, tzinfo=india)) == NOON


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-01-31T12:00:00.000Z"),
        (NOON.replace(microsecond=7000), "2026-01-31T12:00:00.007Z"),
        (datetime(1, 1, 1), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_timestamps_are_rfc_3339(moment: datetime, text: str) -> None:
    """A timestamp has a four-digit year, three decimals and a Z, also on the full second."""
    assert timestamp(moment) == text


@settings(deadline=None)
@given(MOMENTS)
def test_epoch_and_back_is_the_same_moment(moment: datetime) -> None:
    """A moment survives the way to seconds since 1970 and back."""
    assert abs(from_epoch(to_epoch(moment)) - moment) <= timedelta(milliseconds=1)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=7_000_000_000))
def test_whole_seconds_are_exact(seconds: int) -> None:
    """Whole seconds, as a token's claims hold them, survive exactly."""
    assert to_epoch(from_epoch(seconds)) == seconds


def test_ids_are_new() -> None:
    """No id is made twice, and later ones of a process sort later within a second."""
    ids = [new_id() for _ in range(1000)]

    assert len(set(ids)) == 1000
    assert all(each.binary[4:9] == ids[0].binary[4:9] for each in ids)
