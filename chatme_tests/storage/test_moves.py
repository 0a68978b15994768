"""The mark on a database that is not whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from bson import ObjectId
from odmantic import AIOEngine

from chatme.storage.engine import open_engine
from chatme.storage.moves import (
    UnfinishedMove,
    begin_move,
    end_move,
    move_of,
    put_in_place,
    refuse_unfinished,
)
from chatme_tests.databases import MONGODB_URI
from chatme_tests.fakes import settings_of


async def test_a_database_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    """From the beginning of a move to its end, however often each is said, nobody may serve."""
    async with open_engine(settings_of(tmp_path)) as engine:
        await refuse_unfinished(engine)
        await begin_move(engine, "restore of it")
        await begin_move(engine, "restore of it")
        with pytest.raises(UnfinishedMove, match="a restore of it was cut"):
            await refuse_unfinished(engine)
        assert await move_of(engine) == "restore of it"
        await end_move(engine)
        await end_move(engine)
        await refuse_unfinished(engine)

        assert await move_of(engine) is None


@pytest.mark.skipif(not MONGODB_URI, reason="CHATME_TEST_MONGODB_URI names no MongoDB")
async def test_a_draft_takes_its_place(tmp_path: Path) -> None:
    """A draft replaces what was there, indexes and all, and an empty one all the same."""
    settings = settings_of(tmp_path, mongodb_uri=MONGODB_URI)
    async with open_engine(settings) as opened:
        engine = AIOEngine(opened.client, f"chatme_test_{ObjectId()}")
        await engine.database["things"].insert_one({"n": 1})
        await engine.database["draft"].insert_one({"n": 2})
        await engine.database["draft"].create_index("n", name="n")
        await put_in_place(engine, "draft", "things")
        await engine.database["others"].insert_one({"n": 1})
        await put_in_place(engine, "nothing", "others")
        left = await engine.database.list_collection_names()
        found = [each["n"] async for each in engine.database["things"].find()]
        indexes = await engine.database["things"].index_information()
        await engine.client.drop_database(engine.database.name)

    assert (found, left) == ([2], ["things"])
    assert "n" in indexes
