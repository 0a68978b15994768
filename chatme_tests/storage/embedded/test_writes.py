"""Documents and their keys on the writer's connection."""

from __future__ import annotations

from typing import Any

import bson
import pytest

from chatme.storage.embedded import rows, writes
from chatme.storage.embedded.catalog import Collection
from chatme.storage.embedded.errors import Refusal
from chatme.storage.embedded.indexes import parse_index
from chatme.storage.embedded.store import Store

NAMESPACE = ("chatme", "things")


def collection_of(store: Store) -> Collection:
    """The collection as it is now."""
    return store.catalog.ensure(NAMESPACE)


def indexed(store: Store, key: dict[str, int], **options: Any) -> None:
    """Make an index."""
    spec = parse_index({"name": "it", "key": key, **options})
    writes.build_index(store, collection_of(store), spec)


def keys(store: Store) -> int:
    """How many keys the second index holds."""
    index = collection_of(store).indexes[1].id
    return rows.count_range(store.connection, index, (b"", b"\xff"), distinct=False)


def insert(store: Store, document: dict[str, Any]) -> None:
    """Insert a document."""
    writes.insert(store, NAMESPACE, bson.encode(document))


def test_keys_follow_their_document(store: Store) -> None:
    """Keys come, change and go with their document."""
    indexed(store, {"a": 1})
    insert(store, {"_id": 1, "a": [1, 2, 3]})
    inserted = keys(store)
    old = rows.read_row(store.connection, collection_of(store).id, 1) or b""
    writes.replace(store, collection_of(store), 1, old, {"_id": 1, "a": [3, 4]})
    replaced = keys(store)
    writes.delete(store, collection_of(store), 1, {"_id": 1, "a": [3, 4]})

    assert (inserted, replaced, keys(store)) == (3, 2, 0)
    assert collection_of(store).indexes[1].arrays == 1


def test_a_refused_insert_leaves_nothing(store: Store) -> None:
    """When the last of several keys is taken, the document and its other keys are not there."""
    indexed(store, {"a": 1}, unique=True)
    insert(store, {"_id": 1, "a": 5})

    with pytest.raises(Refusal) as refused:
        insert(store, {"_id": 2, "a": [3, 4, 5]})

    assert refused.value.extra == {"keyPattern": {"a": 1}, "keyValue": {"a": 5}}
    assert keys(store) == 1
    assert None is rows.read_row(store.connection, collection_of(store).id, 2)


def test_an_unchanged_document_is_not_written(store: Store) -> None:
    """Replacing a document by itself changes nothing."""
    insert(store, {"_id": 1})
    before = store.connection.total_changes
    raw = bson.encode({"_id": 1})

    assert raw == writes.replace(store, collection_of(store), 1, raw, {"_id": 1})
    assert before == store.connection.total_changes


def test_dup_key_is_shown(store: Store) -> None:
    """The message shows the key as MongoDB does."""
    insert(store, {"_id": "x"})

    with pytest.raises(Refusal, match=r'index: _id_ dup key: \{ _id: "x" \}'):
        insert(store, {"_id": "x"})
