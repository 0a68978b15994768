"""pymongo's requests as commands."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import DeleteOne, InsertOne, UpdateOne

from chatme.storage.embedded.bulk import bulk_of
from chatme.storage.embedded.commands import Change, Delete, Insert
from chatme.storage.embedded.errors import UnsupportedError

NAMESPACE = ("chatme", "things")


def test_each_becomes_its_command() -> None:
    """Requests become commands in their order, each with what to show of it."""
    requests: list[Any] = [
        InsertOne({"_id": 1}),
        UpdateOne({"_id": 1}, {"$set": {"a": 1}}, upsert=True, sort={"a": 1}),
        DeleteOne({"_id": 1}),
    ]

    bulk = bulk_of(NAMESPACE, requests, ordered=False)

    assert [Insert, Change, Delete] == [type(part) for part in bulk.parts]
    assert bulk.shown(0) == {"_id": 1}
    assert bulk.shown(2) == {"q": {"_id": 1}, "limit": 1}
    assert not bulk.ordered


def test_what_is_no_request() -> None:
    """Something else in the list is a mistake."""
    with pytest.raises(TypeError, match="not a valid request"):
        bulk_of(NAMESPACE, [{"insert": 1}], ordered=True)


def test_options_out_of_scope() -> None:
    """A request's option out of scope is refused by name."""
    update: Any = UpdateOne({}, {"$set": {"a": 1}}, array_filters=[{"x": 1}])

    with pytest.raises(UnsupportedError, match="array_filters"):
        bulk_of(NAMESPACE, [update], ordered=True)
