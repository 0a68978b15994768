"""Opening, closing, and surviving."""

from __future__ import annotations

import asyncio
import gc
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import InvalidOperation

from chatme.storage.embedded.client import EmbeddedClient
from chatme.storage.embedded.errors import DatabaseInUseError, StorageFailureError, UnsupportedError


async def test_what_was_written_is_there_again(path: Path) -> None:
    """Documents and indexes outlive the client."""
    async with await EmbeddedClient.open(path) as client:
        things = client["chatme"]["things"]
        await things.create_index("a", unique=True)
        await things.insert_one({"_id": 1, "a": [1, 2]})
    async with await EmbeddedClient.open(path) as client:
        things = client["chatme"]["things"]
        assert await things.find_one({"a": 2}) == {"_id": 1, "a": [1, 2]}
        assert list(await things.index_information()) == ["_id_", "a_1"]


async def test_the_second_client_is_told(path: Path, client: EmbeddedClient) -> None:
    """A file that is open cannot be opened again."""
    with pytest.raises(DatabaseInUseError, match="in use"):
        await EmbeddedClient.open(path)


async def test_files_are_private(path: Path, client: EmbeddedClient) -> None:
    """Every file of the database is for its owner alone."""
    await client["chatme"]["things"].insert_one({})

    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert {"chatme.db", "chatme.db-wal", "chatme.db-shm", "chatme.db.lock"} == set(modes)
    assert {0o600} == set(modes.values())


async def test_closing_waits_for_writes(path: Path) -> None:
    """Writes that wait when the client is closed are done and answered."""
    client = await EmbeddedClient.open(path)
    things = client.get_database("chatme").get_collection("things")
    writes = [asyncio.ensure_future(things.insert_one({"_id": n})) for n in range(100)]
    await asyncio.sleep(0)
    await client.aclose()

    assert list(range(100)) == [each.inserted_id for each in await asyncio.gather(*writes)]
    with pytest.raises(InvalidOperation):
        await things.find_one({})
    await client.aclose()
    client.close()


async def test_closing_at_once(path: Path) -> None:
    """The plain close, like Motor's, needs no await and frees the file."""
    client = await EmbeddedClient.open(path)
    client.close()

    async with await EmbeddedClient.open(path):
        pass


async def test_left_open(path: Path) -> None:
    """A client that nobody closed says so."""
    client: Any = await EmbeddedClient.open(path, sweep_seconds=None)

    def forget() -> None:
        nonlocal client
        client = None
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed database"):
        forget()


async def test_a_full_disk(client: EmbeddedClient) -> None:
    """On a full disk writes fail in words, reads go on, and writes work again with space."""
    things = client["chatme"]["things"]
    await things.insert_one({"_id": 0})

    def room(pages: int) -> Any:
        return lambda store: store.connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    await client.writer.submit(room(20))
    large = [{"_id": n, "text": "x" * 50_000} for n in range(1, 11)]
    results = await asyncio.gather(*map(things.insert_one, large), return_exceptions=True)
    failed = [each for each in results if isinstance(each, StorageFailureError)]
    there = await things.count_documents({})
    await client.writer.submit(room(100_000))
    await things.insert_one({"_id": 99})

    assert failed
    assert there == 11 - len(failed)
    assert await things.count_documents({}) == there + 1


async def test_commands(client: EmbeddedClient) -> None:
    """A ping answers, other commands are refused by name."""
    assert await client.admin.command("ping") == {"ok": 1.0}
    assert await client["chatme"].command({"ping": 1}) == {"ok": 1.0}
    with pytest.raises(UnsupportedError, match="serverStatus"):
        await client["chatme"].command("serverStatus")


async def test_databases(client: EmbeddedClient) -> None:
    """Databases in one file do not see one another."""
    await client["one"]["things"].insert_one({"_id": 1})
    await client["two"]["things"].insert_one({"_id": 1})
    await client.drop_database("one")
    await client.drop_database(client["none"])

    assert await client.list_database_names() == ["two"]
    assert await client["one"]["things"].count_documents({}) == 0


def killed_after(path: Path, rows: int) -> list[str]:
    """What a process acknowledged before it was killed, soon after so many rows."""
    command = [sys.executable, "-m", "chatme_tests.storage.embedded.crashing", str(path)]
    acknowledged = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("\n"):
                acknowledged.append(line.strip())
            if len(acknowledged) == rows:
                process.kill()
    return acknowledged


async def check(path: Path, acknowledged: list[str]) -> None:
    """Every acknowledged row is there, changed as told, and every index agrees."""
    async with await EmbeddedClient.open(path) as client:
        rows = client["chatme"]["rows"]
        everything = {each["_id"]: each async for each in rows.find({})}
        for name in acknowledged:
            number = int(name.split(":")[1])
            assert -number - 1 == everything[name]["n"]
        total = len(everything)
        assert total == await rows.count_documents({"writer": {"$gte": 0}})
        assert total == await rows.count_documents({"_id": {"$gte": ""}})
        assert (await rows.delete_many({"n": 10**9})).deleted_count == 0
        for each in list(everything.values())[::50]:
            by_key = {"writer": each["writer"], "n": each["n"]}
            assert each == await rows.find_one(by_key)
            assert each == await rows.find_one({"tags": {"$all": each["tags"]}})


@pytest.mark.parametrize("rows", [1, 300, 1500])
async def test_a_killed_process_loses_nothing(path: Path, rows: int) -> None:
    """After SIGKILL every acknowledged write is there and the indexes fit the documents."""
    acknowledged = await asyncio.to_thread(killed_after, path, rows)

    assert rows <= len(acknowledged)
    await check(path, acknowledged)
