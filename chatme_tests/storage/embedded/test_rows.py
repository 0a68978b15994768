"""Pages of documents as SQLite packs them."""

from __future__ import annotations

import bson

from chatme.storage.embedded import rows, writes
from chatme.storage.embedded.keys import encode
from chatme.storage.embedded.store import Store

NAMESPACE = ("chatme", "things")


def fill(store: Store, count: int) -> list[bytes]:
    """Insert documents that hold every byte."""
    raws = [bson.encode({"_id": n, "b": bytes(range(256)), "t": "é\x00"}) for n in range(count)]
    for raw in raws:
        writes.insert(store, NAMESPACE, raw)
    return raws


def test_every_byte_survives_packing(store: Store) -> None:
    """A page's documents are byte for byte those that were written, in order."""
    raws = fill(store, 30)
    collection = store.catalog.ensure(NAMESPACE)
    tables = (collection.id, collection.indexes[0].id)
    everything = (b"", b"\xff")

    for reverse in (False, True):
        page = rows.read_range(
            store.connection, tables, everything, reverse=reverse, window=(20, 5), rids=True
        )
        expected = (raws[::-1] if reverse else raws)[5:25]
        assert b"".join(expected) == page.packed
        assert expected == rows.unpack(page.packed)
        assert (page.size, len(page.rids)) == (20, 20)


def test_an_empty_page(store: Store) -> None:
    """Nothing found is an empty page."""
    fill(store, 1)
    collection = store.catalog.ensure(NAMESPACE)

    page = rows.read_all(store.connection, collection.id, after=99, window=(5, 0), rids=True)

    assert page == (b"", [], None, 0)


def test_several_ranges(store: Store) -> None:
    """Several ranges give their documents in key order."""
    raws = fill(store, 10)
    collection = store.catalog.ensure(NAMESPACE)
    index = collection.indexes[0]
    keys = [encode(n) for n in (1, 4, 7)]

    page = rows.read_ranges(
        store.connection,
        (collection.id, index.id),
        [(key, key + b"\xff") for key in keys],
        limit=10,
        rids=False,
    )

    assert [raws[1], raws[4], raws[7]] == rows.unpack(page.packed)
    assert keys[-1] == page.last


def test_one_row(store: Store) -> None:
    """A row is read by its number, or is not there."""
    raws = fill(store, 2)
    collection = store.catalog.ensure(NAMESPACE)

    assert raws[1] == rows.read_row(store.connection, collection.id, 2)
    assert None is rows.read_row(store.connection, collection.id, 3)


def test_a_count_goes_no_further_than_its_limit(store: Store) -> None:
    """Keys are counted up to a limit, and all of them without one."""
    fill(store, 9)
    index = store.catalog.ensure(NAMESPACE).indexes[0].id
    everything = (b"", b"\xff")

    def counted(limit: int, *, distinct: bool) -> int:
        return rows.count_range(store.connection, index, everything, distinct=distinct, limit=limit)

    for distinct in (False, True):
        assert [counted(limit, distinct=distinct) for limit in (-1, 0, 4, 9, 20)] == [9, 0, 4, 9, 9]
