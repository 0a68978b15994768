"""What all rules ask of conversations: one for each pair, who is in it, how far each is."""

from __future__ import annotations

import asyncio

import pytest
from bson import ObjectId

from chatme.clock import new_id
from chatme.conversations.models import Activity, Conversation, Marks, Reach, Standing, Watermark
from chatme.conversations.wire import GroupWanted
from chatme.errors import BadRequest, Forbidden, Invalid, NotFound
from chatme.storage import atomic
from chatme.users.models import User
from chatme_tests.conversations.engines import AskedEngine, Crash, DyingEngine
from chatme_tests.conversations.world import Node, World, ids


async def test_a_pair_has_one_conversation(world: World) -> None:
    """Whoever of two begins, and however often, it is one conversation, announced to both once."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    view, made = await world.core.direct(ann, bob)
    again = [await world.core.direct(*pair) for pair in ((ann, bob), (bob, ann))]

    assert made
    assert [(other.id, new) for other, new in again] == [(view.id, False)] * 2
    assert (view.type, view.name) == ("direct", None)
    assert [member.user.id for member in view.members] == [ann, bob]
    (heard,) = world.ears.heard
    assert heard.event.name == "conversation_created"
    assert heard.users == {ann, bob}
    assert (await world.direct(ann, cyd)) != view.id


async def test_reaches_are_those_of_all_conversations(world: World) -> None:
    """A user's reach names each conversation that they are in, its kind, and what they cleared."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk, tea, old = await world.direct(ann, bob), await world.group(ann, bob), ObjectId()
    left = await world.group(cyd, ann)
    await world.say(ann, talk)
    await world.listing.clear(ann, talk)
    await world.groups.remove(ann, left, ann)
    await world.core.add_marks(old, [ann], 0)

    assert await world.core.reaches(ann) == {talk: Reach(True, 1), tea: Reach(False)}
    assert await world.core.reaches(bob) == {talk: Reach(True), tea: Reach(False)}


async def test_twenty_at_once_make_one(world: World) -> None:
    """Of twenty that begin at once, from both sides and in two processes, one makes it, and
    nothing is left of the other attempts."""
    ann, bob = await world.people("ann", "bob")
    nodes, pairs = (world.node(), world.node()), ((ann, bob), (bob, ann))
    outcomes = await asyncio.gather(
        *(nodes[at % 2].core.direct(*pairs[at // 2 % 2]) for at in range(20))
    )

    assert sorted(made for _, made in outcomes) == [False] * 19 + [True]
    assert len({view.id for view, _ in outcomes}) == 1
    counts = [await world.engine.count(each) for each in (Conversation, Activity, Watermark)]
    assert counts == [1, 1, 2]
    assert len(world.heard("conversation_created")) == 1
    assert [len(await world.listed(user)) for user in (ann, bob)] == [1, 1]


async def test_some_pairs_cannot_be(world: World) -> None:
    """Nobody talks to themselves, to nobody, or to somebody who is deactivated."""
    ann, bob = await world.people("ann", "bob")
    await atomic.update(world.engine, User, {"_id": bob}, {"$set": {"is_active": False}})
    with pytest.raises(BadRequest):
        await world.core.direct(ann, ann)
    for other in (bob, ObjectId()):
        with pytest.raises(NotFound):
            await world.core.direct(ann, other)

    assert await world.engine.count(Activity) == 0


@pytest.mark.parametrize("by_whom", ["the caller", "the other"])
async def test_a_block_keeps_two_apart(world: World, by_whom: str) -> None:
    """Where either blocked the other nothing new begins, while what is there stays."""
    ann, bob = await world.people("ann", "bob")
    pair = (ann, bob) if by_whom == "the caller" else (bob, ann)
    await world.blocks.block(*pair)
    with pytest.raises(Forbidden) as refused:
        await world.core.direct(ann, bob)
    assert refused.value.code == "blocked"
    await world.blocks.unblock(*pair)
    talk = await world.direct(ann, bob)
    await world.blocks.block(*pair)

    assert await world.direct(ann, bob) == talk


async def test_a_group_needs_others(world: World) -> None:
    """A group of oneself alone is a fault of the field."""
    (ann,) = await world.people("ann")
    with pytest.raises(Invalid) as invalid:
        await world.core.group(ann, GroupWanted(name="Tea", member_ids=[ann, ann]))

    assert [fault.field for fault in invalid.value.faults] == ["memberIds"]


async def test_a_roster_is_read_once(world: World) -> None:
    """A member's question costs one query in all, and one more after each change."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    asked = AskedEngine(world.engine)
    node = Node(asked, world.outside)
    for _ in range(3):
        roster = await node.core.roster(tea, ann)
        assert await node.core.members(tea) == roster
    assert roster.members == {ann: Standing("admin", 0), bob: Standing("member", 0)}
    assert len(asked.asked) == 1
    await node.groups.rename(ann, tea, "Coffee")
    asked.asked.clear()

    assert (await node.core.roster(tea, bob)).name == "Coffee"
    assert len(asked.asked) == 1


async def test_a_stranger_costs_what_nothing_costs(world: World) -> None:
    """Who asks for a foreign conversation waits for the database like who asks for none."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk = await world.direct(ann, bob)
    asked = AskedEngine(world.engine)
    node = Node(asked, world.outside)
    await node.core.roster(talk, ann)
    for conversation in (talk, ObjectId()):
        asked.asked.clear()
        with pytest.raises(NotFound):
            await node.core.roster(conversation, cyd)
        assert len(asked.asked) == 1
    with pytest.raises(NotFound):
        await node.core.members(ObjectId())


async def test_marks_are_read_for_many_at_once(world: World) -> None:
    """The marks of several conversations cost one query, and are each member's own."""
    ann, bob = await world.people("ann", "bob")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob)
    await world.say(ann, tea)
    await world.receipts.read_all(bob, tea, None)
    asked = AskedEngine(world.engine)
    core = Node(asked, world.outside).core
    rosters = await core.rosters([talk, tea, ObjectId()])
    marks = await core.marks(*rosters.values())

    assert len(asked.asked) == 2
    assert marks == {
        talk: {ann: Marks(), bob: Marks()},
        tea: {ann: Marks(), bob: Marks(0, 1, 1)},
    }
    assert await core.own_marks(rosters[tea], bob) == Marks(0, 1, 1)
    assert sorted(await core.ids_of(ann)) == sorted([talk, tea])
    assert await core.ids_of(ObjectId()) == []


async def test_rows_that_are_there_stay(world: World) -> None:
    """A row that is made again stays as it is, and missing ones are made beside it."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob)
    await world.core.add_marks(tea, [bob, cyd], 5)
    await world.core.add_marks(tea, [], 5)
    rows = await world.engine.find(Watermark, Watermark.conversation == tea)

    assert {row.user: row.read_seq for row in rows} == {ann: 0, bob: 0, cyd: 5}


async def test_an_activity_moves_forward_alone(world: World) -> None:
    """What came later is not overwritten by what is recorded late."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    late, early = new_id(), new_id()
    now = world.clock.now()
    for seq, message in ((2, late), (1, early), (2, early)):
        await world.core.record_message(talk, message, seq, now)
    (activity,) = await world.engine.find(Activity)

    assert (activity.seq, activity.last_message) == (2, late)


@pytest.mark.parametrize("late", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("kind", ["direct", "group"])
async def test_a_crash_leaves_nothing_half_made(
    world: World, kind: str, at: int, late: bool
) -> None:
    """Wherever the making of a conversation is cut, all its members see all of it or none does,
    and making it again works."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    dying = DyingEngine(world.engine, at, late=late)
    finished = True
    try:
        await _make(world.node(dying), kind, ann, bob, cyd)
    except Crash:
        finished = False
    assert finished == (at == 3)
    assert (
        dying.made
        == [
            "activities.insert_one",
            "watermarks.insert_many",
            "conversations.insert_one",
        ][: at + 1]
    )

    after = world.node()
    users = [ann, bob] if kind == "direct" else [ann, bob, cyd]
    there = finished or (at == 2 and late)
    for user in users:
        assert [len(each.members) for each in await after.listed(user)] == [len(users)] * there
        await after.receipts.connected(user)
    again = await _make(after, kind, ann, bob, cyd)
    both = 2 if kind == "group" and there else 1
    for user in users:
        shown = await after.listed(user)
        assert len(shown) == both
        assert await after.listing.one(user, again) in shown
        await after.say(user, again)
    assert await after.unread(bob, again) == len(users) - 1


async def _make(node: Node, kind: str, *users: ObjectId) -> ObjectId:
    if kind == "direct":
        return await node.direct(*users[:2])
    return await node.group(*users)


@pytest.mark.parametrize("late", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("at", range(3))
async def test_a_crash_leaves_nobody_half_added(world: World, at: int, late: bool) -> None:
    """Wherever the adding of a member is cut, they are in the group or not, and adding them again
    works, with nothing unread of before."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob)
    await world.say(ann, tea)
    finished = True
    try:
        await world.node(DyingEngine(world.engine, at, late=late)).groups.add(ann, tea, [cyd])
    except Crash:
        finished = False
    assert finished == (at == 2)

    after = world.node()
    there = finished or (at == 1 and late)
    assert ids(await after.listed(cyd)) == [tea] * there
    assert (cyd in (await after.core.members(tea)).user_ids) == there
    await after.say(bob, tea)
    await after.groups.add(ann, tea, [cyd])
    assert await after.unread(cyd, tea) == (1 if there else 0)
    assert (await after.history(ann, tea))[0].receipt_counts.recipients == 1
