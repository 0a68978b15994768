"""Turns conditions on one field into points or an interval of index keys. Pure.

Each function adds to `proved` the nodes of the filter that the keys alone decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bson import Regex

from chatme.storage.embedded.filters import Condition, Node
from chatme.storage.embedded.keys import (
    AFTER,
    NAN_KEY,
    NULL_KEY,
    NUMBER,
    encode,
    invert,
    text_prefix,
)
from chatme.storage.embedded.matcher import value_test
from chatme.storage.embedded.regex import literal_prefix

__all__ = [
    "AFTER",
    "Candidate",
    "Interval",
    "Range",
    "implies",
    "implies_presence",
    "interval",
    "invert",
    "points",
    "same",
]

Range = tuple[bytes, bytes]
_RANGE_OPS = frozenset({"$gt", "$gte", "$lt", "$lte"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A condition that matching documents meet, and the node it is the whole of, if any."""

    condition: Condition
    node: Node | None


@dataclass(frozen=True, slots=True)
class Interval:
    """Keys of one field from `low` to `high`; `after` bounds lie above all keys with that start."""

    low: bytes
    low_after: bool
    high: bytes
    high_after: bool

    def start(self) -> bytes:
        """The least key that may lie in it."""
        return self.low + (AFTER if self.low_after else b"")

    def end(self) -> bytes:
        """Above every key that lies in it."""
        return self.high + (AFTER if self.high_after else b"")

    def under(self, prefix: bytes, *, descending: bool) -> Range:
        """The half-open range of whole keys below a prefix."""
        if descending:
            return (
                prefix + invert(self.high) + (b"" if self.high_after else AFTER),
                prefix + invert(self.low) + (b"" if self.low_after else AFTER),
            )
        return prefix + self.start(), prefix + self.end()


def points(
    candidates: Iterable[Candidate], *, multikey: bool, proved: set[Node]
) -> list[bytes] | None:
    """The keys that the field must have one of, or None where no condition says so."""
    best: list[bytes] | None = None
    chosen: Candidate | None = None
    for candidate in candidates:
        found = _point_keys(candidate.condition)
        if found is not None and (best is None or len(found) < len(best)):
            best, chosen = found, candidate
    # In an index with arrays null may stand for an array's element without the field.
    exact = best is not None and not (multikey and NULL_KEY in best)
    if exact and chosen is not None and chosen.node is not None:
        proved.add(chosen.node)
    return best


def _point_keys(condition: Condition) -> list[bytes] | None:
    if condition.op == "$eq":
        return [encode(condition.operand)] if _indexable(condition.operand) else None
    if condition.op == "$in" and all(map(_indexable, condition.operand)):
        return sorted({encode(operand) for operand in condition.operand})
    return None


def _indexable(operand: Any) -> bool:
    # An index holds an array's elements, not the array: equality to one is matched instead.
    return type(operand) not in {list, Regex}


def interval(
    candidates: Iterable[Candidate], *, multikey: bool, proved: set[Node]
) -> Interval | None:
    """The interval that the field's conditions leave, or None.

    In an index with arrays only one condition may be used: two may hold for two elements.
    """
    left: Interval | None = None
    for candidate in candidates:
        found = _interval_of(candidate.condition)
        if found is None:
            continue
        if left is None:
            left = found
        elif multikey or not _same_type(found, left):
            continue
        else:
            left = _intersect(left, found)
        if candidate.node is not None and candidate.condition.op in _RANGE_OPS:
            proved.add(candidate.node)
    return left


def _same_type(one: Interval, other: Interval) -> bool:
    return (one.low[0] + 3) // 4 == (other.low[0] + 3) // 4


def _intersect(one: Interval, other: Interval) -> Interval:
    low = max(one, other, key=Interval.start)
    high = min(one, other, key=Interval.end)
    return Interval(low.low, low.low_after, high.high, high.high_after)


def _interval_of(condition: Condition) -> Interval | None:
    op, operand = condition.op, condition.operand
    if op == "$regex":
        return _prefix_interval(operand)
    if op not in _RANGE_OPS or operand is None or not _indexable(operand):
        return None
    if operand != operand:  # noqa: PLR0124  NaN is in no interval
        return None
    key = encode(operand)
    tag = key[0]
    low, low_after = (NAN_KEY, True) if tag == NUMBER else (bytes([tag - 1]), False)
    high, high_after = bytes([tag + 1]), False
    if op in {"$gt", "$gte"}:
        low, low_after = key, op == "$gt"
    else:
        high, high_after = key, op == "$lte"
    return Interval(low, low_after, high, high_after)


def _prefix_interval(pattern: re.Pattern[str]) -> Interval | None:
    prefix = literal_prefix(pattern)
    if not prefix:
        return None
    key = text_prefix(prefix)
    return Interval(key, False, key, True)


def implies_presence(candidates: Iterable[Candidate]) -> bool:
    """Whether the conditions are met only by documents that have the field."""
    return any(_is_present(candidate.condition) for candidate in candidates)


def _is_present(condition: Condition) -> bool:
    if condition.op == "$eq":
        return condition.operand is not None
    if condition.op == "$in":
        return None not in condition.operand
    return condition.op in {"$exists", "$type", "$regex", "$size", *_RANGE_OPS}


def same(one: Condition, other: Condition) -> bool:
    """Whether two conditions on one path are the same."""
    if one.op != other.op:
        return False
    if one.op in {"$eq", *_RANGE_OPS}:
        return encode(one.operand) == encode(other.operand)
    return bool(one.operand == other.operand)


def implies(condition: Condition, clause: Condition) -> bool:
    """Whether every document that meets the condition meets a partial index's clause."""
    if clause.op == "$exists":
        return _is_present(condition)
    if same(condition, clause):
        return True
    if condition.op == "$eq":
        return condition.operand is not None and value_test(clause)(condition.operand)
    if condition.op == "$in":
        operands = condition.operand
        return None not in operands and all(map(value_test(clause), operands))
    if clause.op == "$type":
        # Every value that a comparison accepts is of its operand's type, save among numbers.
        number = isinstance(condition.operand, (int, float))
        return (
            condition.op in _RANGE_OPS
            and (not number or "number" in clause.operand)
            and value_test(clause)(condition.operand)
        )
    return _narrower(condition, clause)


def _narrower(condition: Condition, clause: Condition) -> bool:
    inner, outer = _interval_of(condition), _interval_of(clause)
    if inner is None or outer is None or "$regex" in {condition.op, clause.op}:
        return False
    return inner.start() >= outer.start() and inner.end() <= outer.end()
