"""Inserts, updates and deletes of documents, with their index keys, on the writer's connection.

Every function here either does the whole of one document or raises and leaves nothing of it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bson
from bson import ObjectId, Regex

from chatme.storage.embedded import rows
from chatme.storage.embedded.catalog import Collection, Namespace
from chatme.storage.embedded.errors import (
    DUPLICATE_KEY,
    IMMUTABLE_FIELD,
    INVALID_ID,
    TOO_LARGE_AFTER_UPDATE,
    Refusal,
)
from chatme.storage.embedded.indexes import IndexSpec, document_keys
from chatme.storage.embedded.keys import encode
from chatme.storage.embedded.paths import Document
from chatme.storage.embedded.planner import Index
from chatme.storage.embedded.store import Store

MAX_DOCUMENT = 16 * 1024 * 1024
Keys = list[list[bytes]]

_UNIQUE_FAILED = re.compile(r"UNIQUE constraint failed: i(\d+)\.k")


def insert(store: Store, namespace: Namespace, raw: bytes) -> None:
    """Insert one document, as BSON with its `_id` first.

    Raises:
        Refusal: a duplicate key, an `_id` that cannot be one, arrays that cannot be indexed.
    """
    collection = store.catalog.ensure(namespace)
    document = bson.decode(raw)
    check_id(document["_id"])
    collection, keys = _keys(store, collection, document)
    rid = store.catalog.take_rid(collection, document)
    suffix = rid.to_bytes(8, "big")
    row: list[Any] = [rid, raw]
    more: list[tuple[Index, list[bytes]]] = []
    for index, found in zip(collection.indexes, keys, strict=True):
        tail = b"" if index.spec.unique else suffix
        row.append(found[0] + tail if found else None)
        if len(found) > 1:
            more.append((index, [key + tail for key in found[1:]]))
    statement = f"INSERT INTO v{collection.id} VALUES ({','.join('?' * len(row))})"  # noqa: S608
    with _duplicates(store, collection, document, rid):
        if not more:
            store.connection.execute(statement, row)
            return
        with store.atomic():
            store.connection.execute(statement, row)
            for index, rest in more:
                _add_keys(store, index, rest, rid)


def replace(store: Store, collection: Collection, rid: int, old: bytes, new: Document) -> bytes:
    """Put a changed document in the place of the old one; the new one's BSON.

    Raises:
        Refusal: as for `insert`; the `_id` changed; the document grew past 16 MB.
    """
    raw = bson.encode(new)
    if raw == old:
        return raw
    if len(raw) > MAX_DOCUMENT:
        raise Refusal(
            TOO_LARGE_AFTER_UPDATE,
            f"Resulting document after update is larger than {MAX_DOCUMENT}",
        )
    before = bson.decode(old)
    after = bson.decode(raw)
    if "_id" not in after or encode(before["_id"]) != encode(after["_id"]):
        raise Refusal(
            IMMUTABLE_FIELD,
            "Performing an update on the path '_id' would modify the immutable field '_id'",
        )
    collection, keys = _keys(store, collection, after)
    suffix = rid.to_bytes(8, "big")
    with _duplicates(store, collection, after, rid), store.atomic():
        store.connection.execute(
            f"UPDATE d{collection.id} SET doc = ? WHERE rid = ?",  # noqa: S608
            (raw, rid),
        )
        for index, wanted in zip(collection.indexes, keys, strict=True):
            present, _ = document_keys(index.spec, before)
            if present == wanted:
                continue
            tail = b"" if index.spec.unique else suffix
            _remove_keys(store, index, [key + tail for key in set(present) - set(wanted)])
            _add_keys(store, index, [key + tail for key in set(wanted) - set(present)], rid)
    return raw


def delete(store: Store, collection: Collection, rid: int, document: Document) -> None:
    """Delete one document and its keys."""
    suffix = rid.to_bytes(8, "big")
    with store.atomic():
        store.connection.execute(f"DELETE FROM d{collection.id} WHERE rid = ?", (rid,))  # noqa: S608
        for index in collection.indexes:
            keys, _ = document_keys(index.spec, document)
            tail = b"" if index.spec.unique else suffix
            _remove_keys(store, index, [key + tail for key in keys])


def build_index(store: Store, collection: Collection, spec: IndexSpec) -> None:
    """Make an index of the documents that are there. The caller undoes it on an error.

    Raises:
        Refusal: two documents have one key in a unique index, or arrays cannot be indexed.
    """
    collection = store.catalog.add_index(collection, spec)
    index = collection.indexes[-1]
    arrays = after = 0
    while True:
        page = rows.read_all(
            store.connection, collection.id, after=after, window=(1000, 0), rids=True
        )
        if not page.size:
            break
        after = int(page.last or 0)
        for rid, document in zip(page.rids, bson.decode_all(page.packed), strict=True):
            keys, found = document_keys(spec, document)
            arrays |= found
            tail = b"" if spec.unique else rid.to_bytes(8, "big")
            with _duplicates(store, collection, document, rid):
                _add_keys(store, index, [key + tail for key in keys], rid)
    if arrays:
        store.catalog.note_arrays(collection, index, arrays)


def check_id(value: Any) -> None:
    """Refuse what MongoDB does not take as an `_id`."""
    if isinstance(value, (list, Regex)):
        kind = "array" if isinstance(value, list) else "regex"
        raise Refusal(INVALID_ID, f"The '_id' value cannot be of type {kind}")


def new_id() -> ObjectId:
    """The `_id` of a document that came without one."""
    return ObjectId()


def _keys(store: Store, collection: Collection, document: Document) -> tuple[Collection, Keys]:
    """The document's keys in every index; remembers where arrays came for the first time."""
    keys = []
    for index in collection.indexes:
        found, arrays = document_keys(index.spec, document)
        if arrays & ~index.arrays:
            collection = store.catalog.note_arrays(collection, index, arrays)
        keys.append(found)
    return collection, keys


def _add_keys(store: Store, index: Index, keys: list[bytes], rid: int) -> None:
    statement = f"INSERT INTO i{index.id}(k, rid) VALUES (?, ?)"  # noqa: S608
    store.connection.executemany(statement, [(key, rid) for key in keys])


def _remove_keys(store: Store, index: Index, keys: list[bytes]) -> None:
    statement = f"DELETE FROM i{index.id} WHERE k = ?"  # noqa: S608
    store.connection.executemany(statement, [(key,) for key in keys])


@contextmanager
def _duplicates(
    store: Store, collection: Collection, document: Document, rid: int
) -> Iterator[None]:
    """Turns SQLite's complaint about a unique key into MongoDB's."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        found = _UNIQUE_FAILED.search(str(error))
        if found is None:
            raise
        number = int(found.group(1))
        index = next(index for index in collection.indexes if index.id == number)
        raise _duplicate(store, collection, index, document, rid) from error


def _duplicate(
    store: Store, collection: Collection, index: Index, document: Document, rid: int
) -> Refusal:
    """The refusal that names the index and the value that is there already."""
    keys, _ = document_keys(index.spec, document)
    taken = keys[0]
    for key in keys:
        statement = f"SELECT 1 FROM i{index.id} WHERE k = ? AND rid <> ?"  # noqa: S608
        if store.connection.execute(statement, (key, rid)).fetchone():
            taken = key
            break
    value = index.spec.key_value(document, taken)
    shown = ", ".join(f"{name}: {_shown(item)}" for name, item in value.items())
    return Refusal(
        DUPLICATE_KEY,
        f"E11000 duplicate key error collection: {collection.full_name} "
        f"index: {index.spec.name} dup key: {{ {shown} }}",
        {"keyPattern": index.spec.pattern, "keyValue": value},
    )


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, ObjectId):
        return f"ObjectId('{value}')"
    return "null" if value is None else str(value)
