"""The sweeper: removes what nobody came to use, and mends what a crash left half done.

It runs at the start and every hour, on every node; each upload's row is taken by one of them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path

import structlog
from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import asc

from chatme.clock import Clock, to_epoch
from chatme.storage import atomic
from chatme.uploads.models import LONGEST_STEP, Upload, UseKind
from chatme.uploads.removal import Remover

log = structlog.stdlib.get_logger("chatme.uploads")

SECONDS = 3600.0
PAGE = 100

Check = Callable[[str, Collection[ObjectId]], Awaitable[set[ObjectId]]]
"""Those of the messages, users or groups of these ids that show the upload of a public id."""


class Sweeper:
    """Lives as long as the app; ``checks`` ask each kind of use whether it is real."""

    def __init__(
        self,
        engine: AIOEngine,
        clock: Clock,
        remover: Remover,
        checks: Mapping[UseKind, Check],
        incoming: Path,
        seconds: float = SECONDS,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._remover = remover
        self._checks = checks
        self._incoming = incoming
        self._seconds = seconds

    async def run(self) -> None:
        """Sweeps now and every hour, until it is cancelled."""
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("a sweep of uploads was cut")
            await asyncio.sleep(self._seconds)

    async def sweep(self) -> None:
        """Looks at every upload that is due, once."""
        oldest = to_epoch(self._clock.now() - LONGEST_STEP)
        await asyncio.to_thread(_clear, self._incoming, oldest)
        while due := await self._engine.find(
            Upload, {"due_at": {"$lte": self._clock.now()}}, sort=asc(Upload.due_at), limit=PAGE
        ):
            for upload in due:
                await self._settle(upload)

    async def _settle(self, upload: Upload) -> None:
        """Keeps an upload that is used, removes one that is not.

        Either way only if nobody has moved its date since it was read: who begins a use does.
        """
        as_read = {"_id": upload.id, "due_at": upload.due_at}
        real = set[str]() if upload.state == "leaving" else await self._real_uses(upload)
        if not real:
            await self._remover.remove_if(as_read)
            return
        stale = [use for use in upload.uses if use not in real]
        change = {"$pull": {"uses": {"$in": stale}}, "$set": {"due_at": None}}
        await atomic.update(self._engine, Upload, as_read, change)

    async def _real_uses(self, upload: Upload) -> set[str]:
        ids: dict[UseKind, list[ObjectId]] = defaultdict(list)
        for kind, _, user in (use.partition(":") for use in upload.uses):
            ids[kind].append(ObjectId(user))  # type: ignore[index]  # as `Use.key` made it
        real = set[str]()
        for kind, of_kind in ids.items():
            found = await self._checks[kind](upload.public_id, of_kind)
            real |= {f"{kind}:{each}" for each in found}
        return real


def _clear(folder: Path, oldest: float) -> None:
    """Removes the beginnings of files whose upload was cut long ago."""
    for path in folder.glob("*"):
        try:
            if path.stat().st_mtime < oldest:
                path.unlink()
        except FileNotFoundError:
            continue  # another node's sweeper was faster, or its upload is done
