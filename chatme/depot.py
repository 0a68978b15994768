"""The uploads' part of the assembly: where files come in, what keeps them, what removes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from odmantic import AIOEngine

from chatme.clock import Clock
from chatme.images.studio import Studio
from chatme.ports import Lifeline
from chatme.settings import Settings
from chatme.storage.blobs import Stores, open_stores
from chatme.uploads.avatars import AvatarService
from chatme.uploads.intake import Intake
from chatme.uploads.models import UseKind
from chatme.uploads.removal import Remover
from chatme.uploads.routes import UploadDoor
from chatme.uploads.service import UploadService
from chatme.uploads.sweeper import Check, Sweeper
from chatme.users.service import UserService


@dataclass(frozen=True, slots=True)
class Depot:
    """What the rest of the assembly needs of uploads."""

    engine: AIOEngine
    clock: Clock
    stores: Stores
    studio: Studio
    incoming: Path
    remover: Remover
    uploads: UploadService

    def door(self, users: UserService) -> UploadDoor:
        """What the routes need."""
        intake = Intake(self.engine, self.clock, self.stores.blobs, self.studio, self.remover)
        return UploadDoor(intake, AvatarService(users, self.uploads), self.incoming)

    @asynccontextmanager
    async def sweeping(
        self, checks: Mapping[UseKind, Check], lifeline: Lifeline
    ) -> AsyncIterator[None]:
        """Sweeps, as soon as there is a database and every hour, until the block ends."""
        sweeper = Sweeper(self.engine, self.clock, self.remover, checks, self.incoming)

        async def sweep() -> None:
            await lifeline.wait()
            await sweeper.run()

        task = asyncio.create_task(sweep())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def open_depot(engine: AIOEngine, clock: Clock, settings: Settings) -> AsyncIterator[Depot]:
    """The depot over the stores that the settings name, until the block ends."""
    async with open_stores(settings) as stores:
        studio = Studio()
        remover = Remover(engine, clock, stores.blobs)
        try:
            yield Depot(
                engine,
                clock,
                stores,
                studio,
                # On the disk on which the files may stay: they are moved, not copied.
                settings.data_dir / "incoming",
                remover,
                UploadService(engine, clock, remover),
            )
        finally:
            await asyncio.to_thread(studio.close)
