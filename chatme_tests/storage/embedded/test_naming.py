"""What operations are called."""

from __future__ import annotations

from typing import Any

import pytest

from chatme.storage.embedded.admin import DropCollection
from chatme.storage.embedded.commands import Bulk, Change, Delete, FindAndChange, Insert
from chatme.storage.embedded.naming import OTHER, name_of
from chatme.storage.embedded.scan import Count, Query, Scan
from chatme.storage.embedded.store import Store

THINGS = ("chatme", "things")
CHANGE = Change(THINGS, (), {})
INSERT = Insert(THINGS, b"")


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (INSERT.run, "insert"),
        (CHANGE.run, "update"),
        (Delete(THINGS, ()).run, "delete"),
        (FindAndChange(CHANGE).run, "findAndModify"),
        (FindAndChange(Delete(THINGS, ())).run, "findAndModify"),
        (Bulk((INSERT, INSERT), str).run, "insert"),
        (Bulk((CHANGE,), str).run, "update"),
        (Scan(Query(THINGS, ())).step, "find"),
        (Count(Query(THINGS, ())).step, "count"),
    ],
)
def test_an_operation_has_a_name(operation: Any, name: str) -> None:
    """Whatever a collection is asked has the name of MongoDB's command, and the collection's."""
    assert name_of(operation) == (name, "things")


@pytest.mark.parametrize("operation", [DropCollection(THINGS).run, Store.probe, lambda _: None])
def test_the_rest_is_one(operation: Any) -> None:
    """What is asked of the catalog, and whatever else, has one name."""
    assert name_of(operation) == OTHER
