"""Removal: the file first, then the row, and nothing that is used."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chatme.uploads.models import Upload
from chatme.uploads.removal import Remover
from chatme_tests.conversations.engines import Crash, DyingEngine
from chatme_tests.uploads.stage import MemoryBlobs, Stage


class SlowBlobs(MemoryBlobs):
    """A store that never answers."""

    async def delete(self, public_id: str) -> None:
        """Waits."""
        await asyncio.Event().wait()


async def test_what_is_used_is_not_removed(stage: Stage) -> None:
    """Asked to remove an upload that a message shows, it leaves it as it is."""
    upload = await stage.upload()
    await stage.claim(upload)
    before = await stage.row(upload)
    await Remover(stage.engine, stage.clock, stage.blobs).remove(upload.id)

    assert await stage.row(upload) == before
    assert upload.public_id in stage.blobs.files


async def test_a_slow_store_is_left_to_the_sweeper(stage: Stage, tmp_path: Path) -> None:
    """Who removes an upload waits for the store only so long."""
    upload = await stage.upload()
    await Remover(stage.engine, stage.clock, SlowBlobs()).remove(upload.id, seconds=0.01)
    row = await stage.row(upload)
    stage.clock.move(hours=1)
    await stage.sweeper.sweep()

    assert row is not None
    assert row.state == "leaving"
    assert await stage.row(upload) is None


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("at", [0, 1])
async def test_a_cut_removal_is_ended_by_the_sweeper(stage: Stage, at: int, late: bool) -> None:
    """Wherever the process dies, a day later neither file nor row is left."""
    upload = await stage.upload()
    dying = DyingEngine(stage.engine, at, late=late)
    with pytest.raises(Crash):
        await Remover(dying, stage.clock, stage.blobs).remove(upload.id)
    stage.clock.move(days=1)
    await stage.sweeper.sweep()

    assert stage.blobs.files == {}
    assert await stage.engine.count(Upload) == 0
