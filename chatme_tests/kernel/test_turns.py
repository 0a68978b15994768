"""Tests for turns: one at a time changes a conversation, and nobody waits for another one."""

from __future__ import annotations

import asyncio

import pytest
from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st

from chatme.turns import Turns

TEA, WORK = ObjectId(), ObjectId()


async def _hold(turns: Turns, name: ObjectId, go: asyncio.Event, log: list[str], who: str) -> None:
    """Takes a turn, says so, and ends it when it is let go."""
    async with turns.turn(name):
        log.append(f"{who} begins")
        await go.wait()
        log.append(f"{who} ends")


async def _ticks(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_turns_come_one_after_the_other() -> None:
    """Who asked first is first, and the next begins only after the one before has ended."""
    turns, go, log = Turns(), asyncio.Event(), list[str]()
    tasks = [asyncio.create_task(_hold(turns, TEA, go, log, who)) for who in "abc"]
    await _ticks()
    assert log == ["a begins"]
    go.set()
    await asyncio.gather(*tasks)

    assert log == [f"{who} {what}" for who in "abc" for what in ("begins", "ends")]


async def test_conversations_do_not_wait_for_each_other() -> None:
    """A turn of one conversation holds up no other conversation."""
    turns, go, log = Turns(), asyncio.Event(), list[str]()
    slow = asyncio.create_task(_hold(turns, TEA, go, log, "tea"))
    await _ticks()
    async with turns.turn(WORK):
        log.append("work")
    go.set()
    await slow

    assert log == ["tea begins", "work", "tea ends"]


async def test_nothing_is_kept_of_turns_that_are_over() -> None:
    """As long as somebody holds or awaits a turn it is kept, and no longer."""
    turns, go = Turns(), asyncio.Event()
    tasks = [asyncio.create_task(_hold(turns, TEA, go, [], who)) for who in "ab"]
    await _ticks()
    assert len(turns) == 1
    go.set()
    await asyncio.gather(*tasks)

    assert len(turns) == 0


async def test_a_failure_ends_the_turn() -> None:
    """A turn that ends in an error is over: it is raised, and the next one begins."""
    turns = Turns()
    with pytest.raises(ZeroDivisionError):
        async with turns.turn(TEA):
            raise ZeroDivisionError
    assert len(turns) == 0

    async with asyncio.timeout(1), turns.turn(TEA):
        assert len(turns) == 1


@pytest.mark.parametrize("gone", [0, 1, 2])
async def test_who_goes_away_holds_nobody_up(gone: int) -> None:
    """Whoever is cancelled, holding the turn or waiting for it, the others come in their order."""
    turns, go, log = Turns(), asyncio.Event(), list[str]()
    tasks = [asyncio.create_task(_hold(turns, TEA, go, log, str(at))) for at in range(3)]
    await _ticks()
    tasks[gone].cancel()
    await _ticks()
    go.set()
    async with asyncio.timeout(1):
        await asyncio.gather(*tasks, return_exceptions=True)

    assert tasks[gone].cancelled()
    assert [line for line in log if line.endswith("ends")] == [
        f"{at} ends" for at in range(3) if at != gone
    ]
    assert len(turns) == 0


STEPS = st.lists(
    st.tuples(st.sampled_from([TEA, WORK]), st.integers(0, 4), st.integers(0, 4), st.booleans()),
    max_size=30,
)


@settings(deadline=None)
@given(STEPS)
def test_never_are_two_inside(steps: list[tuple[ObjectId, int, int, bool]]) -> None:
    """However turns begin, last and are given up, at most one of a conversation runs at a time."""
    inside = dict.fromkeys((TEA, WORK), 0)

    async def act(turns: Turns, name: ObjectId, delay: int, lasts: int) -> None:
        await _ticks(delay)
        async with turns.turn(name):
            inside[name] += 1
            assert inside[name] == 1
            try:
                await _ticks(lasts)
            finally:
                inside[name] -= 1

    async def play() -> None:
        turns = Turns()
        tasks = [asyncio.create_task(act(turns, name, at, for_)) for name, at, for_, _ in steps]
        await _ticks(3)
        for task, (*_, given_up) in zip(tasks, steps, strict=True):
            if given_up:
                task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
        assert len(turns) == 0

    asyncio.run(play())
