"""Tests for how many frames a socket may send."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatme.rates import Rate
from chatme.realtime.budget import PATIENCE, FrameBudget, Verdict

TWENTY = Rate(20, 1)


class Watch:
    """A stopwatch moved by hand."""

    def __init__(self, at: float = 1_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def spend(budget: FrameBudget, frames: int) -> Counter[Verdict]:
    """The verdicts over so many frames at once."""
    return Counter(budget.spend() for _ in range(frames))


def test_a_burst_is_two_seconds_worth() -> None:
    """At 20 a second forty frames come at once, and the next is refused."""
    budget = FrameBudget(TWENTY, Watch())

    assert spend(budget, 40) == {Verdict.OK: 40}
    assert budget.spend() is Verdict.REFUSED


def test_a_steady_rate_is_never_refused() -> None:
    """Who sends at the rate, after any burst, is never refused."""
    watch = Watch()
    budget = FrameBudget(TWENTY, watch)
    spend(budget, 40)
    for _ in range(10_000):
        watch.at += 0.05
        assert budget.spend() is Verdict.OK


def test_a_long_silence_saves_no_more_than_a_burst() -> None:
    """A socket that was silent for a day may send one burst, as at first."""
    watch = Watch()
    budget = FrameBudget(TWENTY, watch)
    spend(budget, 41)
    watch.at += 86_400

    assert spend(budget, 41) == {Verdict.OK: 40, Verdict.REFUSED: 1}


def test_one_who_does_not_stop_is_hopeless() -> None:
    """After a hundred refused frames at once the socket is given up."""
    budget = FrameBudget(TWENTY, Watch())

    assert spend(budget, 40 + PATIENCE) == {Verdict.OK: 40, Verdict.REFUSED: PATIENCE}
    assert spend(budget, 3) == {Verdict.HOPELESS: 3}


def test_patience_comes_back_with_time() -> None:
    """Patience grows at the rate, too, up to a hundred again."""
    watch = Watch()
    budget = FrameBudget(TWENTY, watch)
    spend(budget, 40 + PATIENCE)
    watch.at += 1
    assert spend(budget, 41) == {Verdict.OK: 20, Verdict.REFUSED: 20, Verdict.HOPELESS: 1}

    watch.at += 3600
    assert spend(budget, 141) == {Verdict.OK: 40, Verdict.REFUSED: 100, Verdict.HOPELESS: 1}


def test_a_slow_rate_lets_one_through() -> None:
    """A rate of less than one in two seconds still works one frame at a time."""
    watch = Watch()
    budget = FrameBudget(Rate(1, 3600), watch)
    assert spend(budget, 2) == {Verdict.OK: 1, Verdict.REFUSED: 1}
    assert budget.retry_after == 3600

    watch.at += 3600
    assert spend(budget, 2) == {Verdict.OK: 1, Verdict.REFUSED: 1}


def test_without_a_rate_everything_is_fine() -> None:
    """No rate refuses nothing and never asks to wait."""
    budget = FrameBudget(None, Watch())

    assert spend(budget, 10_000) == {Verdict.OK: 10_000}
    assert budget.retry_after == 0


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    """When time goes backwards the budget stays as it is."""
    watch = Watch()
    budget = FrameBudget(TWENTY, watch)
    spend(budget, 30)
    watch.at -= 100

    assert spend(budget, 11) == {Verdict.OK: 10, Verdict.REFUSED: 1}


@pytest.mark.parametrize(("frames", "seconds"), [(39, 0), (40, 0.05), (41, 0.05), (200, 0.05)])
def test_the_wait_is_told(frames: int, seconds: float) -> None:
    """The wait is until the next frame is worked; refused ones do not lengthen it."""
    budget = FrameBudget(TWENTY, Watch())
    spend(budget, frames)

    assert budget.retry_after == seconds


def test_the_wait_is_in_whole_milliseconds() -> None:
    """A wait of a third of a second is told rounded up, so that nobody comes too early."""
    budget = FrameBudget(Rate(3, 1), Watch())
    spend(budget, 6)

    assert budget.retry_after == 0.334


RATES = st.builds(Rate, st.integers(1, 10_000), st.sampled_from([1, 60, 3600]))
PAUSES = st.lists(st.floats(0, 3, allow_nan=False), max_size=60)


@given(RATES, PAUSES, st.floats(0, 1e7))
def test_who_waits_as_told_is_heard(rate: Rate, pauses: list[float], start: float) -> None:
    """Whatever came before, the frame after the wait that was told is worked."""
    watch = Watch(start)
    budget = FrameBudget(rate, watch)
    for pause in pauses:
        watch.at += pause
        budget.spend()
    watch.at += budget.retry_after

    assert budget.spend() is Verdict.OK


@given(RATES, PAUSES)
def test_no_more_than_the_rate_is_worked(rate: Rate, pauses: list[float]) -> None:
    """Over any time no more frames are worked than a burst and what the rate makes of it."""
    watch = Watch(0.0)
    budget = FrameBudget(rate, watch)
    worked = 0
    for pause in pauses:
        watch.at += pause
        worked += spend(budget, 5)[Verdict.OK]

    assert worked <= max(1, 2 * rate.per_second) + watch.at * rate.per_second + 0.02
