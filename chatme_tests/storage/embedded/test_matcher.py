"""Matching, where the conformance suite does not look."""

from __future__ import annotations

import math
from typing import Any

import pytest
from bson import Decimal128
from hypothesis import given

from chatme.storage.embedded.filters import parse
from chatme.storage.embedded.matcher import compile_nodes, equality
from chatme_tests.storage.embedded.model import compare, rank, scalars, values


def is_nan(value: Any) -> bool:
    """NaN is compared with itself only."""
    return isinstance(value, float) and math.isnan(value)


def matches(document: dict[str, Any], filter: dict[str, Any]) -> bool:
    """Whether the document matches the filter."""
    return compile_nodes(parse(filter))(document)


@given(scalars, values)
def test_comparisons_are_the_models(operand: Any, value: Any) -> None:
    """A comparison holds for values of the operand's type in the model's order."""
    elements = [*value, value] if isinstance(value, list) else [value]
    same = [each for each in elements if rank(each) == rank(operand)]
    same = [each for each in same if is_nan(each) == is_nan(operand)]
    signs = {compare(each, operand) for each in same}

    document = {"a": value}

    assert (0 in signs) == matches(document, {"a": {"$eq": operand}})
    assert (1 in signs) == matches(document, {"a": {"$gt": operand}})
    assert (-1 in signs) == matches(document, {"a": {"$lt": operand}})
    assert bool(signs & {0, 1}) == matches(document, {"a": {"$gte": operand}})
    assert bool(signs & {0, -1}) == matches(document, {"a": {"$lte": operand}})
    assert (0 in signs) == matches(document, {"a": {"$in": [operand]}})


@given(values, values)
def test_negations_are_opposites(operand: Any, value: Any) -> None:
    """`$ne` and `$nin` hold exactly where `$eq` and `$in` do not."""
    document = {"a": value}

    assert matches(document, {"a": {"$eq": operand}}) != matches(document, {"a": {"$ne": operand}})
    assert matches(document, {"a": {"$in": [operand]}}) != (
        matches(document, {"a": {"$nin": [operand]}})
    )


@pytest.mark.parametrize(
    ("document", "filter", "expected"),
    [
        ({"a": [[1, 2]]}, {"a": {"$elemMatch": {"0": 1}}}, True),
        ({"a": [1, 7]}, {"a": {"$elemMatch": {"$not": {"$lt": 5}}}}, True),
        ({"a": [1, 2]}, {"a": {"$elemMatch": {"$not": {"$lt": 5}}}}, False),
        ({"a": [[1, 2], 3]}, {"a": {"$elemMatch": {"$all": [3]}}}, True),
        ({"a": ["x"]}, {"a": {"$elemMatch": {"$in": [Ellipsis, "x"][1:]}}}, True),
        ({"a": {"b": [{"c": [1, 2]}]}}, {"a.b.c": 2}, True),
        ({"a": Decimal128("1")}, {"a": "text"}, False),
    ],
    ids=repr,
)
def test_corners(document: dict[str, Any], filter: dict[str, Any], expected: bool) -> None:
    """Rare shapes match as MongoDB matches them."""
    assert expected == matches(document, filter)


def test_null_is_missing() -> None:
    """Equality to null holds for a document without the field."""
    assert matches({}, {"a": None})
    assert equality(None)(None)
