"""A connection and its transactions."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from chatme.storage.embedded.store import Store, create

NAMESPACE = ("chatme", "things")


def test_files_are_private(path: Path) -> None:
    """The database's files are for their owner alone, whatever the umask."""
    before = os.umask(0)
    try:
        create(path)
        store = Store(path)
        store.begin(write=True)
        store.catalog.ensure(NAMESPACE)
        store.commit()
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
        store.close()
    finally:
        os.umask(before)

    assert modes == {"chatme.db": 0o600, "chatme.db-wal": 0o600, "chatme.db-shm": 0o600}


def test_a_foreign_file(path: Path) -> None:
    """Another program's database is refused, not overwritten."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs(a)")
    connection.close()

    with pytest.raises(sqlite3.DatabaseError, match="not a ChatMe database"):
        create(path)


def test_no_database_at_all(path: Path) -> None:
    """A file that is no database is refused."""
    path.write_bytes(b"no database" * 1000)

    with pytest.raises(sqlite3.DatabaseError):
        create(path)


def test_atomic(store: Store) -> None:
    """What raises within leaves nothing behind, and the schema is as before."""

    def fails() -> None:
        with store.atomic():
            store.catalog.ensure(NAMESPACE)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()

    assert None is store.catalog.get(NAMESPACE)
    assert store.catalog.names("chatme") == []


def test_a_reader_writes_nothing(path: Path, store: Store) -> None:
    """A reader's connection refuses to write."""
    reader = Store(path, read_only=True)

    with pytest.raises(sqlite3.OperationalError):
        reader.connection.execute("DELETE FROM collections")
    reader.close()


def test_a_probe(path: Path, store: Store) -> None:
    """A store whose file is there can be probed, and says so where it was deleted or replaced."""
    store.probe()
    path.rename(path.with_suffix(".old"))
    with pytest.raises(sqlite3.OperationalError, match="deleted or replaced"):
        store.probe()
    create(path)

    with pytest.raises(sqlite3.OperationalError, match="deleted or replaced"):
        store.probe()
