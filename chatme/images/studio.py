"""The thread in which pictures are worked on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from chatme.errors import Unavailable
from chatme.images.pictures import THUMBNAIL, Picture, clean, thumbnail
from chatme.images.sniffing import sniff_type

MAX_WAITING = 50

R = TypeVar("R")


class Studio:
    """Works on one picture at a time, in a thread; lives as long as the app; close it.

    One at a time, since a picture of 50 megapixels takes up to 770 MB while it is looked at (WebP;
    a JPEG 150 to 480). Work that has begun is waited for even where its caller is cancelled: no
    file is written behind a caller's back.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._waiting = 0

    def close(self) -> None:
        """Ends the thread, after what it is at."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def clean(self, path: Path, out: Path) -> Picture:
        """`pictures.clean`; raises `Unavailable` where too many wait already."""
        return await self.run(lambda: clean(path, out))

    async def thumbnail(self, path: Path, out: Path, size: int = THUMBNAIL) -> Picture:
        """`pictures.thumbnail`; raises `Unavailable` where too many wait already."""
        return await self.run(lambda: thumbnail(path, out, size))

    async def sniff_type(self, path: Path) -> tuple[str, str]:
        """`sniffing.sniff_type`, which waits for no picture."""
        return await asyncio.to_thread(sniff_type, path)

    async def run(self, work: Callable[[], R]) -> R:
        """Other work on pictures; raises `Unavailable` where too many wait already."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many pictures at once.", retry_after=5)
        self._waiting += 1
        begun = self._thread.submit(work)
        done = asyncio.wrap_future(begun)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not begun.cancel():
                await asyncio.wait([done])
            raise
        finally:
            self._waiting -= 1
