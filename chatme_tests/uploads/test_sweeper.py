"""The sweeper: what nobody uses goes after a day, what is used never does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection

import pytest
from bson import ObjectId
from structlog.testing import capture_logs

from chatme.clock import new_id, to_epoch
from chatme.uploads.models import Upload, Use
from chatme.uploads.removal import Remover
from chatme.uploads.sweeper import Sweeper
from chatme_tests.conversations.engines import HeldEngine
from chatme_tests.uploads.stage import Stage


async def test_an_unused_upload_lives_a_day(stage: Stage) -> None:
    """It is there a moment before the day is over, and gone with it."""
    upload = await stage.upload()
    stage.clock.move(hours=24, milliseconds=-1)
    await stage.sweeper.sweep()
    before = await stage.row(upload)
    stage.clock.move(milliseconds=1)
    await stage.sweeper.sweep()

    assert before == upload
    assert (stage.blobs.files, await stage.row(upload)) == ({}, None)


async def test_what_is_shown_stays(stage: Stage) -> None:
    """A use that is real keeps the upload for good; one that did not come about is forgotten."""
    upload = await stage.upload()
    real, cut = await stage.claim(upload), await stage.claim(upload)
    stage.showing.real = {real.id}
    stage.clock.move(days=1)
    await stage.sweeper.sweep()
    row = await stage.row(upload)
    stage.showing.real = set()
    stage.clock.move(days=400)
    await stage.sweeper.sweep()

    assert row is not None
    assert (row.uses, row.due_at) == ([real.key], None)
    assert cut.key not in row.uses
    assert upload.public_id in stage.blobs.files  # nothing said that the use ended


async def test_a_use_that_never_came_about_keeps_nothing(stage: Stage) -> None:
    """Where a crash came between claim and message, the upload goes after a day."""
    upload = await stage.upload()
    await stage.claim(upload)
    await stage.claim(upload, Use("user", new_id()))
    await stage.claim(upload, Use("group", new_id()))
    stage.clock.move(hours=23)
    await stage.sweeper.sweep()
    kept = set(stage.blobs.files)
    stage.clock.move(hours=1)
    await stage.sweeper.sweep()

    assert kept == {upload.public_id}
    assert (stage.blobs.files, await stage.row(upload)) == ({}, None)


async def test_a_use_whose_end_was_cut_is_seen(stage: Stage) -> None:
    """Where a crash came after the message was deleted, its file goes within the hour."""
    upload = await stage.upload()
    use = await stage.claim(upload)
    stage.showing.real = {use.id}
    stage.clock.move(days=1)
    await stage.sweeper.sweep()
    await stage.uploads.loosen(upload.public_id)
    stage.showing.real = set()
    stage.clock.move(hours=1)
    await stage.sweeper.sweep()

    assert (stage.blobs.files, await stage.row(upload)) == ({}, None)


@pytest.mark.parametrize("place", ["find_one_and_update", "delete_many"])
async def test_a_claim_beats_the_sweep_or_fails(stage: Stage, place: str) -> None:
    """Whoever comes first, a sweep in the middle of a claim never takes a claimed file."""
    upload = await stage.upload()
    stage.clock.move(days=1)
    held = HeldEngine(stage.engine, f"uploads.{place}")
    sweep = asyncio.create_task(stage.node(held)[1].sweep())
    await asyncio.wait_for(held.begun.wait(), 10)
    (claim,) = await asyncio.gather(stage.claim(upload), return_exceptions=True)
    held.go.set()
    await sweep

    assert isinstance(claim, Use) == (place == "find_one_and_update")
    assert (upload.public_id in stage.blobs.files) == isinstance(claim, Use)


async def test_two_sweepers_remove_a_file_once(stage: Stage) -> None:
    """Nodes that sweep at the same moment share the work."""
    uploads = [await stage.upload() for _ in range(30)]
    stage.clock.move(days=1)
    sweepers = [stage.node(stage.engine)[1] for _ in range(3)]
    await asyncio.gather(*(each.sweep() for each in sweepers))

    assert sorted(stage.blobs.deleted) == sorted(each.public_id for each in uploads)
    assert await stage.engine.count(Upload) == 0


async def test_a_full_sweep_goes_over_all_pages(stage: Stage) -> None:
    """However many are due, one sweep sees to all of them."""
    for _ in range(205):
        await stage.upload()
    stage.clock.move(days=1)
    await stage.sweeper.sweep()

    assert await stage.engine.count(Upload) == 0


async def test_a_store_that_is_away_is_asked_again(stage: Stage) -> None:
    """What could not be removed is logged, holds up nothing else, and goes an hour later."""
    upload = await stage.upload()
    stage.clock.move(days=1)
    stage.blobs.away = True
    with capture_logs() as logged:
        await stage.sweeper.sweep()
    row = await stage.row(upload)
    stage.blobs.away = False
    await stage.sweeper.sweep()
    still = set(stage.blobs.files)
    stage.clock.move(hours=1)
    await stage.sweeper.sweep()

    assert [each["event"] for each in logged] == ["an upload's file is still there"]
    assert row is not None
    assert still == {upload.public_id}
    assert (stage.blobs.files, await stage.row(upload)) == ({}, None)


async def test_beginnings_of_files_are_cleared(stage: Stage) -> None:
    """What arrives in the folder for an hour without an end goes; younger files stay, and what
    another sweeper takes away meanwhile is no fault."""
    now = to_epoch(stage.clock.now())
    for name, age in ((".upload-old", 3601), (".upload-young", 3500)):
        (stage.folder / name).write_bytes(b"x")
        os.utime(stage.folder / name, (now - age, now - age))
    (stage.folder / ".gone").symlink_to("nowhere")
    await stage.sweeper.sweep()

    assert {path.name for path in stage.folder.iterdir()} == {".upload-young", ".gone"}


async def test_it_survives_a_fault(stage: Stage) -> None:
    """A sweep that fails is logged, and the next one comes all the same."""
    await stage.claim(await stage.upload())
    stage.clock.move(days=1)
    asked: list[str] = []
    again = asyncio.Event()

    async def check(public_id: str, _ids: Collection[ObjectId]) -> set[ObjectId]:
        asked.append(public_id)
        if len(asked) == 1:
            raise ConnectionError("no database")
        again.set()
        return set()

    remover = Remover(stage.engine, stage.clock, stage.blobs)
    sweeper = Sweeper(stage.engine, stage.clock, remover, {"message": check}, stage.folder, 0.0)
    with capture_logs() as logged:
        task = asyncio.create_task(sweeper.run())
        await asyncio.wait_for(again.wait(), 10)
    running = not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert running
    assert [each["event"] for each in logged] == ["a sweep of uploads was cut"]
