"""A database moves into another one, of either kind, and is compared with it.

The target stands under a mark until all is there, so no server takes it for whole. A copy that was
cut is run again: first what is in the target and not, or not so, in the source is taken out, then
what is missing is put in. So whatever is left is exactly the source's, and no unique index is in
the way, however often it was cut and whatever was written to the source in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bson
from odmantic import AIOEngine

from chatme.settings import Settings
from chatme.storage.dump import LiveDump, is_empty
from chatme.storage.engine import EMBEDDED_FILE, describe, open_engine, prepare
from chatme.storage.migrations import MIGRATIONS, version
from chatme.storage.moves import begin_move, end_move, move_of, refuse_unfinished
from chatme.upkeep.progress import Progress
from chatme.upkeep.restore import TargetNotEmpty
from chatme.upkeep.stock import Tally, collections, tally_of
from chatme.wiring import MODELS


class CopyDiffers(Exception):
    """The target is not what was read of the source."""


async def copy(source: Settings, target: Settings, progress: Progress) -> int:
    """Copies all documents of one database into another; how many there are.

    Raises `FileNotFoundError` where there is no source, `TargetNotEmpty` where something else is in
    the target, `CopyDiffers`, and `DatabaseError`, also where a server has one of the files.
    """
    if source.mongodb_uri is None and not (source.data_dir / EMBEDDED_FILE).is_file():
        raise FileNotFoundError(f"there is no database in {source.data_dir}")
    if describe(source) == describe(target):
        raise TargetNotEmpty("source and target are one and the same")
    mark = f"copy from {describe(source)}"
    async with (
        open_engine(source, sweeping=False) as old,
        open_engine(target, sweeping=False) as new,
    ):
        await refuse_unfinished(old)
        if await move_of(new) != mark:
            if not await is_empty(new, collections()):
                raise TargetNotEmpty("there is something in the target")
            await begin_move(new, mark)
        # An embedded file is laid out by its indexes. For MongoDB they are made last: it is faster,
        # and before that nothing expires.
        # Of an older database a server makes them, once it has changed what they are made of.
        is_current = await version(old, MIGRATIONS) == len(MIGRATIONS)
        first = target.mongodb_uri is None
        if is_current and first:
            await prepare(new, MODELS)
        count = 0
        for name in collections():
            count += await _copy_collection(old, new, name, progress)
        if is_current and not first:
            await prepare(new, MODELS)
        await end_move(new)
    return count


async def _copy_collection(old: AIOEngine, new: AIOEngine, name: str, progress: Progress) -> int:
    begun = not await is_empty(new, [name])
    if begun:
        await _weed(old, new, name, progress)
    wanted = await _fill(old, new, name, progress, begun=begun)
    progress.begin(f"verify {name}", wanted.count)
    found = await tally_of(LiveDump(new), name, progress)
    if wanted.text != found.text:
        raise CopyDiffers(
            f"{name}: {wanted.count:,} were read and {found.count:,} are there, or not the same; "
            "does a server write to one of them?"
        )
    return found.count


async def _weed(old: AIOEngine, new: AIOEngine, name: str, progress: Progress) -> None:
    """Takes out of the target whatever is not exactly so in the source."""
    dump = LiveDump(new)
    progress.begin(f"compare {name}", await dump.count(name))
    async for page in dump.pages(name):
        there = {bson.decode(each)["_id"]: each for each in page}
        right = await _documents(old, name, list(there))
        wrong = [each for each, document in there.items() if right.get(each) != document]
        if wrong:
            await new.database[name].delete_many({"_id": {"$in": wrong}})
        progress.advance(len(page))


async def _fill(
    old: AIOEngine, new: AIOEngine, name: str, progress: Progress, *, begun: bool
) -> Tally:
    """Puts into the target what it lacks; the tally of all that is in the source."""
    dump, tally = LiveDump(old), Tally()
    progress.begin(f"copy {name}", await dump.count(name))
    async for page in dump.pages(name):
        for each in page:
            tally.add(each)
        documents = [bson.decode(each) for each in page]
        if begun:
            there = await _documents(new, name, [each["_id"] for each in documents])
            documents = [each for each in documents if each["_id"] not in there]
        if documents:
            await new.database[name].insert_many(documents)
        progress.advance(len(page))
    return tally


async def _documents(engine: AIOEngine, name: str, ids: Sequence[Any]) -> dict[Any, bytes]:
    """The documents of these ids, as bytes, by id."""
    found = engine.database[name].find({"_id": {"$in": list(ids)}})
    return {each["_id"]: bson.encode(each) async for each in found}
