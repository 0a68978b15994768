"""One connection to the file: how it is opened, its catalog, and its transactions.

Lives in one thread, from that thread's beginning to its end.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatme.storage.embedded.catalog import Catalog

# "ChMe": tells our files from other SQLite files.
_APPLICATION_ID = 0x43684D65
_BLOB_LIMIT = 64 * 1024 * 1024
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA journal_size_limit = 33554432",
    "PRAGMA wal_autocheckpoint = 8000",
    "PRAGMA trusted_schema = OFF",
    # What was deleted is overwritten where that costs no write of its own.
    "PRAGMA secure_delete = FAST",
)


class Store:
    """A connection with its view of the schema.

    Args:
        path: the database file; made by `create` beforehand.
        read_only: a reader's connection refuses every write.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.connection = sqlite3.connect(
            path, isolation_level=None, cached_statements=512, check_same_thread=False
        )
        self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _BLOB_LIMIT)
        for pragma in _PRAGMAS:
            self.connection.execute(pragma)
        if read_only:
            self.connection.execute("PRAGMA query_only = ON")
        self.catalog = Catalog(self.connection)
        self._path = path
        self._file = _identity(path)

    def probe(self) -> None:
        """Look whether the file is there and can be read.

        Raises:
            sqlite3.OperationalError: somebody deleted or replaced it; what is written from then on
                is lost with the process.
        """
        self.connection.execute("SELECT count(*) FROM collections").fetchone()
        if self._file is None or _identity(self._path) != self._file:
            raise sqlite3.OperationalError(f"{self._path} was deleted or replaced")

    def begin(self, *, write: bool = False) -> None:
        """Begin a transaction on the schema as it is now."""
        self.connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        self.catalog.refresh()

    def commit(self) -> None:
        """End the transaction; for a writer, only when all of it is on the disk."""
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction, if SQLite has not done so by itself."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self.catalog.reload()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Everything within happens, or nothing of it."""
        self.connection.execute("SAVEPOINT part")
        done = False
        try:
            yield
            done = True
        finally:
            # After a full disk SQLite may have rolled back the whole transaction by itself.
            if self.connection.in_transaction:
                if not done:
                    self.connection.execute("ROLLBACK TO part")
                self.connection.execute("RELEASE part")
                if not done:
                    self.catalog.reload()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands under the name; None where none can be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def create(path: Path) -> None:
    """Make the file, for its owner alone, with an empty catalog; an existing one is kept.

    Raises:
        sqlite3.DatabaseError: the file is not a ChMe database.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # SQLite gives the -wal and -shm files the mode of the database file.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        kind = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if kind != _APPLICATION_ID and tables:
            raise sqlite3.DatabaseError(f"{path} is not a ChatMe database")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        Catalog(connection).create_schema()
    finally:
        connection.close()
