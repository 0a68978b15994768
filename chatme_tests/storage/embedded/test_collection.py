"""The collection, where the conformance suite does not look."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chatme.storage.embedded.client import EmbeddedClient
from chatme.storage.embedded.collection import EmbeddedCollection
from chatme.storage.embedded.errors import UnsupportedError


async def test_explain(things: EmbeddedCollection) -> None:
    """A query tells which index serves it."""
    await things.create_index([("conversation", 1), ("seq", 1)], unique=True)
    page = {"conversation": 1, "seq": {"$lt": 50}}

    assert (await things.explain(page, [("seq", -1)])) == {
        "index": "conversation_1_seq_1",
        "covered": True,
        "sorted": True,
    }
    assert await things.explain({"a": 1}) == {"index": None, "covered": False, "sorted": True}
    both = {"$or": [{"_id": 1}, {"conversation": 2}]}
    assert (await things.explain(both))["index"] == "_id_+conversation_1_seq_1"


async def test_options_out_of_scope(things: EmbeddedCollection) -> None:
    """An option out of scope is refused by name before anything is done."""
    calls: list[Any] = [
        lambda: things.find_one({}, collation={"locale": "de"}),
        lambda: things.update_one({}, {"$set": {"a": 1}}, array_filters=[{"x": 1}]),
        lambda: things.insert_one({}, bypass_document_validation=True),
        lambda: things.create_index("a", collation={"locale": "de"}),
    ]
    for call in calls:
        with pytest.raises(UnsupportedError):
            await call()
    assert await things.count_documents({}) == 0


async def test_many_inserts_share_few_commits(
    client: EmbeddedClient, things: EmbeddedCollection
) -> None:
    """A thousand inserts at once take a handful of commits."""
    before = client.commits
    await asyncio.gather(*(things.insert_one({"_id": n}) for n in range(1000)))

    assert await things.count_documents({}) == 1000
    assert client.commits - before <= 50


async def test_a_write_is_seen_by_the_next_read(things: EmbeddedCollection) -> None:
    """Whoever waits for a write reads it."""

    async def write_and_read(number: int) -> Any:
        await things.insert_one({"_id": number})
        return await things.find_one({"_id": number})

    found = await asyncio.gather(*(write_and_read(n) for n in range(200)))

    assert [{"_id": n} for n in range(200)] == found


async def test_names(things: EmbeddedCollection) -> None:
    """A collection knows its names."""
    assert (things.name, things.full_name) == ("things", "chatme.things")
