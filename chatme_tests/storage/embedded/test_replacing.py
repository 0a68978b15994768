"""One database file in the place of another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chatme.storage.embedded.client import EmbeddedClient
from chatme.storage.embedded.errors import DatabaseInUseError
from chatme.storage.embedded.replacing import holds_documents, install, locked, sync_folder


async def _make(path: Path, *words: str) -> None:
    async with await EmbeddedClient.open(path, sweep_seconds=None) as client:
        await client["db"]["things"].insert_many([{"word": each} for each in words])


async def _words(path: Path) -> list[str]:
    async with await EmbeddedClient.open(path, sweep_seconds=None) as client:
        return [each["word"] async for each in client["db"]["things"].find()]


async def _crash(path: Path) -> None:
    """Leaves the file as a killed server does: with its last words in the log alone."""
    crashed = path.with_name("crashed")
    crashed.mkdir()
    async with await EmbeddedClient.open(path, sweep_seconds=None) as client:
        await client["db"]["things"].insert_one({"word": "in the log"})
        for each in path.parent.glob(f"{path.name}*"):
            shutil.copy(each, crashed)
    for each in crashed.iterdir():
        shutil.copy(each, path.parent)


async def test_a_log_that_is_left_does_not_come_along(tmp_path: Path) -> None:
    """A file takes the place of one whose server was killed, and holds its own words alone."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    await _make(old, "old")
    await _make(new, "new")
    await _crash(old)
    assert (tmp_path / "old.db-wal").stat().st_size
    install(new, old)

    assert await _words(old) == ["new"]
    assert not new.exists()


async def test_its_own_log_comes_along(tmp_path: Path) -> None:
    """What stands in the log of the new file alone is in it afterwards."""
    new, place = tmp_path / "new.db", tmp_path / "chatme.db"
    await _make(new, "new")
    await _crash(new)
    install(new, place)

    assert await _words(place) == ["new", "in the log"]


async def test_rubbish_is_replaced(tmp_path: Path) -> None:
    """What is no database, with a log or without, makes room as well; so does nothing."""
    place = tmp_path / "chatme.db"
    for rubbish in (b"", b"rubbish " * 200):
        place.write_bytes(rubbish)
        place.with_name("chatme.db-wal").write_bytes(b"more rubbish")
        await _make(tmp_path / "new.db", "new")
        install(tmp_path / "new.db", place)
        assert await _words(place) == ["new"]
    await _make(tmp_path / "new.db", "newer")
    install(tmp_path / "new.db", tmp_path / "nothing.db")

    assert await _words(tmp_path / "nothing.db") == ["newer"]


async def test_a_file_with_documents_is_told_from_one_without(tmp_path: Path) -> None:
    """No file, an empty database, one with a word in it, and what cannot be read."""
    path, rubbish = tmp_path / "chatme.db", tmp_path / "rubbish.db"
    rubbish.write_bytes(b"rubbish " * 200)
    before = holds_documents(path, "db")
    async with await EmbeddedClient.open(path, sweep_seconds=None) as client:
        empty = holds_documents(path, "db")
        await client["db"]["things"].insert_one({})
        full = holds_documents(path, "db")

    assert (before, empty, full, holds_documents(rubbish, "db")) == (False, False, True, True)


async def test_a_locked_file_is_opened_by_nobody(tmp_path: Path) -> None:
    """During the block every opening is refused, and a second block as well."""
    path = tmp_path / "chatme.db"
    with locked(path):
        with pytest.raises(DatabaseInUseError):
            await EmbeddedClient.open(path)
        with pytest.raises(DatabaseInUseError), locked(path):
            raise AssertionError("locked twice")
    await _make(path, "after")

    assert await _words(path) == ["after"]


def test_a_folder_is_synced(tmp_path: Path) -> None:
    """A folder that is there can be waited for, and one that is not is an error."""
    sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "nothing")
