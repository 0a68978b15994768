"""What the tests of uploads share: a store in memory, and uploads that are there already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import new_id
from chatme.errors import Unavailable
from chatme.uploads.models import UNUSED_LIFE, Upload, Use, UseKind
from chatme.uploads.removal import Remover
from chatme.uploads.service import UploadService
from chatme.uploads.sweeper import Check, Sweeper
from chatme_tests.fakes import FrozenClock, opened_engine

PLACE = "http://here/uploads"


class MemoryBlobs:
    """A `Blobs` that keeps the bytes, and fails where it is told to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.deleted: list[str] = []
        self.away = False

    async def put(self, public_id: str, source: Path, media_type: str, name: str) -> str:
        """Keeps a file."""
        content = await asyncio.to_thread(_taken, source)
        if self.away:
            raise Unavailable
        self.files[public_id] = content
        return f"{PLACE}/{public_id}"

    async def delete(self, public_id: str) -> None:
        """Forgets a file."""
        if self.away:
            raise Unavailable
        self.deleted.append(public_id)
        self.files.pop(public_id, None)


def _taken(source: Path) -> bytes:
    content = source.read_bytes()
    source.unlink()
    return content


async def uploaded(
    engine: AIOEngine, blobs: MemoryBlobs, clock: FrozenClock, owner: ObjectId, **more: Any
) -> Upload:
    """An upload that has arrived just now."""
    public_id = f"id-{new_id()}"
    row: dict[str, Any] = {
        "owner": owner,
        "public_id": public_id,
        "kind": "image",
        "state": "ready",
        "url": f"{PLACE}/{public_id}",
        "name": "tea.png",
        "size": 3,
        "media_type": "image/png",
        "format": "png",
        "width": 40,
        "height": 30,
        "due_at": clock.now() + UNUSED_LIFE,
        "created_at": clock.now(),
    }
    upload = Upload(id=new_id(), **(row | more))
    blobs.files[public_id] = b"tea"
    await engine.save(upload)
    return upload


class Showing:
    """Uses that are real because it says so."""

    def __init__(self) -> None:
        self.real: set[ObjectId] = set()

    async def check(self, _public_id: str, ids: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the ids that show something."""
        return self.real & set(ids)


class Stage:
    """The rules over an empty database."""

    def __init__(self, engine: AIOEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.clock, self.blobs, self.showing = FrozenClock(), MemoryBlobs(), Showing()
        self.owner = new_id()
        self.uploads, self.sweeper = self.node(engine)

    def node(self, engine: AIOEngine) -> tuple[UploadService, Sweeper]:
        """Another process over the same database."""
        remover = Remover(engine, self.clock, self.blobs)
        check = self.showing.check
        checks: dict[UseKind, Check] = {"message": check, "user": check, "group": check}
        return (
            UploadService(engine, self.clock, remover),
            Sweeper(engine, self.clock, remover, checks, self.folder),
        )

    async def upload(self, **more: Any) -> Upload:
        """An upload of the owner's."""
        return await uploaded(self.engine, self.blobs, self.clock, self.owner, **more)

    async def claim(self, upload: Upload, use: Use | None = None) -> Use:
        """Begins to use an upload."""
        use = use or Use("message", new_id())
        await self.uploads.claim(self.owner, upload.public_id, "file", use, "attachment")
        return use

    async def row(self, upload: Upload) -> Upload | None:
        """The upload as it is stored now."""
        return await self.engine.find_one(Upload, Upload.id == upload.id)


@asynccontextmanager
async def opened_stage(folder: Path) -> AsyncIterator[Stage]:
    """An empty stage over a folder, until the block ends."""
    incoming = folder / "incoming"
    incoming.mkdir()
    async with opened_engine(folder / "data", [Upload]) as engine:
        yield Stage(engine, incoming)
