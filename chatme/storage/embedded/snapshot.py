"""A database file as it stands at one moment, while its server goes on writing.

SQLite's write-ahead log gives every reader the moment at which its transaction began. So a second
process may read along without the file's lock, which is the writer's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from pymongo.errors import PyMongoError

from chatme.storage.embedded.rows import read_all, unpack
from chatme.storage.embedded.store import Store

_PAGE = 200


class Snapshot:
    """One moment of a file, from the opening to the end of the `with`; writes nothing.

    As long as it is open the file's log cannot be emptied and grows with what is written.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise PyMongoError(f"there is no database {path}")
        self.path = path
        try:
            self._store = Store(path, read_only=True)
        except sqlite3.Error as error:
            raise _failure(path, error) from error
        try:
            # Reads the schema, and with that read the moment is chosen.
            self._store.begin()
        except sqlite3.Error as error:
            self._store.close()
            raise _failure(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._store.close()

    def names(self, database: str) -> list[str]:
        """The collections of a database, sorted."""
        return self._store.catalog.names(database)

    def count(self, database: str, name: str) -> int:
        """How many documents a collection has."""
        collection = self._store.catalog.get((database, name))
        if collection is None:
            return 0
        statement = f"SELECT count(*) FROM d{collection.id}"  # noqa: S608
        try:
            return int(self._store.connection.execute(statement).fetchone()[0])
        except sqlite3.Error as error:
            raise _failure(self.path, error) from error

    def pages(self, database: str, name: str) -> Iterator[list[bytes]]:
        """The documents of a collection as BSON, some at a time, in the order of the file."""
        collection = self._store.catalog.get((database, name))
        after = -1
        while collection is not None:
            try:
                page = read_all(
                    self._store.connection,
                    collection.id,
                    after=after,
                    window=(_PAGE, 0),
                    rids=False,
                )
            except sqlite3.Error as error:
                raise _failure(self.path, error) from error
            if not page.size:
                return
            assert isinstance(page.last, int)  # noqa: S101 -- for the type checker
            after = page.last
            yield unpack(page.packed)


def _failure(path: Path, error: sqlite3.Error) -> PyMongoError:
    return PyMongoError(f"{path} cannot be read: {error}")
