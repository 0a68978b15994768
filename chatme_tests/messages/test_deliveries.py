"""Deliveries: written in batches behind the sends, told once, and never after the reading."""

from __future__ import annotations

import asyncio

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from chatme.messages.deliveries import LARGE, Deliveries
from chatme.messages.models import Message
from chatme.messages.wire import MAX_LISTED_IDS
from chatme_tests.conversations.engines import CountingEngine, GatedEngine, HeldEngine
from chatme_tests.conversations.world import World, ids
from chatme_tests.messages.stage import made, read, row_of, statuses

UPDATE = "watermarks.update_many"


def _hand_in(deliveries: Deliveries, *messages: Message) -> None:
    """Messages that were announced."""
    for message in messages:
        with deliveries.announcing(message):
            pass


async def test_who_is_here_gets_it(world: World) -> None:
    """Its sender hears once who got a message: the members that are here, and nobody else."""
    ann, bob, cyd, dan = await world.people("ann", "bob", "cyd", "dan")
    tea = await world.group(ann, bob, cyd, dan)
    world.sockets.open = {ann, bob, cyd}
    message = await world.say(ann, tea)
    await world.deliveries.aclose()

    (heard,) = [each for each in world.ears.heard if each.event.name == "messages_delivered"]
    assert heard.users == {ann}
    assert heard.event.data.to_plain() == {
        "conversationId": str(tea),
        "messageIds": [str(message.id)],
        "upToSeq": None,
        "recipientIds": sorted([str(bob), str(cyd)]),
    }
    rows = [await row_of(world, user, tea) for user in (ann, bob, cyd, dan)]
    assert [row.delivered_seq for row in rows] == [0, 1, 1, 0]


async def test_nothing_is_written_where_nobody_is_here(world: World) -> None:
    """A message to the absent costs no write and tells nothing."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    counting = CountingEngine(world.engine)
    deliveries = world.node(counting).deliveries
    _hand_in(deliveries, made(talk, ann, 1))
    await deliveries.aclose()

    assert counting.made == []
    assert world.heard("messages_delivered") == []


async def test_a_batch_is_one_write_and_one_frame(world: World) -> None:
    """What comes while a batch is written makes one batch: one write, and one frame for each
    sender, with the numbers of all."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    world.sockets.open = {ann, bob, cyd}
    held = HeldEngine(world.engine, UPDATE)
    node = world.node(held)
    first, *rest = [made(tea, (ann, bob)[seq % 2], seq) for seq in range(1, 9)]
    _hand_in(node.deliveries, first)
    await held.begun.wait()
    _hand_in(node.deliveries, *rest)
    held.go.set()
    await node.deliveries.aclose()

    told = world.heard("messages_delivered")
    assert [each.message_ids for each in told] == [[first.id], ids(rest[0::2]), ids(rest[1::2])]
    assert {(await row_of(world, user, tea)).delivered_seq for user in (ann, bob, cyd)} == {7, 8}


async def test_a_long_batch_is_told_in_parts(world: World) -> None:
    """A frame lists at most 500 messages; the next one lists the rest."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    world.sockets.open = {ann, bob}
    messages = [made(talk, ann, seq) for seq in range(1, MAX_LISTED_IDS + 2)]
    _hand_in(world.deliveries, *messages)
    await world.deliveries.aclose()

    told = world.heard("messages_delivered", by=ann)
    assert [each.message_ids for each in told] == [ids(messages[:-1]), ids(messages[-1:])]
    assert (await row_of(world, bob, talk)).delivered_seq == len(messages)


async def test_large_groups_gather(world: World) -> None:
    """In a group of over 16 what comes within a tenth of a second costs one write for all."""
    ann, *others = await world.people(*("x" * at for at in range(1, LARGE + 2)))
    tea = await world.group(ann, *others)
    world.sockets.open = {ann, *others}
    counting = CountingEngine(world.engine)
    node = world.node(counting)
    for _ in range(3):
        await node.say(ann, tea)
    await node.aclose()

    assert counting.made.count(UPDATE) == 1
    (told,) = world.heard("messages_delivered")
    assert len(told.message_ids) == 3
    assert told.recipient_ids == sorted(others)


async def test_some_get_nothing(world: World) -> None:
    """Neither who came later, nor who blocks the sender, is told as having got a message; a
    sender who left is told nothing."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob)
    world.sockets.open = {ann, bob, cyd}
    await world.blocks.block(bob, ann)
    await world.say(ann, tea)
    await world.groups.add(ann, tea, [cyd])
    held = HeldEngine(world.engine, UPDATE)
    node = world.node(held)
    await node.say(bob, tea)
    await held.begun.wait()
    last = await node.say(bob, tea)
    await node.groups.remove(bob, tea, bob)
    held.go.set()
    await node.aclose()

    (told,) = world.heard("messages_delivered", by=bob)
    assert world.heard("messages_delivered", by=ann) == []
    assert told.recipient_ids == sorted([ann, cyd])
    assert last.id not in told.message_ids


class FailingEngine(GatedEngine):
    """An engine whose first write is refused."""

    def __init__(self, world: World, error: Exception) -> None:
        super().__init__(world.engine)
        self.error: Exception | None = error

    async def before(self, place: str) -> None:
        """Refuses once."""
        error, self.error = self.error, None
        if error is not None:
            raise error


async def test_a_write_that_failed_is_tried_again(world: World) -> None:
    """Where the database is away, deliveries wait for it, and are then told once."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    world.sockets.open = {ann, bob}
    deliveries = world.node(FailingEngine(world, AutoReconnect("away"))).deliveries
    with capture_logs() as logs:
        _hand_in(deliveries, made(talk, ann, 1))
        await deliveries.aclose()

    assert [each["event"] for each in logs] == ["deliveries wait for the database"]
    assert len(world.heard("messages_delivered")) == 1
    assert (await row_of(world, bob, talk)).delivered_seq == 1


async def test_nothing_is_asked_of_a_lost_database(world: World) -> None:
    """While the database is known to be lost deliveries are not tried, and are told when it is
    back."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    world.sockets.open = {ann, bob}
    counting = CountingEngine(world.engine)
    deliveries = world.node(counting).deliveries
    world.outside.lifeline.refusals = 1
    with capture_logs() as logs:
        _hand_in(deliveries, made(talk, ann, 1))
        await deliveries.aclose()

    assert [each["event"] for each in logs] == ["deliveries wait for the database"]
    assert counting.made == [UPDATE]
    assert len(world.heard("messages_delivered")) == 1


async def test_a_conversation_that_is_gone_is_let_go(world: World) -> None:
    """Deliveries in a conversation that is not there are dropped, and later ones work."""
    ann, bob = await world.people("ann", "bob")
    world.sockets.open = {ann, bob}
    _hand_in(world.deliveries, made(ObjectId(), ann, 1))
    await world.deliveries.aclose()
    await world.say(ann, await world.direct(ann, bob))
    await world.deliveries.aclose()

    assert len(world.heard("messages_delivered")) == 1


async def test_a_message_that_was_never_announced_is_not_delivered(world: World) -> None:
    """Where its announcement fails, a message waits for the recipients' next connection."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    world.sockets.open = {ann, bob}
    with pytest.raises(ZeroDivisionError), world.deliveries.announcing(made(talk, ann, 1)):
        raise ZeroDivisionError
    world.deliveries.has_read(bob, talk, 1)
    await world.deliveries.aclose()

    assert world.heard("messages_delivered") == []


@pytest.mark.parametrize("how", ["all", "alone"])
@pytest.mark.parametrize("place", ["activities.update_one", "watermarks.update_many"])
async def test_no_delivery_is_told_after_the_reading(world: World, place: str, how: str) -> None:
    """Who reads a message before its delivery was written down, however early, is told to its
    sender as having read it and not as having got it afterwards."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    held = HeldEngine(world.engine, place)
    node = world.node(held)
    world.sockets.open = {ann, bob, cyd}
    sending = asyncio.create_task(node.say(ann, tea))
    await held.begun.wait()
    (message,) = world.heard("new_message", by=bob)
    reading = asyncio.create_task(read(node, bob, message, how))
    await asyncio.sleep(0.03)
    held.go.set()
    await asyncio.gather(sending, reading)
    await node.aclose()

    names = [name for name in world.names_heard(ann) if name.startswith("messages_")]
    delivered = [each.recipient_ids for each in world.heard("messages_delivered")]
    if names[0] == "messages_read":
        assert names == ["messages_read", "messages_delivered"]
        assert delivered == [[cyd]]
    else:
        assert names == ["messages_delivered", "messages_read"]
        assert delivered == [sorted([bob, cyd])]


async def test_a_reading_that_overtakes_the_announcement_is_known(world: World) -> None:
    """Who opens a conversation between the writing of a message and its announcement has read
    it, and is not told as having got it afterwards."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    first = await world.say(ann, talk)
    await world.deliveries.aclose()
    world.sockets.open = {ann, bob}
    held = HeldEngine(world.engine, "messages.insert_one", late=True)
    node = world.node(held)
    sending = asyncio.create_task(node.say(ann, talk, reply_to=first.id))
    await held.begun.wait()
    held.go.set()
    while (await node.log.tail(talk))[0] < 2:  # noqa: ASYNC110 -- one turn of the loop
        await asyncio.sleep(0)
    await node.receipts.read_all(bob, talk, None)
    await sending
    await node.aclose()

    assert await statuses(world, bob, talk) == ["read", "read"]
    assert world.heard("messages_delivered") == []
