"""The rules for changes of messages: who may, what is left, and who hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from bson import ObjectId

from chatme.errors import Forbidden, NotFound, Unavailable
from chatme.messages.models import Message
from chatme.messages.wire import MessageNamed, MessageView
from chatme_tests.conversations.engines import CountingEngine, CutEngine
from chatme_tests.conversations.world import Node, World

Act = Callable[[Node, ObjectId, MessageNamed], Awaitable[Any]]

ACTS: Mapping[str, Act] = {
    "edit": lambda node, who, named: node.changes.edit(who, named, "New"),
    "delete": lambda node, who, named: node.changes.delete(who, named),
    "react": lambda node, who, named: node.changes.react(who, named, "👍"),
    "unreact": lambda node, who, named: node.changes.unreact(who, named),
    "receipts": lambda node, who, named: node.changes.receipts(who, named),
    "find": lambda node, who, named: node.changes.find(who, named),
}


def _named(message: MessageView, conversation: ObjectId | None = None) -> MessageNamed:
    if conversation is None:
        return MessageNamed(message_id=message.id)
    return MessageNamed(message_id=message.id, conversation_id=conversation)


async def test_an_edit_is_seen_by_all(world: World) -> None:
    """An edit gives a message other words and a revision, keeps its number, and goes to all
    members and to the previews."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    message = await world.say(ann, talk, "Old")
    world.forget()
    world.clock.move(seconds=5)
    view = await world.changes.edit(ann, _named(message), "New")

    assert (view.content, view.is_edited, view.edited_at) == ("New", True, world.clock.now())
    assert (view.seq, view.rev, view.created_at) == (1, 2, message.created_at)
    (heard,) = world.ears.heard
    assert (heard.event.name, sorted(heard.users)) == ("message_edited", sorted([ann, bob]))
    assert heard.event.data.to_plain() == {
        "conversationId": str(talk),
        "messageId": str(message.id),
        "rev": 2,
        "content": "New",
        "editedAt": view.to_plain()["editedAt"],
    }
    details = {"message_id": message.id, "kind": "text", "content": "New", "users": {ann, bob}}
    assert world.notes.told == [("edited", details)]
    assert await world.history(bob, talk) == [view]


async def test_a_deletion_leaves_a_tombstone(world: World) -> None:
    """Nothing of a deleted message is left but its place; deleting it again changes nothing."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    message = await world.say(ann, talk, "Secret")
    answer = await world.say(bob, talk, reply_to=message.id)
    await world.changes.react(bob, _named(message), "👍")
    world.forget()
    for _ in range(2):
        await world.changes.delete(ann, _named(message))

    (heard,) = world.ears.heard
    assert (heard.event.name, sorted(heard.users)) == ("message_deleted", sorted([ann, bob]))
    assert heard.event.data.to_plain() == {
        "conversationId": str(talk),
        "messageId": str(message.id),
        "rev": 4,
        "deletedBy": str(ann),
    }
    assert world.notes.told == [("deleted", {"message_id": message.id})] * 2
    tombstone, shown = await world.history(bob, talk)
    assert (tombstone.is_deleted, tombstone.content, tombstone.reactions) == (True, "", [])
    assert (tombstone.seq, tombstone.rev) == (1, 4)
    assert shown.reply_to is not None
    assert (shown.id, shown.reply_to.content) == (answer.id, "")
    (stored,) = await world.engine.find(Message, Message.id == message.id)
    assert "Secret" not in str(stored.model_dump_doc())


async def test_a_reaction_is_one_for_each_user(world: World) -> None:
    """A user's next emoji replaces the one before, the same again changes nothing, and each is
    told with its revision."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    message = await world.say(ann, talk)
    world.forget()
    for who, emoji in ((ann, "👍"), (bob, "🎉"), (bob, "🎉"), (bob, "👍")):
        await world.changes.react(who, _named(message), emoji)
    (shown,) = await world.history(ann, talk)
    assert {each.user_id: each.emoji for each in shown.reactions} == {ann: "👍", bob: "👍"}
    for _ in range(2):
        await world.changes.unreact(bob, _named(message))

    told = [(name, *data) for name, data in zip(world.ears.names, _reactions(world), strict=True)]
    added, removed = "message_reaction_added", "message_reaction_removed"
    assert told == [
        (added, ann, "👍", 2),
        (added, bob, "🎉", 3),
        (added, bob, "👍", 4),
        (removed, bob, "👍", 5),
    ]
    (shown,) = await world.history(ann, talk)
    assert [(each.user_id, each.emoji) for each in shown.reactions] == [(ann, "👍")]
    assert not shown.is_edited


def _reactions(world: World) -> list[tuple[ObjectId, str, int]]:
    heard = world.heard("message_reaction_added", "message_reaction_removed")
    return [(each.user_id, each.emoji, each.rev) for each in heard]


async def test_only_own_texts_are_edited(world: World) -> None:
    """Nobody edits another's message, not even a group's admin, and nobody a tombstone, which
    takes no reaction either."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    message = await world.say(bob, tea)
    with pytest.raises(Forbidden):
        await world.changes.edit(ann, _named(message), "New")
    await world.changes.delete(bob, _named(message))
    with pytest.raises(Forbidden):
        await world.changes.edit(bob, _named(message), "New")
    with pytest.raises(Forbidden):
        await world.changes.react(ann, _named(message), "👍")
    await world.changes.unreact(ann, _named(message))

    assert [each.rev for each in await world.history(ann, tea)] == [2]


async def test_an_admin_deletes_anybodys(world: World) -> None:
    """A group's admin deletes what others said; a member cannot, nor anybody the other's message
    of a direct conversation."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea, talk = await world.group(ann, bob, cyd), await world.direct(ann, bob)
    in_tea, in_talk = await world.say(bob, tea), await world.say(bob, talk)
    for who, what in ((cyd, in_tea), (ann, in_talk)):
        with pytest.raises(Forbidden):
            await world.changes.delete(who, _named(what))
    await world.changes.delete(ann, _named(in_tea))

    (told,) = world.heard("message_deleted")
    assert (told.message_id, told.deleted_by) == (in_tea.id, ann)


@pytest.mark.parametrize("act", ACTS)
async def test_what_cannot_be_seen_is_not_there(world: World, act: str) -> None:
    """A message that is unknown, foreign, cleared, from who is blocked, or named with another
    conversation is not found, and nothing is changed or told."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob)
    cleared, blocked = await world.say(ann, talk), await world.say(bob, tea)
    own = await world.say(ann, tea)
    await world.listing.clear(ann, talk)
    await world.blocks.block(ann, bob)
    world.forget()
    for who, named in (
        (ann, MessageNamed(message_id=ObjectId())),
        (cyd, _named(own)),
        (ann, _named(cleared)),
        (ann, _named(blocked)),
        (ann, _named(own, talk)),
        (ann, _named(own, ObjectId())),
    ):
        with pytest.raises(NotFound):
            await ACTS[act](world, who, named)
    assert (world.ears.heard, world.notes.told) == ([], [])
    await ACTS[act](world, ann, _named(own, tea))


async def test_a_change_is_hidden_from_whom_its_message_is(world: World) -> None:
    """Who blocks the sender, blocks whoever changes the message, or cleared it hears nothing of
    the change; who sent it does."""
    ann, bob, cyd, dan = await world.people("ann", "bob", "cyd", "dan")
    tea = await world.group(ann, bob, cyd, dan)
    message = await world.say(ann, tea)
    await world.blocks.block(bob, ann)
    await world.blocks.block(dan, cyd)
    world.forget()
    await world.changes.edit(ann, _named(message), "New")
    await world.changes.react(cyd, _named(message), "👍")
    await world.listing.clear(dan, tea)
    await world.changes.unreact(cyd, _named(message))

    heard = {each.event.name: each.users for each in world.ears.heard}
    assert heard["message_edited"] == {ann, cyd, dan}
    assert heard["message_reaction_added"] == {ann, cyd}
    assert heard["message_reaction_removed"] == {ann, cyd}


async def test_what_was_withheld_is_told_to_nobody_later(world: World) -> None:
    """A change of a direct message that came during a block stays with its sender, also after."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await world.blocks.block(bob, ann)
    message = await world.say(ann, talk)
    await world.blocks.unblock(bob, ann)
    world.forget()
    await world.changes.edit(ann, _named(message), "New")

    assert [each.users for each in world.ears.heard] == [{ann}]
    with pytest.raises(NotFound):
        await world.changes.react(bob, _named(message), "👍")


async def test_receipts_are_listed_for_all(world: World) -> None:
    """Every recipient's status is listed, however large the group is."""
    ann, *others = await world.people(*("x" * at for at in range(1, 20)))
    tea = await world.group(ann, *others)
    message = await world.say(ann, tea)
    await world.receipts.connected(others[0])
    await world.receipts.read_all(others[1], tea, None)
    rows = await world.changes.receipts(others[2], _named(message))
    (shown,) = await world.history(ann, tea)

    assert [each.user_id for each in rows] == others
    assert [each.status for each in rows] == ["delivered", "read"] + ["sent"] * 16
    assert shown.receipts == []
    assert shown.receipt_counts.to_plain() == {"recipients": 18, "delivered": 2, "read": 1}


async def test_changes_at_once_are_all_there(world: World) -> None:
    """Reactions of many, an edit and a removal that race from two processes are all kept, told in
    the order of their revisions within a process."""
    ann, *others = await world.people(*("x" * at for at in range(1, 14)))
    tea = await world.group(ann, *others)
    message = await world.say(ann, tea)
    await world.changes.react(ann, _named(message), "🎉")
    nodes = world.node(), world.node()
    await asyncio.gather(
        *(
            nodes[at % 2].changes.react(user, _named(message), "👍")
            for at, user in enumerate(others)
        ),
        nodes[0].changes.edit(ann, _named(message), "New"),
        nodes[1].changes.unreact(ann, _named(message)),
    )
    (shown,) = await world.history(ann, tea)

    assert {each.user_id for each in shown.reactions} == set(others)
    assert (shown.content, shown.rev) == ("New", len(others) + 4)
    revs = [each.rev for each in world.heard("message_reaction_added", "message_reaction_removed")]
    revs += [each.rev for each in world.heard("message_edited")]
    assert sorted(revs) == list(range(2, len(others) + 5))


@pytest.mark.parametrize("act", ["edit", "delete", "react"])
async def test_a_change_is_one_write(world: World, act: str) -> None:
    """Each change is one atomic write, so that a crash leaves all of it or nothing."""
    ann, bob = await world.people("ann", "bob")
    message = await world.say(ann, await world.direct(ann, bob))
    counting = CountingEngine(world.engine)
    await ACTS[act](world.node(counting), ann, _named(message))

    assert counting.made == ["messages.find_one_and_update"]


@pytest.mark.parametrize("late", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("name", ["edit", "delete", "react", "unreact"])
async def test_an_absence_tells_a_change_once(world: World, name: str, late: bool) -> None:
    """Where the database is away at a change its caller is told so; what was changed all the same
    is announced once, and asked for again nothing is told but another edit."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    named = _named(await world.say(ann, talk, "Old"))
    if name == "unreact":
        await world.changes.react(ann, named, "👍")
    world.forget()
    node = world.node(CutEngine(world.engine, 0, late=late))
    with pytest.raises(Unavailable):
        await ACTS[name](node, ann, named)
    await node.aclose()
    first = list(world.ears.names)
    await ACTS[name](node, ann, named)
    await node.aclose()

    assert len(first) == late
    assert len(world.ears.names) == (2 if late and name == "edit" else 1)
    revs = [each.rev for each in world.heard(*set(world.ears.names))]
    assert revs == sorted(set(revs))
