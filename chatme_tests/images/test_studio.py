"""Tests for the thread in which pictures are worked on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event, get_ident

import pytest

from chatme.errors import Unavailable, UnsupportedType
from chatme.images.pictures import Picture
from chatme.images.studio import MAX_WAITING, Studio
from chatme_tests.images.gallery import hung, photo


@pytest.fixture
def studio() -> Iterator[Studio]:
    """A studio at work."""
    made = Studio()
    yield made
    made.close()


async def test_pictures_are_worked_on(tmp_path: Path, studio: Studio) -> None:
    """What the functions do, the studio does in its threads."""
    source, out = hung(tmp_path, photo("PNG")), tmp_path / "out"

    assert await studio.sniff_type(source) == ("image/png", "png")
    assert await studio.clean(source, out) == Picture("png", 64, 48)
    assert (await studio.thumbnail(out, tmp_path / "small")).format == "webp"


async def test_a_refusal_comes_through(tmp_path: Path, studio: Studio) -> None:
    """A bad picture is the caller's error, and the studio goes on."""
    with pytest.raises(UnsupportedType):
        await studio.clean(hung(tmp_path, b"no picture"), tmp_path / "out")

    assert (await studio.clean(hung(tmp_path, photo("GIF")), tmp_path / "out")).format == "gif"


async def test_too_many_at_once_are_refused(studio: Studio) -> None:
    """Only so many pictures wait; who comes then is told to come back."""
    let_go = Event()
    waiting = [asyncio.create_task(studio.run(let_go.wait)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable) as caught:
        await studio.run(let_go.wait)
    assert caught.value.retry_after == 5
    let_go.set()
    assert all(await asyncio.gather(*waiting))
    assert await studio.run(let_go.wait)


async def test_one_picture_is_worked_on_at_a_time(studio: Studio) -> None:
    """However many come at once, the memory of one is all that is taken."""
    let_go = Event()

    def work() -> int:
        let_go.wait()
        return get_ident()

    at_work = [asyncio.create_task(studio.run(work)) for _ in range(4)]
    await asyncio.sleep(0)
    let_go.set()

    assert len(set(await asyncio.gather(*at_work))) == 1


async def test_work_that_has_begun_is_waited_for(studio: Studio) -> None:
    """A cancelled caller comes back once no thread is at its files any more."""
    begun, let_go, ended = Event(), Event(), Event()

    def work() -> None:
        begun.set()
        let_go.wait()
        ended.set()

    task = asyncio.create_task(studio.run(work))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    let_go.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_work_that_has_not_begun_never_does(studio: Studio) -> None:
    """What waited for its turn when its caller was cancelled is not done."""
    let_go, done = Event(), Event()
    busy = [asyncio.create_task(studio.run(let_go.wait)) for _ in range(4)]
    late = asyncio.create_task(studio.run(done.set))
    await asyncio.sleep(0)
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    let_go.set()
    await asyncio.gather(*busy)
    await studio.run(let_go.is_set)

    assert not done.is_set()
