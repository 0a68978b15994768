"""Groups' pictures: an admin's to give, one at a time, and no file is left behind."""

from __future__ import annotations

import asyncio

import pytest
from bson import ObjectId

from chatme.conversations.models import Conversation
from chatme.conversations.wire import ConversationView, GroupChange
from chatme.errors import Forbidden, Invalid, NotFound
from chatme_tests.conversations.engines import Crash, DyingEngine
from chatme_tests.conversations.world import Node, World


async def _wear(
    node: Node, user: ObjectId, group: ObjectId, avatar: str | None
) -> ConversationView:
    return await node.pictures.change(user, group, GroupChange(avatar=avatar))


async def test_everybody_sees_a_groups_new_picture(world: World) -> None:
    """Named by id or address, with a name or without, it is told as `conversation_updated`."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    world.sockets.open = {ann, bob}
    world.forget()
    first, second = await world.upload(ann), await world.upload(ann)
    shown = [
        await _wear(world, ann, tea, first.public_id),
        await world.pictures.change(ann, tea, GroupChange(name="Coffee", avatar=second.url)),
        await world.pictures.change(ann, tea, GroupChange(name="Milk")),
        await world.pictures.change(ann, tea, GroupChange()),
    ]
    told = world.heard("conversation_updated", by=bob)

    assert [(each.name, each.avatar) for each in shown] == [
        ("Tea", first.url),
        ("Coffee", second.url),
        ("Milk", second.url),
        ("Milk", second.url),
    ]
    assert [each.avatar for each in told] == [each.avatar for each in shown]
    assert set(world.outside.blobs.files) == {second.public_id}


async def test_null_takes_the_picture_away(world: World) -> None:
    """The group has none any more, its file is gone, and again changes nothing."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    await _wear(world, ann, tea, (await world.upload(ann)).public_id)
    shown = [(await _wear(world, ann, tea, None)).avatar for _ in range(2)]

    assert shown == [None, None]
    assert world.outside.blobs.files == {}


async def test_naming_the_same_picture_again_changes_nothing(world: World) -> None:
    """A client of another admin that sends back what it sees is not refused."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    upload = await world.upload(ann)
    await _wear(world, ann, tea, upload.public_id)
    await world.groups.set_role(ann, tea, bob, "admin")
    shown = [(await _wear(world, bob, tea, name)).avatar for name in (upload.url, upload.public_id)]

    assert shown == [upload.url] * 2
    assert set(world.outside.blobs.files) == {upload.public_id}


async def test_only_an_admins_own_picture_will_do(world: World) -> None:
    """Members, strangers, other people's uploads and files that are no pictures are refused, and
    no upload is in use afterwards."""
    ann, bob, cyd = await world.people("ann", "bob", "cyd")
    tea, talk = await world.group(ann, bob), await world.direct(ann, bob)
    mine, theirs = await world.upload(ann), await world.upload(bob)
    file = await world.upload(ann, kind="file")
    foreign = await world.upload(cyd)
    for user, place, upload, error in (
        (bob, tea, theirs, Forbidden),
        (cyd, tea, foreign, NotFound),
        (ann, talk, mine, Forbidden),
        (ann, tea, theirs, Invalid),
        (ann, tea, file, Invalid),
    ):
        with pytest.raises(error):
            await _wear(world, user, place, upload.public_id)
    for user, error in ((bob, Forbidden), (cyd, NotFound)):
        with pytest.raises(error):
            await _wear(world, user, tea, None)

    world.clock.move(days=1)
    await world.sweeper.sweep()
    assert world.outside.blobs.files == {}


async def test_pictures_that_race_leave_one(world: World) -> None:
    """However many come at once through two processes, only the file that is shown is left."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    nodes = world, world.node()
    pictures = [await world.upload(ann) for _ in range(6)]
    await asyncio.gather(
        *(_wear(nodes[at % 2], ann, tea, each.public_id) for at, each in enumerate(pictures))
    )
    (group,) = await world.engine.find(Conversation)

    assert set(world.outside.blobs.files) == {group.avatar_id}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("at", range(5))
async def test_a_crash_loses_and_leaves_nothing(world: World, at: int, late: bool) -> None:
    """Wherever the process dies, two days later the file that is shown is there, and no other."""
    ann, bob = await world.people("ann", "bob")
    tea = await world.group(ann, bob)
    await _wear(world, ann, tea, (await world.upload(ann)).public_id)
    world.clock.move(days=1)
    await world.sweeper.sweep()
    second = await world.upload(ann)
    dying = DyingEngine(world.engine, at, late=late)
    with pytest.raises(Crash):
        await _wear(world.node(dying), ann, tea, second.public_id)
    for _ in range(2):
        world.clock.move(days=1)
        await world.sweeper.sweep()
    (group,) = await world.engine.find(Conversation)

    assert set(world.outside.blobs.files) == {group.avatar_id}
