"""Filters as the engine reads them."""

from __future__ import annotations

from typing import Any

import pytest
from bson import DBRef, MinKey, ObjectId, Regex

from chatme.storage.embedded.errors import UnsupportedError
from chatme.storage.embedded.filters import Condition, Either, Not, is_operators, parse


def test_conditions_are_flat() -> None:
    """Operators, fields and `$and` come as one list of conditions."""
    nodes = parse({"a": {"$gt": 1, "$lt": 5}, "$and": [{"b": 1}, {"$and": [{"c": 2}]}]})

    assert [(node.path, node.op) for node in nodes if isinstance(node, Condition)] == [
        ("a", "$gt"),
        ("a", "$lt"),
        ("b", "$eq"),
        ("c", "$eq"),
    ]


def test_negations() -> None:
    """Every negative operator is the negation of its positive one."""
    nodes = parse(
        {"a": {"$ne": 1}, "b": {"$nin": [1]}, "c": {"$exists": False}, "$nor": [{"d": 1}]}
    )

    assert all(isinstance(node, Not) for node in nodes)


def test_in_with_patterns() -> None:
    """An `$in` with patterns is either of them."""
    (node,) = parse({"a": {"$in": [1, Regex("^x")]}})

    assert isinstance(node, Either)


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"$gt": 1}, True), ({"a": 1}, False), ({}, False), (1, False), ({"a": 1, "$gt": 1}, False)],
)
def test_is_operators(value: Any, expected: bool) -> None:
    """A document is one of operators by its first key."""
    assert expected == is_operators(value)


@pytest.mark.parametrize(
    ("filter", "named"),
    [
        ({"$where": "1"}, "$where"),
        ({"$expr": {}}, "$expr"),
        ({"$text": {}}, "$text"),
        ({"a": {"$mod": [1, 2]}}, "$mod"),
        ({"a": {"$near": 1}}, "$near"),
        ({"a": {"$bitsAllSet": 1}}, "$bitsAllSet"),
        ({"a": {"$gt": MinKey()}}, "MinKey"),
        ({"a": DBRef("c", ObjectId())}, "DBRef"),
    ],
    ids=repr,
)
def test_out_of_scope(filter: dict[str, Any], named: str) -> None:
    """What is out of scope is refused by its name."""
    with pytest.raises(UnsupportedError) as refused:
        parse(filter)
    assert named in str(refused.value)
