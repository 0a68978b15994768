"""How a file comes in: looked at, its row written, its bytes stored, its row made ready.

In that order: a crash leaves at most a row whose date runs out, which leads the sweeper to
whatever was stored.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import asc

from chatme.clock import Clock, new_id
from chatme.errors import Conflict, RateLimited, Unavailable, UnsupportedType
from chatme.http.multipart import Received
from chatme.images.pictures import Picture
from chatme.images.studio import Studio
from chatme.ports import Blobs
from chatme.storage import atomic
from chatme.uploads.durations import duration
from chatme.uploads.models import LONGEST_STEP, UNUSED_LIFE, Kind, Upload, Use
from chatme.uploads.removal import Remover

DAILY = 500
DAY = timedelta(days=1)
AVATAR_PIXELS = 512

_AVATARS = frozenset({"jpeg", "png", "webp"})
_PICTURES = frozenset({"jpg", "png", "gif", "webp"})


class Intake:
    """Lives as long as the app; holds no state of its own."""

    def __init__(
        self,
        engine: AIOEngine,
        clock: Clock,
        blobs: Blobs,
        studio: Studio,
        remover: Remover,
        daily: int = DAILY,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._blobs = blobs
        self._studio = studio
        self._remover = remover
        self._daily = daily

    async def admit(self, owner: ObjectId) -> None:
        """Raises `RateLimited` where a user has uploaded enough for a day; ask before reading."""
        await self._refuse_over(owner, self._daily - 1)

    async def image(self, owner: ObjectId, received: Received) -> Upload:
        """Takes a picture in, without what else it tells, and a small copy of it.

        Raises `UnsupportedType` for what is no picture, `TooLarge` over 50 megapixels,
        `RateLimited`, `StorageFull`, and `Unavailable` where it cannot be stored.
        """
        clean, small = _beside(received.path, "clean"), _beside(received.path, "small")
        async with _gone_after(clean, small):
            picture = await self._studio.clean(received.path, clean)
            await self._studio.thumbnail(clean, small)
            async with self._arriving(owner, "image", received.name, picture.format) as upload:
                thumbnail_id = _thumbnail_id(upload.public_id)
                thumbnail = await self._blobs.put(
                    thumbnail_id, small, "image/webp", "thumbnail.webp"
                )
                return await self._store(
                    upload, clean, _facts(picture) | {"thumbnail_url": thumbnail}
                )

    async def file(self, owner: ObjectId, received: Received) -> Upload:
        """Takes any file in; its type is told by its content. Raises as `image` does."""
        media_type, ending = await self._studio.sniff_type(received.path)
        # What is called a picture may be anything behind its first bytes: nobody decodes it.
        shown = "" if ending in _PICTURES else ending
        async with self._arriving(owner, "file", received.name, shown) as upload:
            lasts = await asyncio.to_thread(duration, received.path, media_type)
            facts = {"media_type": media_type, "format": ending, "duration": lasts}
            return await self._store(upload, received.path, facts)

    async def avatar(self, owner: ObjectId, received: Received) -> Upload:
        """Takes in a user's picture of themselves, made anew, 512 pixels at most each way.

        It counts as used from the start. Raises as `image` does.
        """
        clean, small = _beside(received.path, "clean"), _beside(received.path, "small")
        async with _gone_after(clean, small):
            given = await self._studio.clean(received.path, clean)
            if given.format not in _AVATARS:
                raise UnsupportedType("The picture must be a JPEG, PNG or WebP.")
            picture = await self._studio.thumbnail(clean, small, AVATAR_PIXELS)
            async with self._arriving(owner, "avatar", "avatar.webp", picture.format) as upload:
                uses = [Use("user", owner).key]
                return await self._store(upload, small, _facts(picture) | {"uses": uses})

    @asynccontextmanager
    async def _arriving(
        self, owner: ObjectId, kind: Kind, name: str, ending: str
    ) -> AsyncIterator[Upload]:
        """The row of a file that is about to be stored; where that fails, all of it goes again."""
        now = self._clock.now()
        public_id = secrets.token_hex(20) + (f".{ending}" if ending else "")
        upload = Upload(
            id=new_id(),
            owner=owner,
            public_id=public_id,
            kind=kind,
            thumbnail_id=_thumbnail_id(public_id) if kind == "image" else None,
            name=name,
            due_at=now + LONGEST_STEP,
            created_at=now,
        )
        await atomic.insert(self._engine, upload)
        try:
            # Counted again, this one included: of many at once none slips through.
            await self._refuse_over(owner, self._daily)
            yield upload
        except (asyncio.CancelledError, Unavailable):
            await asyncio.shield(self._remover.give_up(upload.id))
            raise
        except BaseException:
            await asyncio.shield(self._remover.remove(upload.id))
            raise

    async def _store(self, upload: Upload, source: Path, facts: dict[str, Any]) -> Upload:
        size = await asyncio.to_thread(_size_of, source)
        media_type = facts["media_type"]
        url = await self._blobs.put(upload.public_id, source, media_type, upload.name)
        due = self._clock.now() + UNUSED_LIFE
        ready = await atomic.update_and_get(
            self._engine,
            Upload,
            {"_id": upload.id, "state": "arriving"},
            {"$set": {**facts, "size": size, "url": url, "due_at": due, "state": "ready"}},
        )
        if ready is None:
            # The sweeper took it for cut, and its row is gone: nothing else leads to the files.
            for public_id in filter(None, (upload.public_id, upload.thumbnail_id)):
                await self._blobs.delete(public_id)
            raise Conflict("The upload was given up meanwhile.")
        return ready

    async def _refuse_over(self, owner: ObjectId, limit: int) -> None:
        since = self._clock.now() - DAY
        recent = {"owner": owner, "created_at": {"$gt": since}}
        if await atomic.count(self._engine, Upload, recent, limit=limit + 1) <= limit:
            return
        oldest = await self._engine.find_one(Upload, recent, sort=asc(Upload.created_at))
        wait = (oldest.created_at - since).total_seconds() if oldest else 1.0
        raise RateLimited(f"At most {self._daily} uploads a day.", retry_after=wait)


@asynccontextmanager
async def _gone_after(*paths: Path) -> AsyncIterator[None]:
    """Removes files that were made on the way, unless somebody moved them away."""
    try:
        yield
    finally:
        await asyncio.shield(asyncio.to_thread(_remove, paths))


def _remove(paths: tuple[Path, ...]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _size_of(path: Path) -> int:
    return path.stat().st_size


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}-{what}")


def _thumbnail_id(public_id: str) -> str:
    return f"{public_id.partition('.')[0]}-small.webp"


def _facts(picture: Picture) -> dict[str, Any]:
    return {
        "media_type": picture.media_type,
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
    }
