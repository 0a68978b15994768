"""Tests for who blocks whom: the rows, what is remembered of them, and who finds whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from odmantic import AIOEngine

from chatme.clock import new_id
from chatme.errors import BadRequest, Invalid, NotFound
from chatme.storage import atomic
from chatme.users.blocks import BlockService
from chatme.users.models import Block, User, new_block
from chatme_tests.fakes import SOMETIME, opened_engine
from chatme_tests.users.people import CountingEngine, HeldEngine, House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An empty house."""
    async with opened_engine(tmp_path, [User, Block]) as engine:
        yield House(engine)


async def test_a_block_is_one_way(house: House) -> None:
    """A block is known from both of its ends and turns neither into the other."""
    ada, bob, cyd = await house.people("ada", "bob", "cyd")
    await house.blocks.block(ada, bob)

    assert await house.blocks.blocked_by(ada) == {bob}
    assert await house.blocks.blockers_of(bob) == {ada}
    assert not await house.blocks.blocked_by(bob)
    assert not await house.blocks.blockers_of(ada)
    assert await house.blocks.related(ada, [bob, cyd]) == {bob}
    assert await house.blocks.related(bob, {ada, cyd}) == {ada}
    assert await house.blocks.related(cyd, (ada, bob)) == set()


async def test_blocking_and_unblocking_may_be_said_twice(house: House) -> None:
    """Who blocks twice has blocked once, and who lifts no block has lifted it."""
    ada, bob = await house.people("ada", "bob")
    await house.blocks.unblock(ada, bob)
    for _ in range(2):
        await house.blocks.block(ada, bob)
    assert await house.rows(ada) == [bob]

    for _ in range(2):
        await house.blocks.unblock(ada, bob)
    assert await house.rows(ada) == []
    assert not await house.blocks.blocked_by(ada)
    assert not await house.blocks.blockers_of(bob)


async def test_oneself_and_nobody_cannot_be_blocked(house: House) -> None:
    """Oneself is a bad request, an unknown user not found, and neither leaves a row."""
    (ada,) = await house.people("ada")
    with pytest.raises(BadRequest):
        await house.blocks.block(ada, ada)
    with pytest.raises(NotFound):
        await house.blocks.block(ada, new_id())
    with pytest.raises(NotFound):
        await house.blocks.unblock(ada, new_id())

    assert await house.rows(ada) == []


async def test_the_deactivated_can_be_blocked(house: House) -> None:
    """A user who is not active is blocked, listed and unblocked like any other."""
    ada, bob = await house.people("ada", "bob")
    await atomic.update(house.engine, User, {"_id": bob}, {"$set": {"is_active": False}})
    await house.blocks.block(ada, bob)

    assert [view.id for view in await house.blocks.listed(ada)] == [bob]
    await house.blocks.unblock(ada, bob)
    assert await house.blocks.listed(ada) == []


async def test_the_newest_block_is_listed_first(house: House) -> None:
    """One's own blocks are listed newest first, also within one millisecond."""
    ada, *others = await house.people("ada", "bob", "cyd", "dan", "eve")
    for at, other in enumerate(others):
        house.clock.move(milliseconds=at // 2)
        await house.blocks.block(ada, other)
    await house.blocks.block(others[0], others[1])

    listed = await house.blocks.listed(ada)
    assert [view.display_name for view in listed] == ["eve", "dan", "cyd", "bob"]
    assert {"id", "displayName", "avatar", "bio"} == set(listed[0].to_plain())


async def test_one_block_too_many_is_refused(house: House) -> None:
    """Beyond the limit a block is refused in plain words, and the ones that stand still stand."""
    small = House(house.engine, limit=3)
    ada, *others = await small.people("ada", *"bcdefgh")
    for other in others[:3]:
        await small.blocks.block(ada, other)
    with pytest.raises(Invalid, match="at most 3 users"):
        await small.blocks.block(ada, others[3])
    await small.blocks.block(ada, others[0])

    assert set(await small.rows(ada)) == set(others[:3]) == await small.blocks.blocked_by(ada)
    await small.blocks.unblock(ada, others[0])
    await small.blocks.block(ada, others[3])
    assert await small.blocks.blocked_by(ada) == set(others[1:4])


async def test_no_race_passes_the_limit(house: House) -> None:
    """Of many blocks at once no more stand than one user may have."""
    small = House(house.engine, limit=5)
    ada, *others = await small.people("ada", *map(str, range(20)))
    blocks = [small.blocks.block(ada, other) for other in others]
    outcomes = await asyncio.gather(*blocks, return_exceptions=True)

    rows = set(await small.rows(ada))
    assert len(rows) <= 5
    assert rows == await small.blocks.blocked_by(ada)
    assert rows == {other for other, outcome in zip(others, outcomes, strict=True) if not outcome}
    assert all(outcome is None or isinstance(outcome, Invalid) for outcome in outcomes)


async def test_twenty_blocks_at_once_are_one(house: House) -> None:
    """Twenty concurrent blocks of one user succeed and make one row."""
    ada, bob = await house.people("ada", "bob")
    await asyncio.gather(*(house.blocks.block(ada, bob) for _ in range(20)))

    assert await house.rows(ada) == [bob]
    assert await house.blocks.blockers_of(bob) == {ada}


async def test_what_is_known_costs_no_operation(house: House) -> None:
    """Asking again costs no database operation until the next change, which costs one for each."""
    ada, bob, cyd = await house.people("ada", "bob", "cyd")
    counting = CountingEngine(house.engine)
    blocks = BlockService(cast("AIOEngine", counting), house.clock)
    for _ in range(100):
        await blocks.related(ada, [bob, cyd])
    assert counting.used == 2

    await blocks.block(ada, bob)
    counting.used = 0
    for _ in range(100):
        assert await blocks.related(ada, [bob, cyd]) == {bob}
        assert await blocks.blockers_of(bob) == {ada}
    assert counting.used == 1  # whom she blocked was counted already, for the limit


async def test_a_caller_who_goes_away_leaves_nothing_stale(house: House) -> None:
    """A block whose caller is cancelled is written to its end, and then known."""
    ada, bob = await house.people("ada", "bob")
    held = HeldEngine(house.engine)
    blocks = BlockService(cast("AIOEngine", held), house.clock)
    caller = asyncio.create_task(blocks.block(ada, bob))
    await held.begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not await blocks.blocked_by(ada)

    held.let_go.set()
    async with asyncio.timeout(5):
        await held.done.wait()
    assert await house.rows(ada) == [bob]
    assert await blocks.blocked_by(ada) == {bob}
    assert await blocks.blockers_of(bob) == {ada}


async def test_a_write_that_failed_is_looked_up_again(house: House) -> None:
    """A write that came to be though its answer was lost is known all the same."""
    ada, bob = await house.people("ada", "bob")
    held = HeldEngine(house.engine, error=ConnectionError("lost"))
    held.let_go.set()
    blocks = BlockService(cast("AIOEngine", held), house.clock)
    assert not await blocks.blocked_by(ada)
    with pytest.raises(ConnectionError):
        await blocks.block(ada, bob)

    assert await blocks.blocked_by(ada) == {bob}


STEPS = st.tuples(
    st.sampled_from(["block", "unblock", "blocked_by", "blockers_of"]),
    st.sampled_from([(one, other) for one in range(3) for other in range(3) if one != other]),
    st.integers(min_value=0, max_value=30),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(STEPS, min_size=2, max_size=30))
def test_what_is_remembered_is_what_is_written(steps: list[tuple[str, Any, int]]) -> None:
    """However blocks, unblocks and questions interleave, memory and database agree afterwards."""

    async def act(house: House, ids: list[ObjectId], step: tuple[str, Any, int]) -> None:
        kind, (one, other), delay = step
        for _ in range(delay):
            await asyncio.sleep(0)
        if kind in ("block", "unblock"):
            await getattr(house.blocks, kind)(ids[one], ids[other])
        else:
            await getattr(house.blocks, kind)(ids[one])

    async def play(folder: Path) -> None:
        async with opened_engine(folder, [User, Block]) as engine:
            house = House(engine)
            ids = await house.people("ada", "bob", "cyd")
            await asyncio.gather(*(act(house, ids, step) for step in steps))
            pairs = {(one, other) for one in ids for other in await house.rows(one)}
            for one in ids:
                blocked = {other for blocker, other in pairs if blocker == one}
                blockers = {blocker for blocker, other in pairs if other == one}
                assert blocked == await house.blocks.blocked_by(one)
                assert blockers == await house.blocks.blockers_of(one)

    with TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))


async def test_a_search_hides_who_blocked_the_caller(house: House) -> None:
    """Who blocked the caller is not found by them, from that moment until the block is lifted."""
    ada, bob, cyd = await house.people("seeker", "findme one", "findme two")

    async def found() -> set[ObjectId]:
        return {user.id for user in await house.users.search(ada, "findme")}

    assert await found() == {bob, cyd}
    await house.blocks.block(bob, ada)
    await house.blocks.block(ada, cyd)
    assert await found() == {cyd}
    await house.blocks.unblock(bob, ada)
    assert await found() == {bob, cyd}


async def test_hidden_users_do_not_crowd_out_the_others(house: House) -> None:
    """A hundred matches who blocked the caller leave room for the one who did not."""
    ada, *others = await house.people("seeker", *(f"crowd {at:03}" for at in range(101)))
    rows = [new_block(other, ada, SOMETIME) for other in others[:-1]]
    await atomic.insert_missing(house.engine, rows)

    assert [user.id for user in await house.users.search(ada, "crowd")] == [others[-1]]


async def test_a_user_who_is_no_more_blocks_nobody(house: House) -> None:
    """Their blocks and those of them are gone, also from memory, and no others."""
    ada, bob, cyd = await house.people("ada", "bob", "cyd")
    for blocker, blocked in ((ada, bob), (cyd, ada), (bob, cyd)):
        await house.blocks.block(blocker, blocked)
    held = [view.id async for view in house.blocks.held(ada)]
    for _ in range(2):
        await house.blocks.erase(ada)

    assert held == [bob]
    assert not await house.blocks.related(ada, [bob, cyd])
    assert await house.blocks.blocked_by(bob) == {cyd}
