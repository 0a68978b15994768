"""Write commands on the writer's connection."""

from __future__ import annotations

import bson
import pytest

from chatme.storage.embedded.commands import Bulk, Change, Delete, FindAndChange, Insert
from chatme.storage.embedded.errors import Refusal
from chatme.storage.embedded.filters import parse
from chatme.storage.embedded.projection import compile_projection
from chatme.storage.embedded.store import Store
from chatme.storage.embedded.updates import parse_update

NAMESPACE = ("chatme", "things")


def insert(number: int) -> Insert:
    """Insert a numbered document."""
    return Insert(NAMESPACE, bson.encode({"_id": number, "n": 0}))


def test_change(store: Store) -> None:
    """A change counts what it matched and what it modified, and shows both sides."""
    insert(1).run(store)
    change = Change(NAMESPACE, parse({"_id": 1}), parse_update({"$max": {"n": 5}}))

    first, second = change.run(store), change.run(store)

    assert (first.matched, first.modified) == (1, 1)
    assert first.before == bson.encode({"_id": 1, "n": 0})
    assert first.after == bson.encode({"_id": 1, "n": 5})
    assert (second.matched, second.modified) == (1, 0)


def test_a_positional_upsert(store: Store) -> None:
    """An upsert cannot know what the positional operator stands for."""
    change = Change(NAMESPACE, parse({"a": 1}), parse_update({"$set": {"a.$": 2}}), upsert=True)

    with pytest.raises(Refusal):
        change.run(store)


def test_delete(store: Store) -> None:
    """Deleting in a collection that is not there deletes nothing."""
    assert Delete(NAMESPACE, ()).run(store) == (0, None)


def test_find_and_delete(store: Store) -> None:
    """The deleted document is shown as asked."""
    insert(1).run(store)
    command = FindAndChange(Delete(NAMESPACE, ()), project=compile_projection({"_id": 0}))

    assert command.run(store) == {"n": 0}
    assert None is command.run(store)


def test_a_bulk_shows_what_failed(store: Store) -> None:
    """A refused operation of a bulk is shown with its place; the rest is kept."""
    bulk = Bulk((insert(1), insert(1), insert(2)), lambda place: f"op {place}", ordered=False)

    reply = bulk.run(store)

    assert reply.failed
    assert reply.result["nInserted"] == 2
    assert [(each["index"], each["op"]) for each in reply.result["writeErrors"]] == [(1, "op 1")]
