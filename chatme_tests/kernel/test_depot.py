"""The uploads' part of the assembly: what it puts together works together, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

from bson import ObjectId

from chatme.clock import new_id
from chatme.depot import open_depot
from chatme.http.multipart import Received
from chatme.uploads.models import Upload
from chatme.users.blocks import BlockService
from chatme.users.models import Block, User
from chatme.users.service import UserService
from chatme_tests.fakes import AlwaysThere, FrozenClock, opened_engine, settings_of


async def test_a_file_comes_in_is_served_and_goes(tmp_path: Path) -> None:
    """What the door takes is on the shelf, and what nobody uses is gone with the next start."""
    settings, clock = settings_of(tmp_path / "data"), FrozenClock()
    gone = asyncio.Event()

    async def unused(_public_id: str, _ids: Collection[ObjectId]) -> set[ObjectId]:
        gone.set()
        return set()

    async with (
        opened_engine(tmp_path / "data", [User, Block, Upload]) as engine,
        open_depot(engine, clock, settings) as depot,
    ):
        users = UserService(engine, clock, BlockService(engine, clock))
        path = tmp_path / "draft"
        path.write_bytes(b"tea")
        upload = await depot.door(users).intake.file(new_id(), Received(path, "tea.txt", 3))
        stored = await depot.stores.shelf.find(upload.public_id)
        await engine.save(upload.model_copy(update={"uses": [f"message:{new_id()}"]}))
        clock.move(days=1)
        async with depot.sweeping({"message": unused}, AlwaysThere()):
            await asyncio.wait_for(gone.wait(), 10)

    assert stored is not None
    assert (stored.name, stored.media_type) == ("tea.txt", "text/plain")
    assert not path.exists()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
