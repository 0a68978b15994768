"""Commands on collections and indexes."""

from __future__ import annotations

import bson
import pytest

from chatme.storage.embedded.admin import CreateIndexes, DropCollection, DropDatabase, DropIndex
from chatme.storage.embedded.errors import Refusal
from chatme.storage.embedded.indexes import parse_index
from chatme.storage.embedded.store import Store
from chatme.storage.embedded.writes import insert

NAMESPACE = ("chatme", "things")


def test_all_indexes_or_none(store: Store) -> None:
    """When one of several indexes cannot be made, none of them is."""
    for number in (1, 2):
        insert(store, NAMESPACE, bson.encode({"_id": number, "a": number, "b": 0}))
    specs = tuple(
        parse_index({"name": name, "key": {name: 1}, "unique": True}) for name in ("a", "b")
    )

    with pytest.raises(Refusal):
        CreateIndexes(NAMESPACE, specs).run(store)

    collection = store.catalog.get(NAMESPACE)
    assert collection is not None
    assert [index.spec.name for index in collection.indexes] == ["_id_"]


def test_drop_in_no_collection(store: Store) -> None:
    """An index of a collection that is not there cannot be dropped."""
    with pytest.raises(Refusal) as refused:
        DropIndex(NAMESPACE, "a").run(store)
    assert refused.value.code == 26


def test_drop_database(store: Store) -> None:
    """A dropped database takes its collections along and leaves those of others."""
    for namespace in (NAMESPACE, ("chatme", "others"), ("another", "things")):
        store.catalog.ensure(namespace)
    DropCollection(NAMESPACE).run(store)
    DropDatabase("chatme").run(store)

    assert store.catalog.databases() == ["another"]
