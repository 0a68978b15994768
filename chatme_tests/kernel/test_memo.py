"""Tests for the memory of reads that a change outdates."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatme.memo import Memo


class Shelf:
    """What is read: each read looks at once and answers when it is let go, in any order."""

    def __init__(self) -> None:
        self.values: dict[str, int] = defaultdict(int)
        self.reads: list[asyncio.Future[None]] = []
        self.patient = True

    async def load(self, key: str) -> int:
        """The value as it was when the read began."""
        value = self.values[key]
        if not self.patient:
            self.reads.append(asyncio.get_running_loop().create_future())
            await self.reads[-1]
        return value


class Counting:
    """Reads that are counted."""

    def __init__(self) -> None:
        self.read: list[str] = []

    async def load(self, key: str) -> str:
        """The key itself."""
        self.read.append(key)
        return key


async def test_a_value_is_read_once() -> None:
    """What was read is remembered, also where it is nothing."""
    counting = Counting()
    memo = Memo(counting.load, 10)

    assert [await memo.get(key) for key in ("a", "", "a", "")] == ["a", "", "a", ""]
    assert counting.read == ["a", ""]


async def test_a_change_is_read_again() -> None:
    """A key that is forgotten is read again, others are not; unknown ones may be forgotten."""
    counting = Counting()
    memo = Memo(counting.load, 10)
    await memo.get("a")
    await memo.get("b")
    memo.forget("a")
    memo.forget("c")
    await memo.get("a")
    await memo.get("b")

    assert counting.read == ["a", "b", "a"]


async def test_what_is_put_is_known() -> None:
    """A value that is put takes the place of what was read, without a read, within the size."""
    counting = Counting()
    memo = Memo(counting.load, 2)
    await memo.get("a")
    await memo.get("b")
    memo.put("a", "A")
    memo.put("c", "C")

    assert [await memo.get(key) for key in ("a", "c")] == ["A", "C"]
    assert counting.read == ["a", "b"]
    assert len(memo) == 2


async def test_the_least_used_goes_first() -> None:
    """Beyond its size the memory lets go of what was asked for longest ago."""
    counting = Counting()
    memo = Memo(counting.load, 2)
    for key in ("a", "b", "a", "c"):
        await memo.get(key)
    assert len(memo) == 2
    counting.read.clear()
    for key in ("a", "c", "b"):
        await memo.get(key)

    assert counting.read == ["b"]
    assert len(memo) == 2


async def _begin(memo: Memo[str, int], shelf: Shelf) -> asyncio.Task[int]:
    """A read that looked and has not answered yet."""
    before = len(shelf.reads)
    task = asyncio.create_task(memo.get("a"))
    async with asyncio.timeout(5):
        while len(shelf.reads) == before:  # noqa: ASYNC110 -- one turn of the loop
            await asyncio.sleep(0)
    return task


@pytest.fixture
def shelf() -> Shelf:
    """A shelf whose reads wait to be let go."""
    shelf = Shelf()
    shelf.patient = False
    return shelf


async def test_a_read_that_a_change_overtakes_is_not_remembered(shelf: Shelf) -> None:
    """A read of before a change is handed to its reader alone; the next one reads anew."""
    memo = Memo(shelf.load, 10)
    early = await _begin(memo, shelf)
    shelf.values["a"] = 1
    memo.forget("a")
    shelf.reads[0].set_result(None)
    assert await early == 0
    assert len(memo) == 0

    shelf.patient = True
    assert await memo.get("a") == 1


async def test_a_read_never_covers_what_was_put(shelf: Shelf) -> None:
    """A read of before a value was put is handed to its reader alone."""
    memo = Memo(shelf.load, 10)
    early = await _begin(memo, shelf)
    memo.put("a", 1)
    shelf.reads[0].set_result(None)

    assert await early == 0
    assert await memo.get("a") == 1


async def test_an_old_read_never_covers_a_new_one(shelf: Shelf) -> None:
    """Of reads before and after a change the later is remembered, whichever ends last."""
    for last in (0, 1):
        memo = Memo(shelf.load, 10)
        shelf.values["a"] = 0
        shelf.reads.clear()
        early = await _begin(memo, shelf)
        shelf.values["a"] = 1
        memo.forget("a")
        late = await _begin(memo, shelf)
        shelf.reads[1 - last].set_result(None)
        assert await (early, late)[1 - last] == 1 - last
        shelf.reads[last].set_result(None)
        assert await (early, late)[last] == last

        assert await memo.get("a") == 1
        assert len(shelf.reads) == 2


async def test_a_key_that_is_always_being_read_is_remembered(shelf: Shelf) -> None:
    """Reads that overlap without end do not keep each other from being remembered."""
    memo = Memo(shelf.load, 10)
    tasks = [await _begin(memo, shelf), await _begin(memo, shelf)]
    shelf.reads[0].set_result(None)
    await tasks[0]

    async with asyncio.timeout(5):
        assert await memo.get("a") == 0
    assert len(shelf.reads) == 2
    shelf.reads[1].set_result(None)
    await tasks[1]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_read_that_fails_leaves_nothing(shelf: Shelf, cancelled: bool) -> None:
    """A read that fails, or whose reader goes away, is not remembered; the next one reads."""
    memo = Memo(shelf.load, 10)
    task = await _begin(memo, shelf)
    if cancelled:
        task.cancel()
    else:
        shelf.reads[0].set_exception(ZeroDivisionError())
    with pytest.raises((asyncio.CancelledError, ZeroDivisionError)):
        await task

    shelf.patient = True
    shelf.values["a"] = 7
    assert await memo.get("a") == 7


STEPS = st.lists(
    st.tuples(st.sampled_from(["read", "change", "put", "answer", "fail"]), st.integers(0))
)


@settings(deadline=None)
@given(STEPS, st.integers(1, 3))
def test_no_read_is_older_than_the_last_change(steps: list[tuple[str, int]], size: int) -> None:
    """In any order of reads, answers, failures and changes, what is remembered is as it is now."""

    async def play() -> None:
        shelf = Shelf()
        shelf.patient = False
        memo = Memo(shelf.load, size)
        tasks = []
        for step, number in steps:
            waiting = [read for read in shelf.reads if not read.done()]
            key = "abcd"[number % 4]
            if step == "read":
                least = shelf.values[key]
                tasks.append((asyncio.create_task(memo.get(key)), least))
            elif step == "change":
                shelf.values[key] += 1
                memo.forget(key)
            elif step == "put":
                shelf.values[key] += 1
                memo.put(key, shelf.values[key])
            elif waiting and step == "answer":
                waiting[number % len(waiting)].set_result(None)
            elif waiting:
                waiting[number % len(waiting)].set_exception(ZeroDivisionError())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert len(memo) <= size
        for read in shelf.reads:
            if not read.done():
                read.set_result(None)
        answers = await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)
        for answer, (_, least) in zip(answers, tasks, strict=True):
            if isinstance(answer, BaseException):
                assert isinstance(answer, ZeroDivisionError)
            else:
                assert answer >= least
        shelf.patient = True
        assert [await memo.get(key) for key in "abcd"] == [shelf.values[key] for key in "abcd"]

    asyncio.run(play())
