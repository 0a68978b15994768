"""The check of the settings' database."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatme.clock import SystemClock
from chatme.storage.engine import DatabaseError, open_engine
from chatme.upkeep.check.findings import Finding
from chatme.upkeep.checking import check
from chatme.upkeep.progress import Progress
from chatme_tests.fakes import settings_of
from chatme_tests.upkeep.house import furnish


def _say(_: Finding, __: bool) -> None:
    """Nobody listens."""


async def test_a_repair_finishes_erasures(tmp_path: Path) -> None:
    """An erasure counts as mended once it is at its end, and only where that is wanted."""
    house = await furnish(tmp_path)
    async with open_engine(house.settings) as engine:
        begun = {"_id": house.cyd, "begun_at": SystemClock().now()}
        await engine.database["erasures"].insert_one(begun)
    seen = await check(house.settings, Progress(), _say)
    mended = await check(house.settings, Progress(), _say, repair=True)
    after = await check(house.settings, Progress(), _say)

    assert [(each.found, each.mended) for each in (seen, mended, after)] == [(1, 0), (1, 1), (0, 0)]


async def test_slow_queries_are_told_where_wanted(tmp_path: Path) -> None:
    """A query that no index serves is a fault of its own, for who asks for it."""
    house = await furnish(tmp_path)
    async with open_engine(house.settings) as engine:
        await engine.database["blocks"].drop_index("blocked")
    words: list[str] = []
    plain = await check(house.settings, Progress(), _say)
    await check(house.settings, Progress(), lambda each, _: words.append(each.words), explain=True)

    assert plain.found == 1
    assert words == [
        "blocks: the index blocked is missing",
        "blocks: who blocks one looks at every document",
    ]


async def test_a_database_in_use_is_refused(tmp_path: Path) -> None:
    """While a server has the file it is not checked, and no file is made where there is none."""
    house = await furnish(tmp_path / "house")
    async with open_engine(house.settings):
        with pytest.raises(DatabaseError, match="in use"):
            await check(house.settings, Progress(), _say)
    with pytest.raises(FileNotFoundError):
        await check(settings_of(tmp_path / "no", mongodb_uri=None), Progress(), _say)

    assert not (tmp_path / "no" / "chatme.db").exists()
