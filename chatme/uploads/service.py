"""The rules for using uploads: whose, for what, and when their files go.

Who shows an upload says so before (`claim`) and after (`release`) in the upload's own document, so
that an upload is removed only where nobody is about to use it. What a crash leaves in between is
seen by the sweeper, which asks whether the use is real.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import asc

from chatme.clock import Clock
from chatme.errors import Invalid
from chatme.storage import atomic
from chatme.storage.blobs import PATH
from chatme.uploads.models import LONGEST_STEP, MAX_USES, UNUSED_LIFE, Upload, Use
from chatme.uploads.removal import Remover
from chatme.uploads.wire import HeldUpload, held_upload

PAGE = 100

Purpose = Literal["image", "audio", "file"]

# What an upload must be for each purpose, and the same in words.
_FITTING: Mapping[Purpose, Mapping[str, Any]] = {
    "image": {"kind": "image"},
    "audio": {"kind": "file", "media_type": {"$regex": "^audio/"}},
    "file": {"kind": {"$in": ["image", "file"]}},
}
_WORDS: Mapping[Purpose, str] = {
    "image": "must name an image, uploaded as one",
    "audio": "must name an audio file",
    "file": "must name a file",
}


class UploadService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, clock: Clock, remover: Remover) -> None:
        self._engine = engine
        self._clock = clock
        self._remover = remover

    async def claim(
        self, owner: ObjectId, name: str, purpose: Purpose, use: Use, field: str
    ) -> Upload:
        """The owner's upload of that public id or URL, kept from now on for a use.

        The use must be there within a day, or it is forgotten. Raises `Invalid`, naming the field,
        where the owner has no such upload or it does not fit; one that has run out but is still
        there is as good as any. Safe to repeat.
        """
        which = _named(owner, name)
        claimed = await atomic.update_and_get(
            self._engine,
            Upload,
            {**which, **_FITTING[purpose], f"uses.{MAX_USES - 1}": {"$exists": False}},
            {
                "$addToSet": {"uses": use.key},
                "$set": {"due_at": self._clock.now() + UNUSED_LIFE},
            },
        )
        if claimed is not None:
            return claimed
        found = await self._engine.find_one(Upload, which)
        if found is None:
            raise Invalid.field(field, "must name an upload of yours that is not older than a day")
        if len(found.uses) >= MAX_USES:
            raise Invalid.field(field, f"is shown {MAX_USES} times already: upload it again")
        raise Invalid.field(field, _WORDS[purpose])

    async def unclaim(self, public_id: str, use: Use) -> None:
        """A use that was claimed did not come about; the upload is left for a day."""
        await self._pull(public_id, use)

    async def loosen(self, public_id: str) -> None:
        """Say this before a use ends, and `release` after: what is cut in between is then seen."""
        due = self._clock.now() + LONGEST_STEP
        await atomic.update(
            self._engine, Upload, {"public_id": public_id}, {"$set": {"due_at": due}}
        )

    async def release(self, public_id: str, use: Use) -> None:
        """A use has ended; where it was the last one, the file goes. Safe to repeat."""
        left = await self._pull(public_id, use)
        if left is not None and not left.uses:
            await self._remover.remove(left.id)

    async def owner_erased(self, owner: ObjectId) -> None:
        """Removes what a user who is no more had uploaded, but for what messages and groups show.

        Safe to repeat.
        """
        use = Use("user", owner)
        async for upload in self._of(owner):
            await self.release(upload.public_id, use)

    async def held(self, owner: ObjectId) -> AsyncIterator[HeldUpload]:
        """What is held of a user's uploads, the oldest first."""
        async for upload in self._of(owner):
            if upload.state == "ready":
                yield held_upload(upload)

    async def _of(self, owner: ObjectId) -> AsyncIterator[Upload]:
        last: ObjectId | None = None
        while found := await self._engine.find(
            Upload,
            {"owner": owner, **({"_id": {"$gt": last}} if last else {})},
            sort=asc(Upload.id),
            limit=PAGE,
        ):
            for upload in found:
                yield upload
            last = found[-1].id

    async def _pull(self, public_id: str, use: Use) -> Upload | None:
        return await atomic.update_and_get(
            self._engine, Upload, {"public_id": public_id}, {"$pull": {"uses": use.key}}
        )


def _named(owner: ObjectId, name: str) -> dict[str, object]:
    """What finds the owner's upload of a public id or URL; no id holds a slash.

    An address of this server is known by its end: it may have been given without a host, and
    where browsers reach the server may have changed since.
    """
    place, slash, last = name.rpartition("/")
    if not slash or place.endswith(PATH):
        return {"public_id": last, "owner": owner, "state": "ready"}
    return {"url": name, "owner": owner, "state": "ready"}
