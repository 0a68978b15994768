"""Definitions of indexes and the keys of documents in them."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.errors import OperationFailure

from chatme.storage.embedded.errors import Refusal, UnsupportedError
from chatme.storage.embedded.indexes import document_keys, find_conflict, parse_index
from chatme.storage.embedded.keys import encode, invert


@pytest.mark.parametrize(
    ("definition", "named"),
    [
        ({"key": {"a": "text"}}, "text"),
        ({"key": {"a": "2dsphere"}}, "2dsphere"),
        ({"key": {"a": "hashed"}}, "hashed"),
        ({"key": {"$**": 1}}, "$**"),
        ({"key": {"a": 1}, "collation": {"locale": "de"}}, "collation"),
        ({"key": {"a": 1}, "hidden": True}, "hidden"),
        ({"key": {"a": 2}}, "2"),
    ],
    ids=repr,
)
def test_out_of_scope(definition: dict[str, Any], named: str) -> None:
    """A kind or an option out of scope is refused by name."""
    with pytest.raises(UnsupportedError) as refused:
        parse_index({"name": "it", **definition})
    assert named in str(refused.value)


@pytest.mark.parametrize(
    "definition",
    [
        {"key": {}},
        {"key": {"": 1}},
        {"key": {"a..b": 1}},
        {"key": {"a": 1, "b": 1}, "expireAfterSeconds": 1},
        {"key": {"_id": 1}, "expireAfterSeconds": 1},
        {"key": {"a": 1}, "expireAfterSeconds": -1},
        {"key": {"a": 1}, "expireAfterSeconds": True},
        {"key": {"a": 1}, "partialFilterExpression": 1},
        {"key": {"a": 1}, "partialFilterExpression": {"a": {"$exists": False}}},
        {"key": {"a": 1}, "partialFilterExpression": {"$or": [{"a": 1}]}},
    ],
    ids=repr,
)
def test_refused(definition: dict[str, Any]) -> None:
    """A definition that makes no sense is refused as one that cannot be made."""
    with pytest.raises(Refusal) as refused:
        parse_index({"name": "it", **definition})
    assert refused.value.code == 67


def test_stored_and_read_again() -> None:
    """A definition survives being written to the catalog."""
    spec = parse_index(
        {
            "name": "it",
            "key": {"a": 1, "b": -1},
            "unique": True,
            "partialFilterExpression": {"a": {"$gt": 1}},
        }
    )

    assert spec == parse_index(spec.to_document())
    assert find_conflict(spec, [parse_index(spec.to_document())])


def test_keys_of_a_document() -> None:
    """Keys join the fields, one for each element of an array, inverted where descending."""
    spec = parse_index({"name": "it", "key": {"a": 1, "b": -1}})

    keys, arrays = document_keys(spec, {"a": [1, 2], "b": 3})

    assert [encode(1) + invert(encode(3)), encode(2) + invert(encode(3))] == keys
    assert arrays == 1


def test_two_fields_of_one_array() -> None:
    """Two fields of one array in one index are refused by name."""
    spec = parse_index({"name": "it", "key": {"a.b": 1, "a.c": 1}})

    with pytest.raises(OperationFailure, match="two fields of one array"):
        document_keys(spec, {"a": [{"b": 1, "c": 2}]})


def test_key_values() -> None:
    """The values of a key are those of the document that has it."""
    spec = parse_index({"name": "it", "key": {"a": -1, "b.c": 1}})
    document = {"a": [5, 6], "b": {}}

    keys, _ = document_keys(spec, document)

    assert [spec.key_value(document, key) for key in keys] == [
        {"a": 5, "b.c": None},
        {"a": 6, "b.c": None},
    ]
