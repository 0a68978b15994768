"""The check of a whole database: collection by collection, a page at a time, in bounded memory.

Beside servers what is read is never of one moment: a message is there before the activity says so.
So whatever looks wrong is looked at again a moment later, from the documents on, and counts only if
it is wrong in the very same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine, Model
from odmantic.exceptions import DocumentParsingError
from pydantic import ValidationError

from chatme.storage.engine import OperationRefused, indexes_of, prepare
from chatme.storage.migrations import MIGRATIONS, version
from chatme.storage.moves import refuse_unfinished
from chatme.upkeep.check import log, people, talks, uploads
from chatme.upkeep.check.findings import Finding, Mend
from chatme.upkeep.progress import Progress
from chatme.upkeep.stock import models_by_collection

PAGE = 100
_LEAST_ID = ObjectId("0" * 24)

Examine = Callable[[AIOEngine, Sequence[Any]], Awaitable[list[Finding]]]
EXAMINERS: Mapping[str, Examine] = {
    "users": people.users,
    "sessions": people.sessions,
    "blocks": people.blocks,
    "erasures": people.erasures,
    "notifications": people.notifications,
    "conversations": talks.conversations,
    "activities": talks.activities,
    "watermarks": talks.watermarks,
    "messages": log.messages,
    "uploads": uploads.uploads,
}


class NotCurrent(Exception):
    """The database is not as this program stores things: a server has to change it first."""


@dataclass(slots=True)
class Outcome:
    """How many faults were found, and how many of them are mended."""

    found: int = 0
    mended: int = 0


class Check:
    """One look at the whole of a database.

    ``pause`` is how long after the first look the second is, where servers may write; zero for
    none. ``say`` is told of each fault, and whether it was mended.
    """

    def __init__(
        self,
        engine: AIOEngine,
        progress: Progress,
        say: Callable[[Finding, bool], object],
        *,
        pause: float,
        repair: bool,
    ) -> None:
        self._engine = engine
        self._progress = progress
        self._say = say
        self._pause = pause
        self._repair = repair
        self._outcome = Outcome()

    async def run(self) -> Outcome:
        """Looks at everything; raises `NotCurrent`, and `DatabaseError` for half a database."""
        await refuse_unfinished(self._engine)
        if await version(self._engine, MIGRATIONS) < len(MIGRATIONS):
            raise NotCurrent("start the server once: it has to change the database first")
        models = models_by_collection()
        for name, model in models.items():
            await self._take(await _missing_indexes(self._engine, name, model))
            await self._take(await _strangers(self._engine, name))
        for name, model in models.items():
            total = await self._engine.database[name].estimated_document_count()
            self._progress.begin(f"check {name}", total)
            async for ids in _ids(self._engine, name):
                await self._take(await self._sure(name, model, ids))
                self._progress.advance(len(ids))
        return self._outcome

    async def _sure(self, name: str, model: type[Model], ids: Sequence[Any]) -> list[Finding]:
        """What is wrong with these documents, and still is on a second look."""
        found = await self._look(name, model, ids)
        if not found or not self._pause:
            return found
        await asyncio.sleep(self._pause)
        again = set(await self._look(name, model, ids))
        return [each for each in found if each in again]

    async def _look(self, name: str, model: type[Model], ids: Sequence[Any]) -> list[Finding]:
        documents, found = [], []
        async for document in self._engine.database[name].find({"_id": {"$in": list(ids)}}):
            try:
                documents.append(model.model_validate_doc(document))
            except (DocumentParsingError, ValidationError) as error:
                found.append(Finding(f"{name} {document['_id']}: {_unreadable(error)}"))
        examine = EXAMINERS.get(name)
        if examine is not None and documents:
            found += await examine(self._engine, documents)
        return found

    async def _take(self, found: Sequence[Finding]) -> None:
        for each in found:
            mended = False
            if self._repair and each.mend is not None:
                # An index of what is there twice cannot be made, and the rest is to be mended.
                with suppress(OperationRefused):
                    await each.mend(self._engine)
                    mended = True
            self._outcome.found += 1
            self._outcome.mended += mended
            self._say(each, mended)


async def _missing_indexes(engine: AIOEngine, name: str, model: type[Model]) -> list[Finding]:
    """The indexes that queries go by, and that keep numbers unique."""
    there = set(await engine.database[name].index_information())
    wanted = {each.document["name"] for each in indexes_of(model)}

    async def mend(engine: AIOEngine) -> None:
        await prepare(engine, [model])

    made: Mend = mend
    return [
        Finding(f"{name}: the index {each} is missing", made) for each in sorted(wanted - there)
    ]


def _unreadable(error: DocumentParsingError | ValidationError) -> str:
    """Which fields are in the way; never what is in them."""
    inner = error.inner if isinstance(error, DocumentParsingError) else error
    fields = {".".join(map(str, each["loc"])) for each in inner.errors(include_input=False)}
    return f"it cannot be read, for {', '.join(sorted(fields)[:5])}"


async def _strangers(engine: AIOEngine, name: str) -> list[Finding]:
    """Ids are of one kind: another one stands before all or behind all of ours."""
    found = set()
    for way in (1, -1):
        end: Any = await engine.database[name].find_one({}, {"_id": 1}, sort=[("_id", way)])
        if end is not None and not isinstance(end["_id"], ObjectId):
            kind = type(end["_id"]).__name__
            found.add(f"{name}: a document has an id that is none of ours, of type {kind}")
    return [Finding(words) for words in sorted(found)]


async def _ids(engine: AIOEngine, name: str) -> AsyncIterator[list[ObjectId]]:
    """All ids of a collection, a page at a time.

    Each page is asked for anew: a cursor would not outlive what is done between two pages.
    """
    bound = {"$gte": _LEAST_ID}
    while True:
        found = engine.database[name].find({"_id": bound}, {"_id": 1}, sort=[("_id", 1)])
        page = [each["_id"] for each in await found.limit(PAGE).to_list(None)]
        if not page:
            return
        yield page
        bound = {"$gt": page[-1]}
