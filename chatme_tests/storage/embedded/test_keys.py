"""The key encoding against an independent idea of MongoDB's order."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from bson import Decimal128
from hypothesis import given
from hypothesis import strategies as st

from chatme.storage.embedded.errors import UnsupportedError
from chatme.storage.embedded.keys import AFTER, encode, equal, invert, text_prefix
from chatme_tests.storage.embedded.model import compare, texts, values


def sign(left: bytes, right: bytes) -> int:
    """-1, 0 or 1: the order of two keys."""
    return (left > right) - (left < right)


@given(values, values)
def test_keys_sort_as_values_do(left: Any, right: Any) -> None:
    """The bytes of two keys compare as MongoDB compares the values."""
    assert compare(left, right) == sign(encode(left), encode(right))


@given(values, values)
def test_inverted_keys_sort_the_other_way(left: Any, right: Any) -> None:
    """Inverted keys compare the other way round, also joined with others."""
    key, other = invert(encode(left)), invert(encode(right))

    assert -compare(left, right) == sign(key + b"\x10", other + b"\x10")


@given(st.lists(values, min_size=2, max_size=2), st.lists(values, min_size=2, max_size=2))
def test_joined_keys_sort_field_by_field(left: list[Any], right: list[Any]) -> None:
    """Keys of two fields joined compare by the first, then by the second."""
    expected = compare(left[0], right[0]) or compare(left[1], right[1])

    assert expected == sign(b"".join(map(encode, left)), b"".join(map(encode, right)))


@given(values, values)
def test_no_key_begins_another(left: Any, right: Any) -> None:
    """A key is the beginning of another only where the values are equal."""
    assert encode(right).startswith(encode(left)) == equal(left, right)


@given(values)
def test_bson_changes_no_key(value: Any) -> None:
    """A value that has been through BSON has the same key."""
    assert encode(value) == encode(bson.decode(bson.encode({"v": value}))["v"])


@given(texts, texts)
def test_prefixes_of_texts(prefix: str, text: str) -> None:
    """The keys of exactly the texts that begin with a prefix lie in its range."""
    low = text_prefix(prefix)

    assert text.startswith(prefix) == (low <= encode(text) < low + AFTER)


def test_what_has_no_order_is_refused() -> None:
    """A type without an order here is named."""
    with pytest.raises(UnsupportedError, match="Decimal128"):
        encode(Decimal128("1"))
