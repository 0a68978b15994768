"""Running queries slice by slice."""

from __future__ import annotations

from typing import Any

import bson
import pytest

from chatme.storage.embedded import scan, writes
from chatme.storage.embedded.errors import Refusal
from chatme.storage.embedded.filters import parse
from chatme.storage.embedded.indexes import parse_index
from chatme.storage.embedded.scan import Count, Query, Scan
from chatme.storage.embedded.store import Store

NAMESPACE = ("chatme", "things")


def fill(store: Store, count: int, **fields: Any) -> None:
    """Insert numbered documents."""
    for number in range(count):
        writes.insert(store, NAMESPACE, bson.encode({"_id": number, "a": number % 10, **fields}))


def steps(store: Store, query: Query) -> list[int]:
    """How many documents each slice of a query gives."""
    running = Scan(query)
    found = []
    while not running.done:
        found.append(len(running.step(store)))
    return found


def test_a_long_scan_comes_in_slices(store: Store) -> None:
    """No slice looks at many more documents than its measure, found or not."""
    fill(store, 5 * scan.SLICE)

    assert len(steps(store, Query(NAMESPACE, parse({"a": 3})))) >= 3
    assert len(steps(store, Query(NAMESPACE, parse({"b": 3})))) >= 3
    given = steps(store, Query(NAMESPACE, ()))
    assert sum(given) == 5 * scan.SLICE
    assert max(given) < 3 * scan.SLICE


def test_large_documents_make_small_slices(store: Store) -> None:
    """A slice is measured in bytes, too."""
    fill(store, 100, text="x" * 1_000_000)

    given = steps(store, Query(NAMESPACE, ()))

    assert sum(given) == 100
    assert max(given) <= 70


def test_one_document_takes_one_slice(store: Store) -> None:
    """A point read is done in one step."""
    fill(store, 10)

    assert steps(store, Query(NAMESPACE, parse({"_id": 3}), limit=1)) == [1]


def test_a_sort_has_a_bound(store: Store) -> None:
    """A sort without index and limit may hold only so much; with a limit it holds little."""
    fill(store, 1000, text="x" * 1000)
    order = (("a", 1),)

    with pytest.raises(Refusal) as refused:
        steps(store, Query(NAMESPACE, (), order, max_bytes=500_000))
    assert refused.value.code == 292
    assert sum(steps(store, Query(NAMESPACE, (), order, limit=5, max_bytes=500_000))) == 5


def test_an_index_dropped_on_the_way(store: Store) -> None:
    """A scan whose index goes away ends with an error, not with a part."""
    fill(store, 3000)
    writes.build_index(
        store, store.catalog.ensure(NAMESPACE), parse_index({"name": "a", "key": {"a": 1}})
    )
    running = Scan(Query(NAMESPACE, parse({"a": {"$gte": 0}})))
    running.step(store)
    collection = store.catalog.ensure(NAMESPACE)
    store.catalog.drop_index(collection, collection.indexes[1])

    with pytest.raises(Refusal) as refused:
        running.step(store)
    assert refused.value.code == 175


def test_no_collection(store: Store) -> None:
    """A collection that is not there is empty."""
    counting = Count(Query(("chatme", "nowhere"), ()))

    assert steps(store, Query(("chatme", "nowhere"), ())) == [0]
    assert counting.step(store) == 0
    assert counting.done
