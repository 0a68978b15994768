"""All documents of a database as BSON, collection by collection, in bounded pieces.

Of an embedded file that is one moment of it, whoever writes meanwhile. MongoDB on its own has no
such moment: each document is as it stood at some moment of the reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import bson
from odmantic import AIOEngine

from chatme.settings import Settings
from chatme.storage.embedded.snapshot import Snapshot
from chatme.storage.engine import DEFAULT_DATABASE, EMBEDDED_FILE, open_engine

PAGE = 200

Order = Sequence[tuple[str, int]]
BY_ID: Order = (("_id", 1),)


class Dump(Protocol):
    """Where documents come from."""

    @property
    def is_one_moment(self) -> bool:
        """Whether all of it is as it stood at one and the same moment."""
        ...

    async def count(self, name: str) -> int:
        """How many documents a collection has, about."""
        ...

    def pages(self, name: str, order: Order = BY_ID) -> AsyncIterator[list[bytes]]:
        """A collection's documents, some at a time; in that order, where it is no one moment."""
        ...


class SnapshotDump:
    """The dump of an embedded file; lives as long as its snapshot."""

    is_one_moment = True

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    async def count(self, name: str) -> int:
        """How many documents a collection has."""
        return self._snapshot.count(DEFAULT_DATABASE, name)

    async def pages(self, name: str, order: Order = BY_ID) -> AsyncIterator[list[bytes]]:
        """A collection's documents, in the order of the file."""
        for page in self._snapshot.pages(DEFAULT_DATABASE, name):
            await asyncio.sleep(0)  # the only place at which it can be called off
            yield page


class LiveDump:
    """The dump of an open database, by its indexes; lives as long as its engine."""

    is_one_moment = False

    def __init__(self, engine: AIOEngine) -> None:
        self._database = engine.database

    async def count(self, name: str) -> int:
        """How many documents a collection has, about."""
        return int(await self._database[name].estimated_document_count())

    async def pages(self, name: str, order: Order = BY_ID) -> AsyncIterator[list[bytes]]:
        """A collection's documents in an order that an index gives.

        Nothing that is there from beginning to end is left out, or comes twice, as long as the
        fields of the order do not change.
        """
        page: list[bytes] = []
        documents: Any = self._database[name].find({}, sort=list(order))
        async for document in documents:
            page.append(bson.encode(document))
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page


async def is_empty(engine: AIOEngine, names: Sequence[str]) -> bool:
    """Whether none of the collections holds a document."""
    for name in names:
        if await engine.database[name].find_one({}) is not None:
            return False
    return True


@asynccontextmanager
async def open_dump(settings: Settings) -> AsyncIterator[Dump]:
    """The database that the settings name, to be read beside a server; raises `DatabaseError`."""
    if settings.mongodb_uri is None:
        with Snapshot(settings.data_dir / EMBEDDED_FILE) as snapshot:
            yield SnapshotDump(snapshot)
        return
    async with open_engine(settings) as engine:
        yield LiveDump(engine)
