"""One database file takes another one's place; no client may have either open."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pymongo.errors import PyMongoError

from chatme.storage.embedded.lock import FileLock
from chatme.storage.embedded.snapshot import Snapshot


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody opens the file during the block; raises `DatabaseInUseError`."""
    lock = FileLock(path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def holds_documents(path: Path, database: str) -> bool:
    """Whether something would be lost with the file; of what cannot be read that is assumed."""
    if not path.exists():
        return False
    try:
        with Snapshot(path) as snapshot:
            return any(snapshot.count(database, name) for name in snapshot.names(database))
    except PyMongoError:
        return True


def install(source: Path, target: Path) -> None:
    """Puts a closed file in the place of another, or of none, by one renaming."""
    # Two connections that close at once may each leave the emptying of the log to the other.
    _empty_log(source)
    if target.exists():
        with suppress(sqlite3.DatabaseError):  # whatever it is, it goes
            _empty_log(target)
    # A log that is left would be read into the new file.
    for ending in ("-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)
    source.replace(target)
    sync_folder(target.parent)


def _empty_log(path: Path) -> None:
    """What stands in the log goes into the file."""
    with closing(sqlite3.connect(path)) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise PyMongoError(f"{path} is in use")


def sync_folder(folder: Path) -> None:
    """Returns when what was renamed in a folder is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
