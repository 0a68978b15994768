"""The rules for presence: who may know who is here, and who is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bson import ObjectId

from chatme.conversations.wire import PresenceView
from chatme.errors import NotFound
from chatme_tests.conversations.world import World
from chatme_tests.fakes import SOMETIME

HIDDEN = PresenceView(is_online=False, last_seen_at=None)


async def test_partners_hear_who_comes_and_goes(world: World) -> None:
    """The partners of direct conversations hear of it, members of groups do not."""
    ann, bob, cyd, dan = await world.people("ann", "bob", "cyd", "dan")
    await world.direct(ann, bob)
    await world.direct(cyd, ann)
    await world.group(ann, bob, dan)
    world.forget()
    await world.presence.came(ann)
    await world.presence.went(ann, SOMETIME)

    came, went = world.ears.heard
    assert came.users == went.users == {bob, cyd}
    assert (came.event.name, came.event.data.to_plain()) == ("user_online", {"userId": str(ann)})
    assert (went.event.name, went.event.data.to_plain()) == (
        "user_offline",
        {"userId": str(ann), "lastSeenAt": "2040-01-31T12:00:00.000Z"},
    )


async def test_an_open_group_shows_who_comes(world: World) -> None:
    """Sockets that have a group with the user open hear of it there, once for each user."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob, cyd)
    other, foreign = await world.group(ann, cyd), await world.group(bob, cyd)
    world.sockets.screens = {talk, tea, foreign}
    world.forget()
    await world.presence.came(ann)

    to_partners, in_tea = world.ears.heard
    assert [to_partners.users, in_tea.users] == [{bob}, {cyd}]
    assert (to_partners.options, in_tea.options) == ({}, {"only_in": tea})
    assert other not in [each.options.get("only_in") for each in world.ears.heard]


@pytest.mark.parametrize("by_whom", ["the one", "the other"])
async def test_blocks_hide_who_comes(world: World, by_whom: str) -> None:
    """Neither side of a block is told of the other, in direct conversations and open groups."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    await world.direct(ann, bob)
    tea = await world.group(ann, bob, cyd)
    pair = (ann, bob) if by_whom == "the one" else (bob, ann)
    await world.blocks.block(*pair)
    world.sockets.screens = {tea}
    world.forget()
    await world.presence.came(ann)

    assert world.names_heard(bob) == []
    assert world.names_heard(cyd) == ["user_online"]


async def test_the_last_moment_is_kept(world: World) -> None:
    """When a user was last here is kept, and an earlier moment does not undo a later one."""
    (ann,) = await world.people("ann")
    await world.presence.came(ann)
    assert (await world.presence.view(ann, ann)).last_seen_at == SOMETIME
    later = SOMETIME + timedelta(minutes=5)
    await world.presence.went(ann, later)
    await world.presence.went(ann, SOMETIME)

    assert (await world.presence.view(ann, ann)).last_seen_at == later


async def test_who_shares_a_conversation_may_know(world: World) -> None:
    """Presence shows to oneself and to who shares a conversation, and to nobody else."""
    ann, bob, cyd, dan = await world.people("ann", "bob", "cyd", "dan")
    await world.direct(ann, bob)
    await world.group(ann, cyd)
    world.sockets.open = {ann}
    await world.presence.came(ann)
    shown = PresenceView(is_online=True, last_seen_at=SOMETIME)

    assert [await world.presence.view(who, ann) for who in (ann, bob, cyd)] == [shown] * 3
    assert await world.presence.view(dan, ann) == HIDDEN
    world.sockets.open = set()
    assert (await world.presence.view(bob, ann)).is_online is False


async def test_the_blocked_may_not_know(world: World) -> None:
    """Whom a user blocked sees them away, while the user still sees the other."""
    ann, bob = await world.people("ann", "bob")
    await world.direct(ann, bob)
    world.sockets.open = {ann, bob}
    await world.blocks.block(ann, bob)

    assert await world.presence.view(bob, ann) == HIDDEN
    assert (await world.presence.view(ann, bob)).is_online


async def test_who_left_a_group_may_not_know(world: World) -> None:
    """Presence ends with the last conversation that two share."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    world.sockets.open = {ann}
    await world.groups.remove(bob, tea, bob)

    assert await world.presence.view(bob, ann) == HIDDEN


async def test_nobody_is_not_found(world: World) -> None:
    """The presence of an unknown id is that of nobody."""
    (ann,) = await world.people("ann")
    with pytest.raises(NotFound):
        await world.presence.view(ann, ObjectId())
