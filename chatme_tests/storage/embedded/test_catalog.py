"""The schema as connections see it."""

from __future__ import annotations

from pathlib import Path

from chatme.storage.embedded.catalog import by_name, is_id_index
from chatme.storage.embedded.indexes import parse_index
from chatme.storage.embedded.store import Store

NAMESPACE = ("chatme", "things")


def test_a_change_is_seen_by_others_after_commit(path: Path, store: Store) -> None:
    """Another connection sees a collection from its next transaction after the commit on."""
    other = Store(path)
    store.catalog.ensure(NAMESPACE)
    other.begin()
    before = other.catalog.names("chatme")
    other.commit()
    store.commit()
    other.begin()
    after = other.catalog.names("chatme")
    other.commit()
    other.close()

    assert (before, after) == ([], ["things"])


def test_arrays_are_remembered(path: Path, store: Store) -> None:
    """That a field held an array outlives the connection."""
    collection = store.catalog.ensure(NAMESPACE)
    collection = store.catalog.add_index(collection, parse_index({"name": "a", "key": {"a": 1}}))
    store.catalog.note_arrays(collection, collection.indexes[1], 1)
    store.commit()
    other = Store(path)
    other.begin()
    found = other.catalog.get(NAMESPACE)
    other.commit()
    other.close()

    assert found is not None
    assert [index.arrays for index in found.indexes] == [0, 1]


def test_rids_go_on(store: Store) -> None:
    """Row numbers ascend, also after the counter is read anew."""
    collection = store.catalog.ensure(NAMESPACE)
    first = store.catalog.take_rid(collection, {})
    store.connection.execute("INSERT INTO d1 VALUES (?, x'')", (first,))
    store.catalog.reload()

    assert [first + 1, first + 2] == [store.catalog.take_rid(collection, {}) for _ in range(2)]


def test_dropped_tables_are_gone(store: Store) -> None:
    """Nothing of a dropped collection stays in the file."""

    def tables() -> list[str]:
        rows = store.connection.execute("SELECT name FROM sqlite_schema ORDER BY name")
        return [name for (name,) in rows]

    before = tables()
    collection = store.catalog.ensure(NAMESPACE)
    collection = store.catalog.add_index(collection, parse_index({"name": "a", "key": {"a": 1}}))
    index = by_name(collection, "a")
    assert index is not None
    assert is_id_index(collection.indexes[0])
    collection = store.catalog.drop_index(collection, index)
    store.catalog.drop(collection)

    assert before == tables()
    assert store.catalog.databases() == []
    assert store.catalog.collections() == []


def test_what_belongs_together_lies_together(store: Store) -> None:
    """Documents that share the first field of a compound unique index have rids side by side."""
    collection = store.catalog.ensure(NAMESPACE)
    key = {"conversation": 1, "seq": 1}
    spec = parse_index({"name": "it", "key": key, "unique": True})
    collection = store.catalog.add_index(collection, spec)

    rids = [store.catalog.take_rid(collection, {"conversation": n % 3}) for n in range(30)]

    assert len(set(rids)) == 30
    for conversation in range(3):
        own = rids[conversation::3]
        assert list(range(own[0], own[0] + 10)) == own
