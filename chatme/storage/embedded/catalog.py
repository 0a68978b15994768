"""The collections and indexes of one file: their tables, and the schema that one connection sees.

Each collection has a table `d<id>` (rid, doc) and for each index a table `i<id>` (k, rid), where
k is the document's key, followed in an index that is not unique by the rid. A view `v<id>` with a
trigger takes a document and its keys in one statement: one step of SQLite, and one handing over
of the interpreter's lock, for a whole insert.

Row numbers (rids) cluster: where a collection has a compound unique index, documents that share its
first field (the messages of one conversation, its members) lie side by side in the table, in the
order in which they came. So a page of them costs as much among a million as among a thousand: a
few pages of the file rather than one for each document. Without such an index rids just ascend.

`PRAGMA user_version` counts changes of the schema. It is read within each transaction, so a
connection never plans with a schema other than that of the data it sees.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from zlib import crc32

import bson

from chatme.storage.embedded.indexes import ID_INDEX, IndexSpec, id_index, parse_index
from chatme.storage.embedded.paths import Document, Parts, field_keys
from chatme.storage.embedded.planner import Index

Namespace = tuple[str, str]

_CLUSTERS = 0x7FFFFFFF
_CLUSTER_ROOM = 0xFFFFFFFF
_KNOWN_RIDS = 20_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS collections(
    id INTEGER PRIMARY KEY, db TEXT NOT NULL, name TEXT NOT NULL, UNIQUE(db, name));
CREATE TABLE IF NOT EXISTS indexes(
    id INTEGER PRIMARY KEY, collection INTEGER NOT NULL, spec BLOB NOT NULL,
    arrays INTEGER NOT NULL DEFAULT 0);
"""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection's tables and indexes; the first index is always that of `_id`."""

    id: int
    namespace: Namespace
    indexes: tuple[Index, ...]

    @property
    def clustered_by(self) -> Parts | None:
        """The path whose value documents lie together by, if any."""
        for index in self.indexes[1:]:
            spec = index.spec
            if spec.unique and len(spec.fields) > 1 and not spec.sparse and spec.partial is None:
                return spec.fields[0].parts
        return None

    @property
    def full_name(self) -> str:
        """`database.collection`."""
        return ".".join(self.namespace)


class Catalog:
    """The schema as one connection sees it. Lives as long as its connection.

    Args:
        connection: in autocommit mode; the catalog never begins or ends a transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version = -1
        self._collections: dict[Namespace, Collection] = {}
        self._next_rid: dict[tuple[int, int], int] = {}

    def create_schema(self) -> None:
        """Make the catalog's own tables in an empty file."""
        self._connection.executescript(_SCHEMA)

    def refresh(self) -> None:
        """Read the schema again if it changed; to be called first in every transaction."""
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version != self._version:
            self.reload()
            self._version = version

    def reload(self) -> None:
        """Read the schema, and forget what the connection counted by itself."""
        indexes: dict[int, list[Index]] = {}
        rows = self._connection.execute(
            "SELECT id, collection, spec, arrays FROM indexes ORDER BY id"
        )
        for index_id, collection, spec, arrays in rows.fetchall():
            parsed = parse_index(bson.decode(spec))
            indexes.setdefault(collection, []).append(Index(index_id, parsed, arrays))
        rows = self._connection.execute("SELECT id, db, name FROM collections")
        self._collections = {
            (db, name): Collection(number, (db, name), tuple(indexes[number]))
            for number, db, name in rows.fetchall()
        }
        self._next_rid = {}
        self._version = -1

    def get(self, namespace: Namespace) -> Collection | None:
        """The collection, or None where nothing was ever written to it."""
        return self._collections.get(namespace)

    def collections(self) -> list[Collection]:
        """All collections."""
        return list(self._collections.values())

    def names(self, db: str) -> list[str]:
        """The collections of a database, sorted."""
        return sorted(name for owner, name in self._collections if owner == db)

    def databases(self) -> list[str]:
        """The databases that hold a collection, sorted."""
        return sorted({db for db, _ in self._collections})

    def take_rid(self, collection: Collection, document: Document) -> int:
        """A row number that no document of the collection has. For the writer only."""
        path = collection.clustered_by
        # Two values may share a cluster: only their neighbourhood is lost.
        cluster = 0 if path is None else crc32(field_keys(document, path)[0][0]) & _CLUSTERS
        following = self._next_rid.get((collection.id, cluster))
        if following is None:
            span = (cluster << 32, (cluster << 32) + _CLUSTER_ROOM)
            statement = f"SELECT max(rid) FROM d{collection.id} WHERE rid BETWEEN ? AND ?"  # noqa: S608
            row = self._connection.execute(statement, span).fetchone()
            following = (row[0] or span[0]) + 1
            if len(self._next_rid) >= _KNOWN_RIDS:
                self._next_rid = {}
        self._next_rid[collection.id, cluster] = following + 1
        return following

    def ensure(self, namespace: Namespace) -> Collection:
        """The collection, made if it is not there. For the writer only."""
        found = self._collections.get(namespace)
        if found is not None:
            return found
        row = self._connection.execute("INSERT INTO collections(db, name) VALUES (?, ?)", namespace)
        number = row.lastrowid or 0
        self._connection.execute(f"CREATE TABLE d{number}(rid INTEGER PRIMARY KEY, doc BLOB)")
        made = Collection(number, namespace, ())
        self._collections[namespace] = made
        return self.add_index(made, id_index())

    def add_index(self, collection: Collection, spec: IndexSpec) -> Collection:
        """Make an empty index. For the writer only."""
        row = self._connection.execute(
            "INSERT INTO indexes(collection, spec) VALUES (?, ?)",
            (collection.id, bson.encode(spec.to_document())),
        )
        number = row.lastrowid or 0
        self._connection.execute(
            f"CREATE TABLE i{number}(k BLOB PRIMARY KEY, rid INTEGER NOT NULL) WITHOUT ROWID"
        )
        return self._store(replace(collection, indexes=(*collection.indexes, Index(number, spec))))

    def drop_index(self, collection: Collection, index: Index) -> Collection:
        """Drop an index and its keys. For the writer only."""
        left = tuple(each for each in collection.indexes if each.id != index.id)
        changed = self._store(replace(collection, indexes=left))
        self._connection.execute("DELETE FROM indexes WHERE id = ?", (index.id,))
        self._connection.execute(f"DROP TABLE i{index.id}")
        return changed

    def drop(self, collection: Collection) -> None:
        """Drop a collection with everything in it. For the writer only."""
        self._connection.execute(f"DROP VIEW IF EXISTS v{collection.id}")
        for index in collection.indexes:
            self._connection.execute(f"DROP TABLE i{index.id}")
        self._connection.execute(f"DROP TABLE d{collection.id}")
        self._connection.execute("DELETE FROM indexes WHERE collection = ?", (collection.id,))
        self._connection.execute("DELETE FROM collections WHERE id = ?", (collection.id,))
        del self._collections[collection.namespace]
        self._changed()

    def note_arrays(self, collection: Collection, index: Index, arrays: int) -> Collection:
        """Remember that an index's fields held arrays. For the writer only."""
        self._connection.execute(
            "UPDATE indexes SET arrays = arrays | ? WHERE id = ?", (arrays, index.id)
        )
        indexes = tuple(
            replace(each, arrays=each.arrays | arrays) if each.id == index.id else each
            for each in collection.indexes
        )
        changed = replace(collection, indexes=indexes)
        self._collections[collection.namespace] = changed
        self._changed()
        return changed

    def _store(self, collection: Collection) -> Collection:
        self._collections[collection.namespace] = collection
        for statement in _entrance(collection):
            self._connection.execute(statement)
        self._changed()
        return collection

    def _changed(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0] + 1
        self._connection.execute(f"PRAGMA user_version = {version}")
        self._version = version


def _entrance(collection: Collection) -> list[str]:
    """The view and trigger that insert a document with one key for each index, null for none."""
    number = collection.id
    columns = "".join(f", NULL AS k{index.id}" for index in collection.indexes)
    steps = "".join(
        f" INSERT INTO i{index.id}(k, rid) SELECT NEW.k{index.id}, NEW.rid"
        f" WHERE NEW.k{index.id} IS NOT NULL;"
        for index in collection.indexes
    )
    return [
        f"DROP VIEW IF EXISTS v{number}",
        f"CREATE VIEW v{number} AS SELECT NULL AS rid, NULL AS doc{columns}",
        f"CREATE TRIGGER t{number} INSTEAD OF INSERT ON v{number} BEGIN"  # noqa: S608
        f" INSERT INTO d{number}(rid, doc) VALUES (NEW.rid, NEW.doc);{steps} END",
    ]


def by_name(collection: Collection, name: str) -> Index | None:
    """The index of that name."""
    return next((index for index in collection.indexes if index.spec.name == name), None)


def is_id_index(index: Index) -> bool:
    """Whether it is the index that cannot be dropped."""
    return index.spec.name == ID_INDEX
