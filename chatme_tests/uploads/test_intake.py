"""How files come in: what is kept of them, how many, and what a crash leaves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from odmantic import AIOEngine
from PIL import Image

from chatme.clock import new_id
from chatme.errors import ChatMeError, Conflict, RateLimited, Unavailable, UnsupportedType
from chatme.http.multipart import Received
from chatme.images.studio import Studio
from chatme.uploads.intake import Intake
from chatme.uploads.models import Upload, Use
from chatme.uploads.removal import Remover
from chatme.uploads.sweeper import Sweeper
from chatme_tests.conversations.engines import AskedEngine, Crash, DyingEngine
from chatme_tests.images.gallery import SECRET, moving, photo, quarters, written
from chatme_tests.plans import plan_of
from chatme_tests.uploads.sounds import wav
from chatme_tests.uploads.stage import MemoryBlobs, Stage

Take = Callable[[Intake, ObjectId, Received], Coroutine[Any, Any, Upload]]
WAYS = pytest.mark.parametrize("take", [Intake.image, Intake.file, Intake.avatar])


@pytest.fixture
def studio() -> Iterator[Studio]:
    """Threads for pictures."""
    made = Studio()
    yield made
    made.close()


def _intake(
    stage: Stage, studio: Studio, engine: AIOEngine | None = None, daily: int = 500
) -> Intake:
    engine = engine or stage.engine
    remover = Remover(engine, stage.clock, stage.blobs)
    return Intake(engine, stage.clock, stage.blobs, studio, remover, daily)


def _received(stage: Stage, content: bytes, name: str = "tea.png") -> Received:
    path = stage.folder / f".upload-{new_id()}"
    path.write_bytes(content)
    return Received(path, name, len(content))


def _picture() -> bytes:
    return written(quarters(600, 300), "PNG")


async def test_a_picture_is_kept_without_what_it_tells(stage: Stage, studio: Studio) -> None:
    """Its pixels and its name stay, its place and its maker go, and there is a small copy."""
    received = _received(stage, photo("JPEG"), "holiday.gif")
    upload = await _intake(stage, studio).image(stage.owner, received)
    kept = stage.blobs.files[upload.public_id]
    small = Image.open(BytesIO(stage.blobs.files[str(upload.thumbnail_id)]))

    assert (upload.kind, upload.state, upload.name) == ("image", "ready", "holiday.gif")
    assert (upload.format, upload.media_type) == ("jpeg", "image/jpeg")
    assert (upload.width, upload.height, upload.size) == (64, 48, len(kept))
    assert SECRET not in kept
    assert (small.format, small.size) == ("WEBP", (64, 48))
    assert upload.url.endswith(f"/{upload.public_id}")
    assert str(upload.thumbnail_url).endswith(f"/{upload.thumbnail_id}")
    assert upload.uses == []
    assert await stage.row(upload) == upload


async def test_a_large_picture_gets_a_small_copy(stage: Stage, studio: Studio) -> None:
    """The thumbnail has at most 256 pixels each way."""
    upload = await _intake(stage, studio).image(stage.owner, _received(stage, _picture()))
    small = Image.open(BytesIO(stage.blobs.files[str(upload.thumbnail_id)]))

    assert (upload.width, upload.height) == (600, 300)
    assert small.size == (256, 128)


async def test_a_file_is_kept_as_it_is(stage: Stage, studio: Studio) -> None:
    """A file's bytes and name stay, and its type is told by its content."""
    received = _received(stage, b"%PDF-1.7 tea", "tea.html")
    upload = await _intake(stage, studio).file(stage.owner, received)

    assert stage.blobs.files == {upload.public_id: b"%PDF-1.7 tea"}
    assert (upload.kind, upload.name, upload.size) == ("file", "tea.html", 12)
    assert (upload.format, upload.media_type) == ("pdf", "application/pdf")
    assert upload.public_id.endswith(".pdf")
    assert (upload.width, upload.height, upload.thumbnail_url) == (None, None, None)


async def test_a_sound_says_how_long_it_lasts(stage: Stage, studio: Studio) -> None:
    """Its duration is kept with it."""
    upload = await _intake(stage, studio).file(stage.owner, _received(stage, wav(0.5)))

    assert (upload.media_type, upload.duration) == ("audio/wav", 0.5)


async def test_a_file_that_begins_like_a_picture_is_called_none(
    stage: Stage, studio: Studio
) -> None:
    """What nobody decoded gets no picture's ending, by which a store would make it one."""
    received = _received(stage, b"\x89PNG\r\n\x1a\n<script>")
    upload = await _intake(stage, studio).file(stage.owner, received)

    assert upload.format == "png"
    assert "." not in upload.public_id


async def test_an_avatar_is_made_anew(stage: Stage, studio: Studio) -> None:
    """Whatever the picture was, it is a WebP of at most 512 pixels, and counts as used."""
    upload = await _intake(stage, studio).avatar(stage.owner, _received(stage, _picture()))
    shown = Image.open(BytesIO(stage.blobs.files[upload.public_id]))

    assert (shown.format, shown.size) == ("WEBP", (512, 256))
    assert (upload.kind, upload.uses) == ("avatar", [Use("user", stage.owner).key])
    assert upload.thumbnail_id is None


async def test_a_moving_gif_is_no_avatar(stage: Stage, studio: Studio) -> None:
    """A GIF is refused as a user's picture, and nothing of it stays."""
    with pytest.raises(UnsupportedType):
        await _intake(stage, studio).avatar(stage.owner, _received(stage, moving("GIF")))

    assert await stage.engine.count(Upload) == 0
    assert len(list(stage.folder.iterdir())) == 1  # what arrived, which its request removes


@WAYS
async def test_names_are_not_guessed(stage: Stage, studio: Studio, take: Take) -> None:
    """Every upload has a name of its own with 160 random bits."""
    intake = _intake(stage, studio)
    made = [await take(intake, stage.owner, _received(stage, _picture())) for _ in range(3)]

    assert len({each.public_id for each in made}) == 3
    assert all(len(each.public_id.partition(".")[0]) == 40 for each in made)


@pytest.mark.parametrize("content", [b"<svg/>", b"", b"\x89PNG\r\n\x1a\n", b"GIF89a<script>"])
@pytest.mark.parametrize("take", [Intake.image, Intake.avatar])
async def test_what_is_no_picture_leaves_nothing(
    stage: Stage, studio: Studio, take: Take, content: bytes
) -> None:
    """It is refused, and there is neither a row, nor a stored file, nor a half-made one."""
    with pytest.raises(UnsupportedType):
        await take(_intake(stage, studio), stage.owner, _received(stage, content))

    assert await stage.engine.count(Upload) == 0
    assert stage.blobs.files == {}
    assert len(list(stage.folder.iterdir())) == 1


@WAYS
async def test_a_store_that_is_away_leaves_nothing(
    stage: Stage, studio: Studio, take: Take
) -> None:
    """The upload fails, and what is left of it goes with the next sweeps."""
    stage.blobs.away = True
    with pytest.raises(Unavailable):
        await take(_intake(stage, studio), stage.owner, _received(stage, _picture()))
    stage.blobs.away = False
    stage.clock.move(hours=1)
    await stage.sweeper.sweep()

    assert await stage.engine.count(Upload) == 0
    assert stage.blobs.files == {}


class LateBlobs(MemoryBlobs):
    """A store that gives up, and yet has the file in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.late: dict[str, bytes] = {}

    async def put(self, public_id: str, source: Path, media_type: str, name: str) -> str:
        """Takes too long."""
        self.late[public_id] = await asyncio.to_thread(source.read_bytes)
        raise Unavailable


@WAYS
async def test_what_a_store_keeps_too_late_goes_too(
    stage: Stage, studio: Studio, take: Take
) -> None:
    """A file that turns up after its upload was given up is still found by a sweep."""
    store = LateBlobs()
    remover = Remover(stage.engine, stage.clock, store)
    intake = Intake(stage.engine, stage.clock, store, studio, remover)
    with pytest.raises(Unavailable):
        await take(intake, stage.owner, _received(stage, _picture()))
    store.files |= store.late
    stage.clock.move(hours=1)
    await Sweeper(stage.engine, stage.clock, remover, {}, stage.folder).sweep()

    assert store.late
    assert store.files == {}
    assert await stage.engine.count(Upload) == 0


@WAYS
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("at", [0, 1])
async def test_a_crash_leaves_no_orphan(
    stage: Stage, studio: Studio, take: Take, at: int, late: bool
) -> None:
    """Wherever the process dies, every stored file has a row, and a day later both are gone."""
    dying = DyingEngine(stage.engine, at, late=late)
    with pytest.raises(Crash):
        await take(_intake(stage, studio, dying), stage.owner, _received(stage, _picture()))
    rows = await stage.engine.find(Upload)
    led_to = {name for row in rows for name in (row.public_id, row.thumbnail_id)}
    orphans = set(stage.blobs.files) - led_to
    stage.clock.move(days=1)
    await stage.sweeper.sweep()

    assert orphans == set()
    assert (await stage.engine.count(Upload), stage.blobs.files) == (0, {})


async def test_an_upload_that_took_too_long_is_given_up(stage: Stage, studio: Studio) -> None:
    """Where the sweeper took it for cut, it fails and leaves nothing."""

    received = _received(stage, _picture())
    _, sweeper = stage.node(stage.engine)

    class Slow(MemoryBlobs):
        async def put(self, public_id: str, source: Path, *given: str) -> str:
            stage.clock.move(hours=1)
            for path in stage.folder.iterdir():
                os.utime(path, (2**32, 2**32))
            await sweeper.sweep()
            return await stage.blobs.put(public_id, source, *given)

        async def delete(self, public_id: str) -> None:
            await stage.blobs.delete(public_id)

    slow = Slow()
    intake = Intake(
        stage.engine, stage.clock, slow, studio, Remover(stage.engine, stage.clock, slow)
    )
    with pytest.raises(Conflict):
        await intake.image(stage.owner, received)

    assert await stage.engine.count(Upload) == 0
    assert stage.blobs.files == {}


async def test_a_day_has_its_bound(stage: Stage, studio: Studio) -> None:
    """One upload too many is refused until the first is a day old; others are not concerned."""
    intake = _intake(stage, studio, daily=2)
    for _ in range(2):
        await intake.admit(stage.owner)
        await intake.file(stage.owner, _received(stage, b"tea"))
        stage.clock.move(hours=1)
    with pytest.raises(RateLimited) as refused:
        await intake.admit(stage.owner)
    await intake.admit(new_id())
    stage.clock.move(hours=22)
    await intake.admit(stage.owner)

    assert refused.value.retry_after == 22 * 3600


async def test_of_many_at_once_none_slips_through(stage: Stage, studio: Studio) -> None:
    """However many come at the same moment, no more than the bound are kept."""
    intake = _intake(stage, studio, daily=3)
    received = [_received(stage, b"tea") for _ in range(8)]
    ended = await asyncio.gather(
        *(intake.file(stage.owner, each) for each in received), return_exceptions=True
    )
    kept = [each for each in ended if isinstance(each, Upload)]

    assert len(kept) <= 3
    assert all(isinstance(each, Upload | ChatMeError) for each in ended)
    assert set(stage.blobs.files) == {each.public_id for each in kept}


async def test_the_bound_is_counted_in_an_index(stage: Stage, studio: Studio) -> None:
    """Counting a user's day reads no document, however many there are."""
    asked = AskedEngine(stage.engine)
    intake = _intake(stage, studio, asked, daily=1)
    await intake.file(stage.owner, _received(stage, b"tea"))
    with pytest.raises(RateLimited):
        await intake.admit(stage.owner)
    stored = stage.engine.get_collection(Upload)
    found = {each.method: each for each in asked.asked}
    counted, looked_up = found["count_documents"], found["aggregate"]
    count = await plan_of(stored, counted.filter)
    look = await plan_of(stored, looked_up.filter, looked_up.sort)

    assert (count["index"], count["covered"]) == ("recent", True)
    assert (look["index"], look["sorted"]) == ("recent", True)
