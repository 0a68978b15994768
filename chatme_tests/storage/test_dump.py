"""All documents of a database, from both kinds of it."""

from __future__ import annotations

from pathlib import Path

import bson

from chatme.storage.dump import PAGE, Dump, LiveDump, Order, open_dump
from chatme.storage.engine import open_engine
from chatme_tests.fakes import settings_of

COUNT = 2 * PAGE + 1


async def _numbers(dump: Dump, **more: Order) -> list[int]:
    pages = [page async for page in dump.pages("things", **more)]
    assert all(0 < len(page) <= PAGE for page in pages)
    return [bson.decode(each)["n"] for page in pages for each in page]


async def test_an_embedded_file_is_read_beside_its_server(tmp_path: Path) -> None:
    """The dump of a file that is open elsewhere is one moment of it."""
    settings = settings_of(tmp_path, mongodb_uri=None)
    async with open_engine(settings) as engine:
        things = engine.database["things"]
        await things.insert_many([{"n": at} for at in range(COUNT)])
        async with open_dump(settings) as dump:
            await things.delete_many({})
            assert dump.is_one_moment
            assert await dump.count("things") == COUNT
            assert await _numbers(dump) == list(range(COUNT))
            assert await _numbers(dump, order=(("n", -1),)) == list(range(COUNT))


async def test_a_log_that_grows_meanwhile_has_no_hole(tmp_path: Path) -> None:
    """Read by its numbers while others are added, a log is a beginning of what it became."""
    async with open_engine(settings_of(tmp_path)) as engine:
        things = engine.database["things"]
        await things.create_index([("n", 1)])
        await things.insert_many([{"n": at} for at in range(COUNT)])
        following, found = COUNT, []
        async for page in LiveDump(engine).pages("things", (("n", 1),)):
            found += [bson.decode(each)["n"] for each in page]
            if following < 2 * COUNT:
                await things.insert_many([{"n": following + at} for at in range(100)])
                following += 100

    assert len(found) >= COUNT
    assert found == list(range(len(found)))


async def test_an_open_database_is_read_in_order(tmp_path: Path) -> None:
    """A live dump gives every document once, in the order asked for, byte for byte."""
    async with open_engine(settings_of(tmp_path)) as engine:
        things, dump = engine.database["things"], LiveDump(engine)
        document = {"_id": 1, "n": 0, "long": bson.Int64(1), "none": None, "list": [{"a": 1.5}]}
        await things.insert_one(document)
        await things.insert_many([{"_id": COUNT + 1 - at, "n": at} for at in range(1, COUNT)])
        (first, *_), *_ = [page async for page in dump.pages("things")]

        assert not dump.is_one_moment
        assert await dump.count("things") == COUNT
        assert first == bson.encode(document)
        assert await _numbers(dump) == [0, *reversed(range(1, COUNT))]
        assert await _numbers(dump, order=(("n", 1),)) == list(range(COUNT))
        assert [page async for page in dump.pages("nothing")] == []
