"""An independent idea of MongoDB's order and equality, and strategies to try it on.

Written from MongoDB's documentation of comparison order, value by value, without the key encoding
that it is to judge.
"""

from __future__ import annotations

import datetime
import math
from typing import Any

from bson import ObjectId
from hypothesis import strategies as st

RANKS: tuple[tuple[tuple[type, ...], int], ...] = (
    ((bool,), 8),
    ((type(None),), 1),
    ((int, float), 2),
    ((str,), 3),
    ((dict,), 4),
    ((list,), 5),
    ((bytes,), 6),
    ((ObjectId,), 7),
    ((datetime.datetime,), 9),
)


def rank(value: Any) -> int:
    """The place of a value's type among types."""
    return next(place for types, place in RANKS if isinstance(value, types))


def compare(left: Any, right: Any) -> int:
    """-1, 0 or 1: the order of two values."""
    if rank(left) != rank(right):
        return -1 if rank(left) < rank(right) else 1
    if isinstance(left, dict):
        return _documents(list(left.items()), list(right.items()))
    if isinstance(left, list):
        return _documents([("", item) for item in left], [("", item) for item in right])
    if isinstance(left, float) or isinstance(right, float):
        return _numbers(left, right)
    return _plain(_comparable(left), _comparable(right))


def _comparable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return len(value), value
    return 0 if value is None else value


def _plain(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _numbers(left: float, right: float) -> int:
    nan_left, nan_right = math.isnan(left), math.isnan(right)
    if nan_left or nan_right:
        return int(nan_right) - int(nan_left) if nan_left != nan_right else 0
    return _plain(left, right)


def _documents(left: list[tuple[str, Any]], right: list[tuple[str, Any]]) -> int:
    for (name, value), (other_name, other) in zip(left, right, strict=False):
        by_type = _plain(rank(value), rank(other))
        by_name = _plain(name.encode(), other_name.encode())
        found = by_type or by_name or compare(value, other)
        if found:
            return found
    return _plain(len(left), len(right))


texts = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x00\x01\xff"), max_size=4
)
names = st.text("abé", min_size=1, max_size=2)
dates = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)).map(
    lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)
)
numbers = (
    st.integers(-(2**63), 2**63 - 1)
    | st.integers(-3, 3)
    | st.floats()
    | st.sampled_from([2**53, 2**53 + 1, 2.0**53, -0.0, 0.5, float(2**63), -(2**63)])
)
scalars = (
    st.none()
    | st.booleans()
    | numbers
    | texts
    | st.binary(max_size=3)
    | st.binary(min_size=12, max_size=12).map(ObjectId)
    | dates
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
