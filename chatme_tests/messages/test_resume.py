"""The rules for coming back: exactly what was missed, as it stands now."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

import pytest
from bson import ObjectId

from chatme.conversations.models import Conversation, Member
from chatme.messages.events import MessageUpdated, NewMessage
from chatme.messages.resume import (
    FIRST_PAGE,
    MAX_CHANGES,
    MAX_CONVERSATIONS,
    Missed,
    known_revs,
)
from chatme.messages.wire import MessageNamed, MessageView, Resumed
from chatme.storage import atomic
from chatme_tests.conversations.world import Node, World, ids
from chatme_tests.fakes import SOMETIME
from chatme_tests.messages.stage import fill


async def _missed(node: Node, user: ObjectId, known: Mapping[ObjectId, int]) -> list[Missed]:
    plan = await node.resume.plan(user, known)
    return await node.resume.missed(user, plan.behind, known)


def _told(missed: Missed) -> list[tuple[str, int, int]]:
    """What comes: the event, and the message's number and revision."""
    found = []
    for event in missed.events:
        assert isinstance(event, NewMessage | MessageUpdated)
        found.append((event.name, event.data.seq, event.data.rev))
    return found


def _ids(missed: Missed) -> list[ObjectId]:
    """The messages that come."""
    return ids([event.data for event in missed.events])


async def test_what_came_and_what_changed_is_told(world: World) -> None:
    """Each message that is new since comes once as new, each older one that changed once as
    updated, by revision and as it stands now."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    said = [await world.say(ann, talk) for _ in range(4)]
    for at in (1, 0, 1):
        await world.changes.edit(ann, MessageNamed(message_id=said[at].id), f"New {at}")
    await world.changes.delete(ann, MessageNamed(message_id=said[3].id))
    (missed,) = await _missed(world, bob, {talk: 2})

    assert _told(missed) == [
        ("new_message", 3, 3),
        ("message_updated", 1, 6),
        ("message_updated", 2, 7),
        ("new_message", 4, 8),
    ]
    assert [each.data for each in missed.events] == sorted(
        await world.history(bob, talk), key=lambda view: view.rev
    )
    assert missed.resumed == Resumed(rev=8, limited=False)


async def test_who_is_up_to_date_gets_nothing(world: World) -> None:
    """A conversation without news, or without messages, costs nothing and is named all the same;
    who claims to know more is not behind."""
    ann, bob = await world.people("ann", "bob")
    talk, tea, empty = [await world.group(ann, bob) for _ in range(3)]
    await world.say(ann, talk)
    await world.say(ann, tea)
    plan = await world.resume.plan(bob, {talk: 1, tea: 99, ObjectId(): 5})

    assert (plan.behind, plan.complete) == ([], True)
    assert plan.current == {talk: 1, tea: 1, empty: 0}
    assert world.resume.up_to_date(1) == Resumed(rev=1, limited=False)


async def test_what_is_not_named_begins_at_its_end(world: World) -> None:
    """A conversation that the client does not name comes from its last 30 messages."""
    ann, bob = await world.people("ann", "bob")
    short, long = await world.group(ann, bob), await world.group(ann, bob)
    await fill(world, short, ann, FIRST_PAGE)
    await fill(world, long, ann, FIRST_PAGE + 1)
    found = {each.conversation_id: each for each in await _missed(world.node(), bob, {})}

    assert [seq for _, seq, _ in _told(found[short])] == list(range(1, FIRST_PAGE + 1))
    assert [seq for _, seq, _ in _told(found[long])] == list(range(2, FIRST_PAGE + 2))
    assert {name for name, *_ in _told(found[long])} == {"new_message"}
    assert [found[at].resumed.limited for at in (short, long)] == [False, True]


async def test_long_absences_get_the_newest(world: World) -> None:
    """Over 200 changes the newest 200 come, and the answer says that there is more."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    await fill(world, tea, ann, MAX_CHANGES + 5)
    node = world.node()
    (all_,) = await _missed(node, bob, {tea: 5})
    (newest,) = await _missed(node, bob, {tea: 4})

    assert (len(all_.events), all_.resumed.limited) == (MAX_CHANGES, False)
    assert (len(newest.events), newest.resumed.limited) == (MAX_CHANGES, True)
    assert [rev for *_, rev in _told(newest)] == list(range(6, MAX_CHANGES + 6))
    assert newest.resumed.rev == MAX_CHANGES + 5


async def test_many_conversations_come_in_parts(world: World) -> None:
    """Fifty conversations come at a time; asked again with what it has, a client gets the rest."""
    ann, bob = await world.people("ann", "bob")
    members = [Member(user=each, role="member", joined_at=SOMETIME) for each in (ann, bob)]
    made = [
        Conversation(id=ObjectId(), type="group", name="Tea", members=members, created_at=SOMETIME)
        for _ in range(MAX_CONVERSATIONS + 3)
    ]
    await atomic.insert_missing(world.engine, made)
    for each in made:
        await fill(world, each.id, ann, 1)
    node = world.node()
    first = await node.resume.plan(bob, {})
    known = {each.conversation_id: each.resumed.rev for each in await _missed(node, bob, {})}
    second = await node.resume.plan(bob, known)

    assert (len(first.behind), first.complete) == (MAX_CONVERSATIONS, False)
    assert (len(second.behind), second.complete) == (3, True)
    assert sorted([*known, *second.behind]) == sorted(ids(made))


async def test_what_is_hidden_stays_hidden(world: World) -> None:
    """What was cleared, comes from who is blocked, or was withheld is not told, whatever the
    client claims to know."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob, cyd)
    await world.say(cyd, tea, "cleared")
    before = await world.say(ann, talk)
    await world.listing.clear(bob, tea)
    await world.blocks.block(bob, ann)
    await world.say(ann, talk, "withheld")
    shown, blocked = await world.say(cyd, tea), await world.say(ann, tea)

    async def told() -> dict[ObjectId, list[ObjectId]]:
        found = await _missed(world, bob, {talk: 0, tea: 0})
        assert {each.conversation_id: each.resumed.rev for each in found} == {talk: 2, tea: 3}
        return {each.conversation_id: _ids(each) for each in found}

    assert await told() == {talk: [], tea: [shown.id]}
    await world.blocks.unblock(bob, ann)
    assert await told() == {talk: [before.id], tea: [shown.id, blocked.id]}


async def test_membership_is_of_now(world: World) -> None:
    """Nothing comes from a group that one left, however it was named, nor where one left after
    the plan; a stranger's guess gets nothing."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea, left = await world.group(ann, bob), await world.group(ann, bob)
    for each in (tea, left):
        await world.say(ann, each)
    await world.groups.remove(ann, left, bob)
    plan = await world.resume.plan(bob, {tea: 0, left: 0})
    assert plan.behind == [tea]
    assert await world.resume.missed(cyd, [tea, left, ObjectId()], {}) == []
    await world.groups.remove(ann, tea, bob)
    assert await world.resume.missed(bob, plan.behind, {tea: 0}) == []


async def test_what_comes_meanwhile_is_not_lost(world: World) -> None:
    """A message that comes while the missed ones are read is told, or lies above the revision that
    the answer names."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await world.say(ann, talk)
    for _ in range(10):
        known = (await world.log.tail(talk))[1]
        await world.say(ann, talk)
        sending = asyncio.create_task(world.say(ann, talk))
        (missed,) = await _missed(world, bob, {talk: known})
        last = (await sending).rev
        told = [rev for *_, rev in _told(missed)]
        assert last in told or last > missed.resumed.rev
        assert told == list(range(known + 1, missed.resumed.rev + 1))


@pytest.mark.parametrize("seed", range(3))
async def test_a_client_that_is_cut_ends_with_the_same(world: World, seed: int) -> None:
    """Whenever a client is cut and resumes, it ends with what history shows: the same messages,
    edits, deletions and reactions."""
    chance = random.Random(seed)
    ann, bob = await world.people("ann", "bob")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob)
    kept: dict[ObjectId, dict[ObjectId, MessageView]] = {talk: {}, tea: {}}
    known: dict[ObjectId, int] = {}
    said: list[ObjectId] = []
    for _ in range(12):
        for _ in range(chance.randrange(6)):
            await _something(world, chance, chance.choice([ann, bob]), [talk, tea], said)
        for missed in await _missed(world, bob, known):
            for event in missed.events:
                assert isinstance(event, NewMessage | MessageUpdated)
                new = event.data.id not in kept[missed.conversation_id]
                assert new == isinstance(event, NewMessage)
                kept[missed.conversation_id][event.data.id] = event.data
            known[missed.conversation_id] = missed.resumed.rev

    for where, views in kept.items():
        mine = sorted(views.values(), key=lambda view: view.seq)
        assert mine == await world.history(bob, where)


async def _something(
    world: World,
    chance: random.Random,
    who: ObjectId,
    places: list[ObjectId],
    said: list[ObjectId],
) -> None:
    """A message, or a change of one that its sender or anybody may make."""
    named = MessageNamed(message_id=chance.choice(said)) if said else None
    kind = chance.choice(["say", "edit", "delete", "react", "unreact"])
    if named is None or kind == "say":
        said.append((await world.say(who, chance.choice(places))).id)
        return
    found = await world.changes.find(who, named)
    if kind == "unreact":
        await world.changes.unreact(who, named)
    elif found.is_deleted:
        return
    elif kind == "react":
        await world.changes.react(who, named, chance.choice("👍🎉"))
    elif kind == "edit":
        await world.changes.edit(found.sender, named, str(chance.random()))
    else:
        await world.changes.delete(found.sender, named)


def test_names_that_are_no_ids_name_nothing() -> None:
    """A client may name what it likes: only ids count, in upper and lower case."""
    tea = ObjectId()

    assert known_revs({str(tea).upper(): 3, "tea": 4, "": 5, f"{tea} ": 6}) == {tea: 3}
    assert known_revs({}) == {}
