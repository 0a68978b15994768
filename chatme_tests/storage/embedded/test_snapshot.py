"""A moment of a file, while it is written."""

from __future__ import annotations

from pathlib import Path

import bson
import pytest
from pymongo.errors import PyMongoError

from chatme.storage.embedded.client import EmbeddedClient
from chatme.storage.embedded.snapshot import Snapshot


def _numbers(snapshot: Snapshot) -> list[int]:
    return [bson.decode(each)["n"] for page in snapshot.pages("db", "things") for each in page]


async def test_a_snapshot_stands_still(client: EmbeddedClient, path: Path) -> None:
    """What is written, changed and deleted after the opening is not seen, however late it is."""
    things = client["db"]["things"]
    await things.insert_many([{"n": at} for at in range(500)])
    with Snapshot(path) as snapshot:
        await things.delete_many({"n": {"$lt": 100}})
        await things.update_many({}, {"$set": {"n": -1}})
        await things.insert_one({"n": 500})
        await client["db"]["others"].insert_one({"n": 1})

        assert _numbers(snapshot) == list(range(500))
        assert snapshot.count("db", "things") == 500
        assert snapshot.names("db") == ["things"]
    with Snapshot(path) as snapshot:
        assert _numbers(snapshot) == [-1] * 400 + [500]


async def test_a_snapshot_writes_nothing(client: EmbeddedClient, path: Path) -> None:
    """The owner of the file goes on beside it, and a collection that is not there is empty."""
    with Snapshot(path) as snapshot:
        assert _numbers(snapshot) == []
        assert snapshot.count("db", "things") == 0
        await client["db"]["things"].insert_one({"n": 1})

    assert await client["db"]["things"].count_documents({}) == 1


@pytest.mark.parametrize("content", [None, b"", b"no database at all " * 100])
def test_what_is_no_database_is_said_so(tmp_path: Path, content: bytes | None) -> None:
    """A missing, an empty and a foreign file are each an error in words, and are not made ours."""
    path = tmp_path / "chatme.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PyMongoError, match=r"chatme\.db"), Snapshot(path):
        raise AssertionError("opened nothing")

    assert (path.read_bytes() if path.exists() else None) == content
