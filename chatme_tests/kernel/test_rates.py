"""Tests for rates as settings write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatme.rates import Rate, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("20/second", Rate(20, 1)),
        ("100/minute", Rate(100, 60)),
        ("1/hour", Rate(1, 3600)),
        (" 999999999/second\n", Rate(999_999_999, 1)),
        ("", None),
        ("  ", None),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate | None) -> None:
    """A rate is a number by a second, a minute or an hour; an empty text is no limit."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        *("0/second", "-1/second", "+1/second", "1.5/second", "1e3/second", "1_0/second"),
        *(
            "٢٠/second",
            "\uff12\uff10/second",
            "007/second",
            "1000000000/second",
            "1 /second",
            "1/ second",
        ),
        *("20", "20/", "/second", "second", "20/day", "20/seconds", "20/SECOND", "20/s"),
        *("20/second;5/minute", "20/second\x00", "20//second", "none"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """What is not a rate is refused with words that show how one is written."""
    with pytest.raises(ValueError, match="must be a rate such as 20/second"):
        parse_rate(text)


@given(st.integers(1, 999_999_999), st.sampled_from(["second", "minute", "hour"]))
def test_every_number_is_read(amount: int, unit: str) -> None:
    """Every whole number from 1 on, in plain digits, makes a rate of that many."""
    rate = parse_rate(f"{amount}/{unit}")

    assert rate is not None
    assert rate.amount == amount
    assert rate.per_second * rate.seconds == pytest.approx(amount)


@pytest.mark.parametrize(("amount", "seconds"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_a_rate_is_more_than_nothing(amount: int, seconds: int) -> None:
    """A rate of nothing, or in no time, cannot be made."""
    with pytest.raises(ValueError, match="at least"):
        Rate(amount, seconds)
