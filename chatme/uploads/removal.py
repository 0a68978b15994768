"""How an upload goes: the row is marked first, then its file goes, then the row.

Cut anywhere, it is taken up by the sweeper; done twice, or by two nodes at once, it is done once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import Clock
from chatme.errors import Unavailable
from chatme.ports import Blobs
from chatme.storage import atomic
from chatme.uploads.models import LONGEST_STEP, Upload

log = structlog.stdlib.get_logger("chatme.uploads")

PATIENCE = 3.0
"""Seconds that a caller waits for the store; the sweeper waits as long as it takes."""


class Remover:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, clock: Clock, blobs: Blobs) -> None:
        self._engine = engine
        self._clock = clock
        self._blobs = blobs

    async def remove(self, upload_id: ObjectId, *, seconds: float | None = PATIENCE) -> None:
        """Removes an upload unless something uses it.

        Where the store is away or slow, that is logged, and the sweeper tries again.
        """
        await self.remove_if({"_id": upload_id, "uses": {"$size": 0}}, seconds=seconds)

    async def give_up(self, upload_id: ObjectId) -> None:
        """Removes an upload whose storing was cut: now, and once more by the sweeper, since the
        store may still be at it."""
        fits = {"_id": upload_id, "uses": {"$size": 0}}
        await self.remove_if(fits, seconds=PATIENCE, again=True)

    async def remove_if(
        self, fits: Mapping[str, Any], *, seconds: float | None = None, again: bool = False
    ) -> None:
        """The same for the upload that fits, which must be one that nothing uses; with ``again``
        its row stays for the sweeper."""
        due = self._clock.now() + LONGEST_STEP
        leaving = await atomic.update_and_get(
            self._engine,
            Upload,
            fits,
            {"$set": {"state": "leaving", "uses": [], "due_at": due}},
        )
        if leaving is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._blobs.delete(leaving.public_id)
                if leaving.thumbnail_id is not None:
                    await self._blobs.delete(leaving.thumbnail_id)
        except (TimeoutError, Unavailable):
            log.warning("an upload's file is still there", upload=str(leaving.id))
            return
        if not again:
            await self._engine.remove(Upload, Upload.id == leaving.id)
