"""Where dotted paths lead."""

from __future__ import annotations

from typing import Any

import pytest

from chatme.storage.embedded.keys import NULL_KEY, UNDEFINED_KEY, encode
from chatme.storage.embedded.paths import (
    MISSING,
    array_index,
    field_keys,
    is_missing,
    leaves,
    sort_key,
    split,
    values,
)


@pytest.mark.parametrize(
    ("part", "expected"), [("0", 0), ("12", 12), ("01", -1), ("-1", -1), ("a", -1), ("²", -1)]
)
def test_array_index(part: str, expected: int) -> None:
    """Only plain numbers name a place in an array."""
    assert expected == array_index(part)


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        ({"a": 1}, "a", [1]),
        ({}, "a", [MISSING]),
        ({"a": 1}, "a.b", [MISSING]),
        ({"a": [1, 2]}, "a", [[1, 2]]),
        ({"a": [{"b": 1}, 5, {"b": 2}, {}]}, "a.b", [1, 2, MISSING]),
        ({"a": []}, "a.b", []),
        ({"a": [5, [2, 3]]}, "a.1", [[2, 3]]),
        ({"a": [{"1": 4}, 7]}, "a.1", [4, 7]),
        ({"a": [[{"b": 1}]]}, "a.b", []),
        ({"a": [[{"b": 1}]]}, "a.0.b", [1]),
    ],
    ids=repr,
)
def test_leaves(document: dict[str, Any], path: str, expected: list[Any]) -> None:
    """A path walks into documents, and into the documents of arrays."""
    assert expected == [each for each in leaves(document, split(path)) if each is not MISSING] + [
        each for each in leaves(document, split(path)) if each is MISSING
    ]


def test_values_open_the_last_array() -> None:
    """A comparison sees an array's elements and the array."""
    assert list(values({"a": [1, 2]}, ("a",))) == [1, 2, [1, 2]]


def test_values_leave_a_named_array_closed() -> None:
    """An array that a number named is seen as a whole only."""
    assert list(values({"a": [5, [2, 3]]}, ("a", "1"))) == [[2, 3]]


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        ({"a": 1}, "a", ([encode(1)], False)),
        ({}, "a", ([NULL_KEY], False)),
        ({"a": [1, 1.0, 2]}, "a", ([encode(1), encode(2)], True)),
        ({"a": []}, "a", ([UNDEFINED_KEY], True)),
        ({"a": {"b": 3}}, "a.b", ([encode(3)], False)),
        ({"a": 3}, "a.b", ([NULL_KEY], False)),
        ({"a": {"b": [3, 4]}}, "a.b", ([encode(3), encode(4)], True)),
        ({"a": [{"b": 3}, {"b": [4]}, {}]}, "a.b", ([encode(3), encode(4), NULL_KEY], True)),
        ({"a": []}, "a.b", ([NULL_KEY], True)),
    ],
    ids=repr,
)
def test_field_keys(document: dict[str, Any], path: str, expected: Any) -> None:
    """A field has one key for each different value in it."""
    assert expected == field_keys(document, split(path))


def test_is_missing() -> None:
    """Null is there, nothing is not."""
    assert is_missing({"b": 1}, ("a",))
    assert is_missing({"a": [{}]}, ("a", "b"))
    assert not is_missing({"a": None}, ("a",))


def test_sort_key() -> None:
    """An array sorts by its least element up, by its greatest down."""
    document = {"a": [3, 1, 2]}

    up, down = sort_key(document, ((("a",), 1),)), sort_key(document, ((("a",), -1),))

    assert encode(1) == up
    assert sort_key({"a": 3}, ((("a",), -1),)) == down
