"""TTL indexes, by a clock that stands still."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

from chatme.storage.embedded.client import EmbeddedClient

NOON = datetime.datetime(2026, 1, 1, 12)


def ago(seconds: float) -> datetime.datetime:
    """So long before noon."""
    return NOON - datetime.timedelta(seconds=seconds)


async def test_the_expired_goes(path: Path) -> None:
    """Documents older than the index says go, others and those without a date stay."""
    async with await EmbeddedClient.open(path, clock=lambda: NOON, sweep_seconds=None) as client:
        things = client["chatme"]["things"]
        await things.create_index("at", expireAfterSeconds=60)
        await things.insert_many(
            [
                {"_id": 1, "at": ago(61)},
                {"_id": 2, "at": ago(60)},
                {"_id": 3, "at": ago(59)},
                {"_id": 4, "at": "long ago"},
                {"_id": 5},
                {"_id": 6, "at": [ago(0), ago(99)]},
            ]
        )

        assert await client.sweep() == 3
        left = await things.find({}).sort("_id", 1).to_list(None)
        assert [each["_id"] for each in left] == [3, 4, 5]


async def test_only_what_the_index_holds(path: Path) -> None:
    """A partial TTL index deletes only documents that meet its filter."""
    async with await EmbeddedClient.open(path, clock=lambda: NOON, sweep_seconds=None) as client:
        things = client["chatme"]["things"]
        await things.create_index(
            "at", expireAfterSeconds=0, partialFilterExpression={"kind": "draft"}
        )
        await things.insert_many(
            [{"_id": 1, "at": ago(1), "kind": "draft"}, {"_id": 2, "at": ago(1)}]
        )

        assert await client.sweep() == 1
        assert await things.find_one({}, {"_id": 1}) == {"_id": 2}


async def test_it_sweeps_by_itself(path: Path) -> None:
    """An open client sweeps without being asked."""
    async with await EmbeddedClient.open(path, clock=lambda: NOON, sweep_seconds=0.001) as client:
        things = client["chatme"]["things"]
        await things.create_index("at", expireAfterSeconds=0)
        await things.insert_one({"at": ago(1)})

        async with asyncio.timeout(10):
            while await things.count_documents({}):
                pass
