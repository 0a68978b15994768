"""The rules for typing: told to the others, once, and over by itself."""

from __future__ import annotations

import pytest
from bson import ObjectId

from chatme.conversations.typing import TYPING_LASTS
from chatme.errors import NotFound
from chatme_tests.conversations.world import World
from chatme_tests.loops import passes

MOVABLE_LOOP = True
LASTS = TYPING_LASTS.total_seconds()
STARTED, STOPPED = "user_typing", "user_stopped_typing"


async def test_the_others_hear_of_it(world: World) -> None:
    """That a member writes, and no longer does, goes to the other members alone."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    world.forget()
    await world.typing.start(ann, tea)
    await world.typing.stop(ann, tea)

    assert world.ears.names == [STARTED, STOPPED]
    for heard in world.ears.heard:
        assert heard.users == {bob, cyd}
        assert heard.event.data.to_plain() == {"conversationId": str(tea), "userId": str(ann)}


async def test_typing_ends_by_itself(world: World) -> None:
    """Who says nothing more stops typing after a while, once."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    world.forget()
    await world.typing.start(ann, talk)
    await passes(LASTS - 0.5)
    assert world.ears.names == [STARTED]
    await passes(0.5)
    assert world.ears.names == [STARTED, STOPPED]
    await passes(LASTS)
    await world.typing.stop(ann, talk)

    assert world.ears.names == [STARTED, STOPPED]


async def test_who_writes_on_is_told_once(world: World) -> None:
    """However long a member goes on, the others hear of one beginning and one end."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    world.forget()
    for _ in range(7):
        await world.typing.start(ann, talk)
        await passes(LASTS / 2)
    assert world.ears.names == [STARTED]
    await passes(LASTS)
    assert world.ears.names == [STARTED, STOPPED]


async def test_who_did_not_write_does_not_stop(world: World) -> None:
    """An end without a beginning is told to nobody."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    world.forget()
    await world.typing.stop(ann, talk)

    assert world.ears.heard == []


async def test_each_writes_alone(world: World) -> None:
    """Two members, and one member in two conversations, do not end each other's typing."""
    ann, bob = await world.people("ann", "bob")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob)
    world.forget()
    for user, place in ((ann, talk), (bob, talk), (ann, tea)):
        await world.typing.start(user, place)
    await world.typing.stop(ann, talk)

    (stopped,) = world.heard(STOPPED)
    assert (stopped.user_id, stopped.conversation_id) == (ann, talk)
    assert len(world.heard(STARTED)) == 3


@pytest.mark.parametrize("by_whom", ["the writer", "the other"])
async def test_blocks_hide_typing(world: World, by_whom: str) -> None:
    """Neither who blocks the writer nor whom the writer blocks hears of it; others do."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea = await world.group(ann, bob, cyd)
    pair = (ann, bob) if by_whom == "the writer" else (bob, ann)
    await world.blocks.block(*pair)
    world.forget()
    await world.typing.start(ann, tea)
    await world.typing.stop(ann, tea)

    assert [each.users for each in world.ears.heard] == [{cyd}, {cyd}]


async def test_strangers_cannot_write(world: World) -> None:
    """Who is no member, and whoever names no conversation, is told that there is none."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk = await world.direct(ann, bob)
    world.forget()
    for attempt in (
        world.typing.start(cyd, talk),
        world.typing.stop(cyd, talk),
        world.typing.start(ann, ObjectId()),
    ):
        with pytest.raises(NotFound):
            await attempt

    assert world.ears.heard == []


async def test_who_left_stops_without_a_word(world: World) -> None:
    """The typing of somebody who was removed meanwhile ends without failing, and starts anew when
    they are back."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    await world.typing.start(bob, tea)
    await world.groups.remove(ann, tea, bob)
    world.forget()
    await passes(LASTS)
    assert world.ears.heard == []
    await world.groups.add(ann, tea, [bob])
    world.forget()
    await world.typing.start(bob, tea)

    assert world.ears.names == [STARTED]


async def test_a_lost_database_tells_nobody(world: World) -> None:
    """Typing that ends while the database is away ends without a word and without asking it, and
    starts anew."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await world.typing.start(ann, talk)
    world.forget()
    world.outside.lifeline.refusals = 1
    await passes(LASTS)
    assert (world.ears.heard, world.outside.lifeline.refusals) == ([], 0)
    await world.typing.start(ann, talk)

    assert world.ears.names == [STARTED]


async def test_closing_ends_all(world: World) -> None:
    """After the close nothing is told any more, and the database is left alone."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await world.typing.start(ann, talk)
    await world.typing.aclose()
    world.forget()
    world.outside.lifeline.refusals = 1
    await passes(LASTS)

    assert (world.ears.heard, world.outside.lifeline.refusals) == ([], 1)
