"""Whom one message is hidden from: the same as each member's sight says."""

from __future__ import annotations

from chatme.messages.hidden import hidden_from
from chatme.messages.models import Message
from chatme_tests.conversations.world import World


async def test_nobody_is_left_out_without_a_reason(world: World) -> None:
    """A message that nobody cleared or blocks is hidden from no member."""
    ann, bob = await world.people("ann", "bob")
    talk = await world.direct(ann, bob)
    await world.say(ann, talk)
    (message,) = await world.engine.find(Message)
    roster = await world.core.members(talk)

    assert await hidden_from(world.engine, world.users, message, roster) == frozenset()


async def test_it_is_what_each_member_sees(world: World) -> None:
    """Of every message of a direct conversation and a group, exactly those members are named who
    do not find it in their history."""
    ann, bob, cyd, dan = await world.people("ann", "bob", "cyd", "dan")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob, cyd)
    for place in (talk, tea):
        await world.say(ann, place)
        await world.say(bob, place)
        await world.listing.clear(bob, place)
        await world.blocks.block(bob, ann)
        await world.say(ann, place)
        await world.blocks.unblock(bob, ann)
        await world.say(ann, place)
    await world.blocks.block(cyd, bob)
    await world.blocks.block(dan, ann)
    seen = {
        (user, view.id)
        for place, users in ((talk, (ann, bob)), (tea, (ann, bob, cyd)))
        for user in users
        for view in await world.history(user, place)
    }

    for message in await world.engine.find(Message):
        roster = await world.core.members(message.conversation)
        hidden = await hidden_from(world.engine, world.users, message, roster)
        assert hidden == {user for user in roster.user_ids if (user, message.id) not in seen}
