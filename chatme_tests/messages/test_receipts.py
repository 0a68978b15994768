"""The rules for receipts: they only rise, and everybody concerned hears of it, in order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatme.clock import timestamp
from chatme.conversations.models import Watermark
from chatme.errors import Conflict, NotFound
from chatme.messages.models import Message
from chatme.messages.receipts import MAX_READ_AHEAD
from chatme.messages.wire import MAX_LISTED_IDS
from chatme.storage import atomic
from chatme_tests.conversations.engines import CountingEngine
from chatme_tests.conversations.world import World, ids
from chatme_tests.messages.interleaving import KINDS, Step, play
from chatme_tests.messages.stage import fill, row_of, statuses


@pytest.mark.parametrize("unread", [1, 40])
async def test_opening_writes_one_watermark(world: World, unread: int) -> None:
    """All of a conversation is read by one write, however much and by however many it was."""
    ann, bob, *others = await world.people("ann", "bob", *("x" * at for at in range(1, 20)))
    tea = await world.group(ann, bob, *others)
    await fill(world, tea, ann, unread)
    counting = CountingEngine(world.engine)
    node = world.node(counting)
    assert await node.receipts.read_all(bob, tea, None) == unread

    assert counting.made == ["watermarks.find_one_and_update"]
    assert await node.unread(bob, tea) == 0
    assert [await node.receipts.read_all(bob, tea, None) for _ in range(2)] == [unread] * 2


async def test_opening_tells_the_senders_and_the_readers_other_sockets(world: World) -> None:
    """What was read goes once to who said it and to the reader, but not to the socket that read
    it; what was read before is not told again."""
    ann, bob, cyd, dan = await world.people("ann", "bob", "cyd", "dan")
    world.sockets.open = {ann, bob, cyd, dan}
    tea = await world.group(ann, bob, cyd, dan)
    said = [await world.say(who, tea) for who in (ann, cyd, bob, ann)]
    await world.deliveries.aclose()
    world.forget()
    await world.receipts.read_all(bob, tea, "socket")
    await world.receipts.read_all(bob, tea, "socket")

    (heard,) = world.ears.heard
    assert heard.users == {ann, bob, cyd}
    assert heard.options == {"without": "socket"}
    assert heard.event.data.to_plain() == {
        "conversationId": str(tea),
        "messageIds": [str(said[at].id) for at in (0, 1, 3)],
        "upToSeq": 4,
        "readBy": str(bob),
        "readAt": timestamp(world.clock.now()),
    }
    assert world.notes.told == [("read", {"user": bob, "conversation": tea})] * 2


async def test_badges_clear_where_no_sender_is_here(world: World) -> None:
    """The reader's other sockets hear that all was read also where every sender is away."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    said = [await world.say(ann, talk) for _ in range(2)]
    world.sockets.open = {bob}
    await world.receipts.read_all(bob, talk, "socket")

    (read,) = world.heard("messages_read", by=bob)
    assert (read.message_ids, read.up_to_seq) == (ids(said), 2)


async def test_one_may_be_read_alone(world: World) -> None:
    """A message that is read alone leaves the others unread, is told once and to its sender, and
    counts in the badge."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    world.sockets.open = {ann, bob, cyd}
    tea = await world.group(ann, bob, cyd)
    said = [await world.say(who, tea) for who in (ann, cyd, ann)]
    await world.deliveries.aclose()
    world.forget()
    for _ in range(2):
        await world.read(bob, said[1])

    (heard,) = world.ears.heard
    (read,) = world.heard("messages_read")
    assert heard.users == {bob, cyd}
    assert (read.message_ids, read.up_to_seq, read.read_by) == ([said[1].id], None, bob)
    assert await world.unread(bob, tea) == 2
    assert (await world.marks(bob, tea)).read_ahead == {2}
    world.forget()
    await world.receipts.read_all(bob, tea, None)
    (read,) = world.heard("messages_read")
    assert read.message_ids == [said[0].id, said[2].id]
    assert await world.unread(bob, tea) == 0


async def test_reading_ahead_settles_over_own_messages(world: World) -> None:
    """Once nothing unread lies before them, numbers read ahead become one watermark, over what
    the reader said between them."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    said = [await world.say(who, talk) for who in (ann, bob, ann, ann, bob, bob, ann)]
    await world.read(bob, said[2])
    assert (await row_of(world, bob, talk)).read_ahead == [3]
    await world.read(bob, said[0])
    row = await row_of(world, bob, talk)
    assert (row.read_seq, row.read_ahead) == (3, [])
    await world.read(bob, said[6])
    await world.read(bob, said[3])

    row = await row_of(world, bob, talk)
    assert (row.read_seq, row.read_ahead) == (7, [])
    assert await statuses(world, bob, talk) == ["read", "-", "read", "read", "-", "-", "read"]


async def test_reading_ahead_settles_for_who_came_back(world: World) -> None:
    """What was said while somebody was away from a group does not keep their watermark down."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    await world.groups.remove(ann, tea, bob)
    await world.say(ann, tea)
    await world.groups.add(ann, tea, [bob])
    await world.read(bob, await world.say(ann, tea))

    row = await row_of(world, bob, tea)
    assert (row.read_seq, row.read_ahead) == (2, [])


async def test_reading_ahead_is_bounded(world: World) -> None:
    """A thousand may be read out of order; one more is refused until the conversation is opened."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await fill(world, talk, ann, MAX_READ_AHEAD + 3)
    said = await world.engine.find(Message, Message.conversation == talk, sort=Message.seq)
    ahead = list(range(3, MAX_READ_AHEAD + 2))
    where = {"conversation": talk, "user": bob}
    await atomic.update(world.engine, Watermark, where, {"$set": {"read_ahead": ahead}})
    await world.receipts.read_one(bob, said[1], None)
    assert len((await row_of(world, bob, talk)).read_ahead) == MAX_READ_AHEAD
    with pytest.raises(Conflict):
        await world.receipts.read_one(bob, said[-1], None)
    await world.receipts.read_one(bob, said[5], None)
    assert await world.node().unread(bob, talk) == 3

    last = await world.node().receipts.read_all(bob, talk, None)
    row = await row_of(world, bob, talk)
    assert (row.read_seq, row.read_ahead, last) == (last, [], MAX_READ_AHEAD + 3)


async def test_own_and_earlier_messages_are_not_read(world: World) -> None:
    """One's own message, and one from before one joined, change nothing when they are read."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob)
    said = [await world.say(ann, tea), await world.say(bob, tea)]
    await world.groups.add(ann, tea, [cyd])
    world.forget()
    await world.read(bob, said[1])
    await world.read(cyd, said[0])
    await world.receipts.read_all(cyd, tea, None)

    assert world.ears.heard == []
    assert (await row_of(world, bob, tea)).read_ahead == []
    assert await world.unread(cyd, tea) == 0
    assert (await world.history(ann, tea))[0].receipt_counts.recipients == 1


async def test_connecting_delivers_what_waited(world: World) -> None:
    """Whoever connects has got all that waited, in every conversation; the senders that are here
    hear of theirs, once."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    world.sockets.open = {ann}
    talk, tea = await world.direct(ann, bob), await world.group(cyd, ann, bob)
    in_talk = [await world.say(ann, talk) for _ in range(3)]
    in_tea = [await world.say(who, tea) for who in (ann, cyd)]
    await world.deliveries.aclose()
    assert await statuses(world, bob, talk) == ["sent"] * 3
    world.forget()
    world.sockets.open = {ann, bob}
    for _ in range(2):
        await world.receipts.connected(bob)

    first, second = sorted(world.ears.heard, key=lambda each: len(each.users))
    told = {each.conversation_id: each for each in world.heard("messages_delivered")}
    assert first.users == second.users == {ann}
    assert told[talk].message_ids == ids(in_talk)
    assert ids(in_tea)[0] in told[tea].message_ids
    assert [(told[at].up_to_seq, told[at].recipient_ids) for at in (talk, tea)] == [
        (3, [bob]),
        (2, [bob]),
    ]
    assert await statuses(world, bob, talk) == ["delivered"] * 3


async def test_connecting_writes_only_where_something_waits(world: World) -> None:
    """A user's second connection writes nothing where nothing came, and reads what it needs in a
    few queries."""
    ann, bob = await world.people("ann", "bob")
    for _ in range(3):
        await world.say(ann, await world.group(ann, bob))
    counting = CountingEngine(world.engine)
    node = world.node(counting)
    await node.receipts.connected(bob)
    assert counting.made == ["watermarks.find_one_and_update"] * 3
    await node.receipts.connected(bob)

    assert len(counting.made) == 3
    assert world.heard("messages_delivered") == []


async def test_who_leaves_while_connecting_still_connects(world: World) -> None:
    """A group that one is taken out of at that moment does not keep a socket from its greeting."""
    ann, bob = await world.people("ann", "bob")
    world.sockets.open = {ann, bob}
    tea = await world.group(ann, bob)
    await world.say(ann, tea)
    node = world.node()
    async with node.deliveries.turn(tea):
        greeting = asyncio.create_task(node.receipts.connected(bob))
        await asyncio.sleep(0.05)
        await node.groups.remove(ann, tea, bob)
        world.forget()
    await greeting

    assert world.ears.heard == []


async def test_a_withheld_message_is_never_covered(world: World) -> None:
    """What came while the sender was blocked stays sent: no "all up to" covers it, neither when
    the recipient connects nor when they read, also after the block."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    world.sockets.open = {ann}
    await world.say(ann, talk, "before")
    await world.blocks.block(bob, ann)
    await world.say(ann, talk, "withheld")
    world.sockets.open = {ann, bob}
    await world.receipts.connected(bob)
    assert world.heard("messages_delivered") == []
    assert await statuses(world, bob, talk) == ["sent", "sent"]

    await world.blocks.unblock(bob, ann)
    after = await world.say(ann, talk, "after")
    await world.receipts.connected(bob)
    await world.receipts.read_all(bob, talk, None)
    await world.deliveries.aclose()
    for data in world.heard("messages_delivered", "messages_read", by=ann):
        assert data.up_to_seq is None
        assert after.id in data.message_ids or len(data.message_ids) == 1
    assert await statuses(world, bob, talk) == ["read", "sent", "read"]


async def test_a_withheld_message_of_a_group_is_never_told_as_read(world: World) -> None:
    """Who reads it after lifting the block reads it for themselves: to its sender it stays sent."""
    ann, bob = await world.people("ann", "bob")
    world.sockets.open = {ann, bob}
    tea = await world.group(ann, bob)
    await world.blocks.block(bob, ann)
    withheld = await world.say(ann, tea)
    await world.blocks.unblock(bob, ann)
    await world.read(bob, withheld)
    await world.deliveries.aclose()

    assert world.heard("messages_read", "messages_delivered", by=ann) == []
    assert len(world.heard("messages_read", by=bob)) == 1
    assert await statuses(world, bob, tea) == ["sent"]
    assert await world.unread(bob, tea) == 0


async def test_the_blocked_hear_of_no_reading(world: World) -> None:
    """Who is blocked is not told that what they said before was read."""
    ann, bob = await world.people("ann", "bob")
    world.sockets.open = {ann, bob}
    tea = await world.group(ann, bob)
    said = [await world.say(ann, tea) for _ in range(2)]
    await world.deliveries.aclose()
    world.forget()
    (found,) = await world.engine.find(Message, Message.id == said[1].id)
    await world.blocks.block(bob, ann)
    await world.receipts.read_one(bob, found, None)
    await world.receipts.read_all(bob, tea, None)

    assert world.heard("messages_read", by=ann) == []


async def test_long_absences_list_the_newest(world: World) -> None:
    """At most 500 messages are listed, the newest, while the number covers all of them, and who
    said only earlier ones is told as well."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    await fill(world, tea, cyd, 3)
    await fill(world, tea, ann, MAX_LISTED_IDS + 7)
    world.sockets.open = {ann, bob, cyd}
    node = world.node()
    await node.receipts.connected(bob)
    await node.receipts.read_all(bob, tea, None)
    stored = await world.engine.find(Message, Message.conversation == tea, sort=Message.seq)

    for heard in world.ears.heard[-2:]:
        data = heard.event.data.to_plain()
        assert data["messageIds"] == [str(each.id) for each in stored[-MAX_LISTED_IDS:]]
        assert data["upToSeq"] == MAX_LISTED_IDS + 10
        assert heard.users >= {ann, cyd}


async def test_an_outdated_process_lowers_nothing(world: World) -> None:
    """Where a process knows less of the conversation than another, its marks change nothing."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    early = world.node()
    assert await early.log.tail(talk) == (0, 0)
    said = [await world.say(ann, talk) for _ in range(3)]
    await world.read(bob, said[2])
    await early.receipts.read_all(bob, talk, None)
    assert (await row_of(world, bob, talk)).read_ahead == [3]
    await world.receipts.read_all(bob, talk, None)
    await early.receipts.read_all(bob, talk, None)

    row = await row_of(world, bob, talk)
    assert (row.read_seq, row.delivered_seq, row.read_ahead) == (3, 3, [])


async def test_a_missing_row_is_made(world: World) -> None:
    """A member whose row was never written gets it when they connect or read."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await world.say(ann, talk)
    for work in (
        lambda: world.receipts.connected(bob),
        lambda: world.receipts.read_all(bob, talk, None),
    ):
        await world.engine.remove(Watermark, Watermark.user == bob)
        await work()
        assert (await row_of(world, bob, talk)).delivered_seq == 1


async def test_strangers_read_nothing(world: World) -> None:
    """Who is no member cannot mark anything, and learns nothing."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk = await world.direct(ann, bob)
    message = await world.say(ann, talk)
    (stored,) = await world.engine.find(Message, Message.id == message.id)
    for attempt in (
        world.receipts.read_all(cyd, talk, None),
        world.receipts.read_one(cyd, stored, None),
        world.receipts.read_all(cyd, ObjectId(), None),
    ):
        with pytest.raises(NotFound):
            await attempt
    await world.receipts.connected(cyd)
    assert await world.engine.count(Watermark, Watermark.user == cyd) == 0


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(KINDS),
        st.integers(0, 2),
        st.integers(0, 7),
        st.integers(0, 60),
    ),
    min_size=4,
    max_size=24,
)


@pytest.mark.parametrize("processes", [1, 2])
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_receipts_only_rise(processes: int, steps: list[Step]) -> None:
    """However sends, connections, readings, edits and blocks interleave, no status goes back, what
    senders are told is true and in order, and badges agree."""
    with TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps, processes))
