"""What a user takes along of their conversations."""

from __future__ import annotations

from bson import ObjectId

from chatme.conversations.held import HeldMemberships
from chatme.conversations.wire import HeldMembership
from chatme_tests.conversations.world import World


async def _held(world: World, user: ObjectId) -> dict[ObjectId, HeldMembership]:
    return {each.conversation_id: each async for each in HeldMemberships(world.engine).of(user)}


async def test_memberships_are_taken_along(world: World) -> None:
    """Each conversation once, with the role and how far one has read, and none of others."""
    ann, bob, cat = await world.people("ann", "bob", "cat")
    talk, tea = await world.direct(ann, bob), await world.group(ann, bob)
    await world.direct(bob, cat)
    await world.say(bob, talk)
    await world.receipts.read_all(ann, talk, None)
    held = await _held(world, ann)

    assert set(held) == {talk, tea}
    assert (held[talk].type, held[talk].name, held[talk].role) == ("direct", None, "member")
    assert (held[talk].read_seq, held[talk].delivered_seq) == (1, 1)
    assert (held[tea].type, held[tea].name, held[tea].role) == ("group", "Tea", "admin")


async def test_what_became_of_a_left_group_stays_hidden(world: World) -> None:
    """A group that was left is named by its id alone."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    await world.groups.remove(bob, tea, bob)
    await world.groups.rename(ann, tea, "Secret")
    held = (await _held(world, bob))[tea]

    assert (held.name, held.role, held.joined_at) == (None, None, None)
