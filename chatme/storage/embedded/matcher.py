"""Parsed filters compiled into a test of one decoded document, as MongoDB matches. Pure.

mongomock's `filtering.py` was read first. It interprets the filter anew for each document, knows
no type bracketing for several types and needs its own store around it; what ChatMe needs fits
here in a page, tested against MongoDB's rules, so this is written rather than borrowed.
"""

from __future__ import annotations

import datetime
import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from bson import Binary, Decimal128, Int64, ObjectId, Regex, Timestamp

from chatme.storage.embedded import keys
from chatme.storage.embedded.filters import Condition, Each, Either, Node, Nodes
from chatme.storage.embedded.paths import MISSING, Document, leaves, split, values

Test = Callable[[Any], bool]

_NUMBERS = frozenset({int, Int64, float})
_PLAIN = frozenset({str, ObjectId, datetime.datetime, bool})
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = MappingProxyType(
    {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}
)
_TYPE_NAMES: Final[Mapping[type, str]] = MappingProxyType(
    {
        float: "double",
        str: "string",
        dict: "object",
        list: "array",
        bytes: "binData",
        Binary: "binData",
        ObjectId: "objectId",
        bool: "bool",
        datetime.datetime: "date",
        type(None): "null",
        Regex: "regex",
        int: "int",
        Timestamp: "timestamp",
        Int64: "long",
        Decimal128: "decimal",
    }
)


def compile_nodes(nodes: Nodes) -> Test:
    """A test of a whole document against all the nodes."""
    tests = [_compile(node) for node in nodes]
    if len(tests) == 1:
        return tests[0]
    return lambda document: all(test(document) for test in tests)


def _compile(node: Node) -> Test:
    if isinstance(node, Condition):
        return _on_path(node)
    if isinstance(node, Either):
        branches = [compile_nodes(branch) for branch in node.branches]
        return lambda document: any(branch(document) for branch in branches)
    inner = compile_nodes(node.nodes)
    return lambda document: not inner(document)


def _on_path(condition: Condition) -> Test:
    if condition.op == "$all":
        tests = [_compile(node) for node in condition.operand]
        return lambda document: bool(tests) and all(test(document) for test in tests)
    test = value_test(condition)
    parts = split(condition.path)
    if condition.op in {"$exists", "$size", "$elemMatch"}:
        return lambda document: any(map(test, leaves(document, parts)))
    if len(parts) > 1:
        return lambda document: any(map(test, values(document, parts)))
    name = parts[0]

    def simple(document: Document) -> bool:
        value = document.get(name, MISSING)
        if type(value) is list:
            return any(map(test, value)) or test(value)
        return test(value)

    return simple


def value_test(condition: Condition) -> Test:
    """The test of one value that the condition's path leads to."""
    op, operand = condition.op, condition.operand
    if op in _COMPARE:
        return _ordering(op, operand)
    return _TESTS[op](operand)


def equality(operand: Any) -> Test:
    """Whether a value is what MongoDB calls equal; null also equals a missing field."""
    if operand is None:
        return lambda value: value is None or value is MISSING
    kind = type(operand)
    if kind in _PLAIN:
        return lambda value: type(value) is kind and bool(value == operand)
    if kind in _NUMBERS and operand == operand:  # noqa: PLR0124  NaN is not itself
        return lambda value: type(value) in _NUMBERS and bool(value == operand)
    key = keys.encode(operand)
    return lambda value: value is not MISSING and keys.encode(value) == key


def _membership(operands: list[Any]) -> Test:
    wanted = {keys.encode(operand) for operand in operands}

    def test(value: Any) -> bool:
        return (keys.NULL_KEY if value is MISSING else keys.encode(value)) in wanted

    return test


def _ordering(op: str, operand: Any) -> Test:
    """Comparison within the operand's type only: MongoDB's type bracketing."""
    compare = _COMPARE[op]
    kind = type(operand)
    if kind in _PLAIN:
        return lambda value: type(value) is kind and compare(value, operand)
    if kind in _NUMBERS:
        if operand == operand:  # noqa: PLR0124
            return lambda value: type(value) in _NUMBERS and compare(value, operand)
        includes = op in {"$gte", "$lte"}
        return lambda value: (
            includes and type(value) is float and value != value  # noqa: PLR0124
        )
    if operand is None:
        return lambda value: False
    key = keys.encode(operand)

    def test(value: Any) -> bool:
        if value is MISSING:
            return False
        other = keys.encode(value)
        return other[0] == key[0] and compare(other, key)

    return test


def _regex(pattern: re.Pattern[str]) -> Test:
    search = pattern.search
    same = keys.encode(Regex.from_native(pattern))

    def test(value: Any) -> bool:
        if type(value) is str:
            return search(value) is not None
        return type(value) is Regex and keys.encode(value) == same

    return test


def _has_type(value: Any, names: frozenset[str]) -> bool:
    name = _TYPE_NAMES.get(type(value), "")
    return name in names or ("number" in names and name in {"double", "int", "long", "decimal"})


def _element(each: Each) -> Test:
    """`$elemMatch`: one element for which all hold at once."""
    if each.as_value:
        on_value = _on_value(each.nodes)
        return lambda array: type(array) is list and any(map(on_value, array))
    on_document = compile_nodes(each.nodes)

    def test(array: Any) -> bool:
        if type(array) is not list:
            return False
        return any(on_document(_as_document(item)) for item in array if type(item) in {dict, list})

    return test


def _as_document(item: Any) -> Document:
    if type(item) is list:
        return {str(place): element for place, element in enumerate(item)}
    return dict(item)


def _on_value(nodes: Nodes) -> Test:
    tests = [_value_node(node) for node in nodes]
    return lambda value: all(test(value) for test in tests)


def _value_node(node: Node) -> Test:
    if isinstance(node, Either):
        branches = [_on_value(branch) for branch in node.branches]
        return lambda value: any(branch(value) for branch in branches)
    if not isinstance(node, Condition):
        inner = _on_value(node.nodes)
        return lambda value: not inner(value)
    if node.op == "$all":
        return _on_value(node.operand)
    return value_test(node)


_TESTS: Final[Mapping[str, Callable[[Any], Test]]] = MappingProxyType(
    {
        "$eq": equality,
        "$in": _membership,
        "$regex": _regex,
        "$exists": lambda _: lambda value: value is not MISSING,
        "$size": lambda size: lambda value: type(value) is list and len(value) == size,
        "$type": lambda names: lambda value: _has_type(value, names),
        "$elemMatch": _element,
    }
)
