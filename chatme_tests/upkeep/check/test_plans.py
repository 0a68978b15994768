"""The queries of everyday and their indexes."""

from __future__ import annotations

from chatme.storage.engine import open_engine
from chatme.upkeep.check.plans import QUERIES, slow_queries
from chatme.upkeep.stock import models_by_collection
from chatme_tests.upkeep.check.stage import Stage


async def test_every_query_has_its_index(stage: Stage) -> None:
    """Nothing that happens every day looks at every document, as far as the server tells."""
    async with open_engine(stage.settings) as engine:
        assert await slow_queries(engine) in ([], None)


async def test_a_query_without_its_index_is_told(stage: Stage) -> None:
    """Without an index, whatever it served is named."""
    async with open_engine(stage.settings) as engine:
        await engine.database["blocks"].drop_index("blocked")
        await engine.database["messages"].drop_index("rev")
        found = await slow_queries(engine)

    words = [each.words for each in found or ()]
    assert found is None or words == [
        "blocks: who blocks one looks at every document",
        "messages: a conversation's last revision is put in order by hand",
        "messages: what one missed is put in order by hand",
    ]


def test_the_queries_are_of_our_collections() -> None:
    """Each query names a collection that there is."""
    assert {each.collection for each in QUERIES} <= set(models_by_collection())
