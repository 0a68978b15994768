"""A database that is broken on purpose, and looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bson import ObjectId

from chatme.settings import Settings
from chatme.storage.engine import open_engine
from chatme.upkeep.checking import check
from chatme.upkeep.progress import Progress
from chatme_tests.upkeep.house import House


class Found(NamedTuple):
    """A fault, and whether it was mended."""

    words: str
    mended: bool


class Stage:
    """A house in a database of some kind."""

    def __init__(self, house: House, settings: Settings) -> None:
        self.house = house
        self.settings = settings

    async def change(
        self, collection: str, where: Mapping[str, Any], fields: Mapping[str, Any]
    ) -> ObjectId:
        """Sets fields of one document; its id."""
        async with open_engine(self.settings) as engine:
            found: Any = await engine.database[collection].find_one(where)
            change = {"$set": fields}
            await engine.database[collection].update_one({"_id": found["_id"]}, change)
        return ObjectId(found["_id"])

    async def insert(self, collection: str, document: dict[str, Any]) -> ObjectId:
        """Puts a document in; its id."""
        async with open_engine(self.settings) as engine:
            done = await engine.database[collection].insert_one(document)
        return ObjectId(done.inserted_id)

    async def remove(self, collection: str, where: Mapping[str, Any]) -> ObjectId:
        """Takes a document out; its id."""
        async with open_engine(self.settings) as engine:
            found: Any = await engine.database[collection].find_one(where)
            await engine.database[collection].delete_one({"_id": found["_id"]})
        return ObjectId(found["_id"])

    async def get(self, collection: str, where: Mapping[str, Any]) -> Any:
        """One document, if it is there."""
        async with open_engine(self.settings) as engine:
            return await engine.database[collection].find_one(where)

    async def look(self, *, repair: bool = False) -> list[Found]:
        """What is wrong with it."""
        found: list[Found] = []
        await check(
            self.settings,
            Progress(),
            lambda each, mended: found.append(Found(each.words, mended)),
            repair=repair,
            pause=0.001,
        )
        return found

    async def mended(self) -> list[str]:
        """What was wrong, all of which can be mended, and is not wrong any more."""
        seen = await self.look()
        assert [each.words for each in await self.look(repair=True)] == [
            each.words for each in seen
        ]
        assert await self.look() == []
        return [each.words for each in seen]

    async def kept(self) -> list[str]:
        """What is wrong, none of which is anybody's to mend: a repair leaves it."""
        seen = await self.look(repair=True)
        assert not any(each.mended for each in seen)
        assert await self.look() == seen
        return [each.words for each in seen]
