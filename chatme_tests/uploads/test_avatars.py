"""Users' pictures: one is shown, the one before is gone, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bson import ObjectId

from chatme.errors import NotFound, Unavailable
from chatme.uploads.avatars import AvatarService
from chatme.uploads.models import Upload, Use
from chatme.users.models import User
from chatme.users.service import UserService
from chatme_tests.conversations.engines import Crash, DyingEngine
from chatme_tests.conversations.world import Node, World, opened_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An empty world."""
    async with opened_world(tmp_path) as opened:
        yield opened


def _avatars(node: Node) -> AvatarService:
    return AvatarService(node.users, node.uploads)


async def _picture(world: World, user: ObjectId) -> Upload:
    return await world.upload(user, kind="avatar", uses=[Use("user", user).key])


async def test_a_new_picture_takes_the_old_ones_place(world: World) -> None:
    """Everybody sees the new one, and the old one's file is gone."""
    (ann,) = await world.people("ann")
    await world.users.known_views([ann])
    first, second = await _picture(world, ann), await _picture(world, ann)
    shown = [(await _avatars(world).put_on(ann, each)).avatar for each in (first, second)]

    assert shown == [first.url, second.url]
    assert (await world.users.known_views([ann]))[ann].avatar == second.url
    assert set(world.outside.blobs.files) == {second.public_id}


async def test_a_picture_is_taken_off(world: World) -> None:
    """Nobody sees it any more, its file is gone, and taking it off again changes nothing."""
    (ann,) = await world.people("ann")
    await _avatars(world).put_on(ann, await _picture(world, ann))
    shown = [(await _avatars(world).take_off(ann)).avatar for _ in range(2)]

    assert shown == [None, None]
    assert world.outside.blobs.files == {}


async def test_a_picture_that_is_shown_outlives_every_sweep(world: World) -> None:
    """The sweeper keeps it as long as the user shows it."""
    (ann,) = await world.people("ann")
    picture = await _picture(world, ann)
    await _avatars(world).put_on(ann, picture)
    for _ in range(3):
        world.clock.move(days=1)
        await world.sweeper.sweep()

    assert set(world.outside.blobs.files) == {picture.public_id}


async def test_nobody_gets_no_picture(world: World) -> None:
    """Who was erased meanwhile shows nothing, and the file does not stay."""
    (ann,) = await world.people("ann")
    await world.users.erase(ann)
    picture = await _picture(world, ann)
    with pytest.raises(NotFound):
        await _avatars(world).put_on(ann, picture)

    assert world.outside.blobs.files == {}


async def test_pictures_that_race_leave_one(world: World) -> None:
    """However many come at once through two processes, one is shown and only its file is left."""
    (ann,) = await world.people("ann")
    nodes = world, world.node()
    pictures = [await _picture(world, ann) for _ in range(8)]
    await asyncio.gather(
        *(_avatars(nodes[at % 2]).put_on(ann, each) for at, each in enumerate(pictures))
    )
    user = await world.users.by_id(ann)

    assert user is not None
    assert set(world.outside.blobs.files) == {user.avatar_id}


class _Rushed(UserService):
    """Users among whom somebody else is always faster."""

    async def change_avatar(self, *_: object) -> User | None:
        """Too late."""
        return None


async def test_who_is_never_fast_enough_may_come_again(world: World) -> None:
    """Where another request is always faster, the caller is told to come again."""
    (ann,) = await world.people("ann")
    users = _Rushed(world.engine, world.clock, world.blocks)
    picture = await _picture(world, ann)
    with pytest.raises(Unavailable) as refused:
        await AvatarService(users, world.uploads).put_on(ann, picture)
    world.clock.move(days=1)
    await world.sweeper.sweep()

    assert refused.value.retry_after == 1
    assert world.outside.blobs.files == {}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("at", range(4))
async def test_a_crash_loses_and_leaves_nothing(world: World, at: int, late: bool) -> None:
    """Wherever the process dies, two days later the file that is shown is there, and no other."""
    (ann,) = await world.people("ann")
    first = await _picture(world, ann)
    await _avatars(world).put_on(ann, first)
    second = await _picture(world, ann)
    dying = DyingEngine(world.engine, at, late=late)
    with pytest.raises(Crash):
        await _avatars(world.node(dying)).put_on(ann, second)
    for _ in range(2):
        world.clock.move(days=1)
        await world.sweeper.sweep()
    user = await world.users.by_id(ann)

    assert user is not None
    assert set(world.outside.blobs.files) == {user.avatar_id}
