"""What a user takes along of their messages and reactions."""

from __future__ import annotations

from chatme.messages.held import PAGE, HeldMessages
from chatme.messages.wire import MessageNamed
from chatme_tests.conversations.world import World
from chatme_tests.messages.stage import fill
from chatme_tests.plans import plan_of


async def test_own_messages_are_taken_along(world: World) -> None:
    """All that one sent, also to a group since left, deleted ones as tombstones; nobody else's."""
    ann, bob = await world.people("ann", "bob")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob)
    await world.say(bob, talk, "Not hers")
    await world.say(ann, talk, "One", client_id="c-1")
    gone = await world.say(ann, talk, "Two")
    await world.changes.delete(ann, MessageNamed(message_id=gone.id))
    await world.say(ann, tea, "Three")
    await world.groups.remove(ann, tea, ann)
    held = [each async for each in HeldMessages(world.engine, world.core).sent(ann)]

    assert [(each.conversation_id, each.seq, each.content) for each in held] == [
        (talk, 2, "One"),
        (talk, 3, ""),
        (tea, 1, "Three"),
    ]
    assert [each.is_deleted for each in held] == [False, True, False]
    assert held[0].client_id == "c-1"


async def test_no_page_loses_a_message(world: World) -> None:
    """More than a page of messages all come, in order."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await fill(world, talk, ann, 2 * PAGE + 1)
    held = [each.seq async for each in HeldMessages(world.engine, world.core).sent(ann)]

    assert held == list(range(1, 2 * PAGE + 2))


async def test_own_reactions_are_taken_along(world: World) -> None:
    """Each of one's reactions with its message, found by an index; nobody else's."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    first, second = await world.say(bob, talk), await world.say(ann, talk)
    for message in (first, second):
        await world.changes.react(ann, MessageNamed(message_id=message.id), "👍")
        await world.changes.react(bob, MessageNamed(message_id=message.id), "🎉")
    held = [each async for each in HeldMessages(world.engine, world.core).reactions(ann)]
    plan = await plan_of(
        world.engine.database["messages"],
        {"reactions.user": ann, "_id": {"$gt": first.id}},
        [("_id", 1)],
    )

    assert [(each.message_id, each.emoji) for each in held] == [(first.id, "👍"), (second.id, "👍")]
    assert (plan["index"], plan["sorted"]) == ("reactions", True)
