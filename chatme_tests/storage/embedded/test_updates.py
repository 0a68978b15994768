"""Updates, where the conformance suite does not look."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Decimal128, Int64

from chatme.storage.embedded.errors import Refusal, UnsupportedError
from chatme.storage.embedded.updates import apply_update, parse_update


@pytest.mark.parametrize(
    ("update", "named"),
    [
        ({"$rename": {"a": "b"}}, "$rename"),
        ({"$mul": {"a": 2}}, "$mul"),
        ({"$pop": {"a": 1}}, "$pop"),
        ({"$currentDate": {"a": True}}, "$currentDate"),
        ({"$bit": {"a": {"and": 1}}}, "$bit"),
        ({"$pullAll": {"a": [1]}}, "$pullAll"),
        ({"$push": {"a": {"$each": [], "$sort": 1}}}, "$sort"),
        ({"$push": {"a": {"$each": [], "$position": 1}}}, "$position"),
        ({"$push": {"a": {"$slice": 1}}}, "$slice"),
        ({"$addToSet": {"a": {"$each": [], "$slice": 1}}}, "$slice"),
        ({"$set": {"a.$[].b": 1}}, "$[]"),
        ({"$set": {"a.$[x].b": 1}}, "$[x]"),
        ({"$inc": {"a": Decimal128("1")}}, "Decimal128"),
    ],
    ids=repr,
)
def test_out_of_scope(update: dict[str, Any], named: str) -> None:
    """What is out of scope is refused by its name before any document is touched."""
    with pytest.raises(UnsupportedError) as refused:
        parse_update(update)
    assert named in str(refused.value)


@pytest.mark.parametrize("path", ["$.a", "a.$.b.$", ""])
def test_bad_paths(path: str) -> None:
    """A path that makes no sense is refused."""
    with pytest.raises(Refusal):
        parse_update({"$set": {path: 1}})


def test_integers_keep_their_width() -> None:
    """A 64-bit integer stays one when it is increased."""
    document: dict[str, Any] = {"a": Int64(1), "b": 1}
    apply_update(document, parse_update({"$inc": {"a": 1, "b": Int64(1)}}), places={})

    assert [(2, Int64), (2, Int64)] == [(each, type(each)) for each in document.values()]


def test_padding_has_a_bound() -> None:
    """An array cannot be filled up without end."""
    with pytest.raises(Refusal):
        apply_update({"a": []}, parse_update({"$set": {"a.2000000": 1}}), places={})


def test_order_of_numbers() -> None:
    """Numbered elements are set in the order of their numbers."""
    document: dict[str, Any] = {"a": []}
    apply_update(document, parse_update({"$set": {"a.10": 1, "a.9": 2}}), places={})

    assert {"a": [*[None] * 9, 2, 1]} == document
