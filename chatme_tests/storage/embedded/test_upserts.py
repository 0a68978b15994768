"""What a filter tells of a document."""

from __future__ import annotations

from typing import Any

import pytest

from chatme.storage.embedded.errors import Refusal, UnsupportedError
from chatme.storage.embedded.filters import parse
from chatme.storage.embedded.upserts import matched_place, seed


@pytest.mark.parametrize(
    "filter", [{"a": {"$in": [1]}}, {"a": {"$all": [1]}}, {"$or": [{"a": 1}]}], ids=repr
)
def test_unclear_seeds(filter: dict[str, Any]) -> None:
    """A filter that MongoDB's versions read differently on an upsert is refused."""
    with pytest.raises(UnsupportedError):
        seed(parse(filter))


def test_seed() -> None:
    """Equalities become fields, `_id` first; other conditions do not."""
    document = seed(parse({"a.b": 1, "c": {"$gt": 1}, "_id": 5, "d": {"$in": [1, 2]}}))

    assert list(document.items()) == [("_id", 5), ("a", {"b": 1})]


def test_two_conditions_on_one_array() -> None:
    """Conditions that match different elements do not say which one is meant."""
    nodes = parse({"a.b": 1, "a.c": 2})

    with pytest.raises(UnsupportedError, match="positional"):
        matched_place(nodes, {"a": [{"b": 1}, {"c": 2}]}, ("a",))
    assert matched_place(nodes, {"a": [{}, {"b": 1, "c": 2}]}, ("a",)) == 1


def test_no_condition_on_the_array() -> None:
    """Without a condition on the array no element is meant."""
    with pytest.raises(Refusal):
        matched_place(parse({"b": 1, "a": {"$size": 1}, "c": {"$ne": 1}}), {"a": [1]}, ("a",))
