"""Points and intervals of index keys."""

from __future__ import annotations

from typing import Any

import pytest

from chatme.storage.embedded.bounds import Candidate, implies, implies_presence, interval, points
from chatme.storage.embedded.filters import Condition, Node, parse
from chatme.storage.embedded.keys import encode


def candidates(filter: dict[str, Any]) -> list[Candidate]:
    """The filter's conditions as candidates."""
    return [Candidate(node, node) for node in parse(filter) if isinstance(node, Condition)]


def condition(test: Any) -> Condition:
    """One condition on `a`."""
    (node,) = parse({"a": test})
    assert isinstance(node, Condition)
    return node


def test_the_fewest_points_are_taken() -> None:
    """Of several conditions the one with the fewest values gives the points."""
    proved: set[Node] = set()
    found = points(candidates({"a": {"$in": [1, 2, 1.0], "$eq": 2}}), multikey=False, proved=proved)

    assert [encode(2)] == found
    assert len(proved) == 1


def test_null_proves_nothing_among_arrays() -> None:
    """In an index with arrays the key of null is no proof."""
    proved: set[Node] = set()
    points(candidates({"a": None}), multikey=True, proved=proved)

    assert set() == proved


def test_bounds_meet() -> None:
    """Bounds of one type are met together, in an index with arrays only the first is."""
    both = interval(candidates({"a": {"$gt": 1, "$lte": 5}}), multikey=False, proved=set())
    first = interval(candidates({"a": {"$gt": 1, "$lte": 5}}), multikey=True, proved=set())

    assert both is not None
    assert first is not None
    assert (encode(1) + b"\xff", encode(5) + b"\xff") == both.under(b"", descending=False)
    assert encode(5) + b"\xff" < first.end()


def test_bounds_of_two_types() -> None:
    """Bounds of two types are not mixed; the second is matched instead."""
    proved: set[Node] = set()
    found = interval(candidates({"a": {"$gt": 1, "$lt": "x"}}), multikey=False, proved=proved)

    assert found is not None
    assert len(proved) == 1


@pytest.mark.parametrize(
    ("test", "clause", "expected"),
    [
        (5, {"$gt": 3}, True),
        (3, {"$gt": 3}, False),
        ({"$gt": 5}, {"$gt": 3}, True),
        ({"$gt": 3}, {"$gte": 3}, True),
        ({"$gte": 3}, {"$gt": 3}, False),
        ({"$lt": 5}, {"$gt": 3}, False),
        ({"$in": [5, 6]}, {"$gt": 3}, True),
        ({"$in": [5, None]}, {"$exists": True}, False),
        ({"$in": [5]}, {"$exists": True}, True),
        ("x", {"$type": "string"}, True),
        ({"$gt": "x"}, {"$type": "string"}, True),
        ({"$gt": 1}, {"$type": "int"}, False),
        ({"$gt": 1}, {"$type": "number"}, True),
        ({"$regex": "^x"}, {"$exists": True}, True),
        ({"$regex": "^x"}, {"$gt": "a"}, False),
        (None, {"$exists": True}, False),
        ("direct", "direct", True),
        ("group", "direct", False),
    ],
    ids=repr,
)
def test_implies(test: Any, clause: Any, expected: bool) -> None:
    """A condition implies a clause only where everything that meets it meets the clause."""
    assert expected == implies(condition(test), condition(clause))


def test_presence() -> None:
    """Null and nothing do not say that the field is there."""
    assert implies_presence(candidates({"a": {"$gt": 1}}))
    assert not implies_presence(candidates({"a": None}))
    assert not implies_presence([])
