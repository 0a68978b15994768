"""A filter document parsed into conditions, every operator checked. Pure.

The planner reads the conditions to choose an index, the matcher compiles them into a test. A
filter is a tuple of nodes that must all hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from bson import DBRef, MaxKey, MinKey, Regex

from chatme.storage.embedded.errors import BAD_VALUE, Refusal, UnsupportedError
from chatme.storage.embedded.paths import Document
from chatme.storage.embedded.regex import compile_regex


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One operator on one path; `path` is empty inside an `$elemMatch` of plain values."""

    path: str
    op: str
    operand: Any


@dataclass(frozen=True, slots=True, eq=False)
class Not:
    """Holds where the nodes do not all hold (`$not`, `$ne`, `$nin`, `$exists: false`)."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Either:
    """Holds where one of the branches holds (`$or`; `$nor` is its `Not`)."""

    branches: tuple[Nodes, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Each:
    """The operand of an `$elemMatch`: nodes on an element, as a document or as a value."""

    nodes: Nodes
    as_value: bool


Node = Condition | Not | Either
Nodes = tuple[Node, ...]

_TYPES: Final[Mapping[Any, str]] = MappingProxyType(
    {
        1: "double",
        2: "string",
        3: "object",
        4: "array",
        5: "binData",
        7: "objectId",
        8: "bool",
        9: "date",
        10: "null",
        11: "regex",
        16: "int",
        17: "timestamp",
        18: "long",
        19: "decimal",
    }
)
TYPE_NAMES: Final = frozenset({*_TYPES.values(), "number"})


def parse(document: Mapping[str, Any]) -> Nodes:
    """The nodes of a filter, as `bson.decode` gives it.

    Raises:
        Refusal: what MongoDB calls a bad value.
        UnsupportedError: an operator outside this engine's scope.
    """
    nodes: list[Node] = []
    for key, value in document.items():
        if not key.startswith("$"):
            _parse_field(key, value, nodes)
        elif key == "$and":
            for branch in _branches(key, value):
                nodes.extend(branch)
        elif key == "$or":
            nodes.append(Either(_branches(key, value)))
        elif key == "$nor":
            nodes.append(Not((Either(_branches(key, value)),)))
        elif key != "$comment":
            raise UnsupportedError(f"{key} in a filter")
    return tuple(nodes)


def _branches(key: str, value: Any) -> tuple[Nodes, ...]:
    if type(value) is not list or not value:
        raise Refusal(BAD_VALUE, f"{key} must be a nonempty array")
    for branch in value:
        if type(branch) is not dict:
            raise Refusal(BAD_VALUE, f"{key} argument's entries must be objects")
    return tuple(parse(branch) for branch in value)


def _parse_field(path: str, value: Any, nodes: list[Node]) -> None:
    if type(value) is dict:
        if is_operators(value):
            _parse_operators(path, value, nodes)
            return
    elif type(value) is Regex:
        nodes.append(Condition(path, "$regex", compile_regex(value)))
        return
    nodes.append(_equal(path, value))


def is_operators(value: Any) -> bool:
    """Whether a filter's value is a document of operators rather than one to be equal to."""
    return type(value) is dict and next(iter(value), "").startswith("$")


def _parse_operators(path: str, operators: Document, nodes: list[Node]) -> None:
    for op, operand in operators.items():
        if op == "$options" and "$regex" in operators:
            continue
        if op == "$regex":
            nodes.append(_regex(path, operand, operators.get("$options", "")))
            continue
        parser = _PARSERS.get(op)
        if parser is None:
            raise UnsupportedError(f"{op} in a filter")
        nodes.append(parser(path, operand))


def _equal(path: str, operand: Any) -> Node:
    if isinstance(operand, (DBRef, Regex)):
        raise UnsupportedError(f"equality to a {type(operand).__name__}")
    return Condition(path, "$eq", operand)


def _not_equal(path: str, operand: Any) -> Node:
    if type(operand) is Regex:
        raise Refusal(BAD_VALUE, "Can't have regex as arg to $ne.")
    return Not((_equal(path, operand),))


def _ordered(op: str) -> Callable[[str, Any], Node]:
    def parser(path: str, operand: Any) -> Node:
        if type(operand) is Regex:
            raise Refusal(BAD_VALUE, f"Can't have RegEx as arg to predicate over field '{path}'.")
        if isinstance(operand, (MinKey, MaxKey)):
            raise UnsupportedError(f"{op} with MinKey or MaxKey")
        if operand is None and op in {"$gte", "$lte"}:
            return Condition(path, "$eq", None)
        return Condition(path, op, operand)

    return parser


def _in(path: str, operand: Any) -> Node:
    if type(operand) is not list:
        raise Refusal(BAD_VALUE, "$in needs an array")
    patterns = tuple(compile_regex(item) for item in operand if type(item) is Regex)
    for item in operand:
        if is_operators(item):
            raise Refusal(BAD_VALUE, "cannot nest $ under $in")
    if patterns:
        plain = [item for item in operand if type(item) is not Regex]
        matches = [(Condition(path, "$regex", pattern),) for pattern in patterns]
        return Either(((Condition(path, "$in", plain),), *matches))
    return Condition(path, "$in", operand)


def _not_in(path: str, operand: Any) -> Node:
    if type(operand) is not list:
        raise Refusal(BAD_VALUE, "$nin needs an array")
    return Not((_in(path, operand),))


def _exists(path: str, operand: Any) -> Node:
    there = Condition(path, "$exists", True)
    return there if operand else Not((there,))


def _not(path: str, operand: Any) -> Node:
    inner: list[Node] = []
    if type(operand) is Regex:
        inner.append(Condition(path, "$regex", compile_regex(operand)))
    elif not is_operators(operand):
        raise Refusal(BAD_VALUE, "$not needs a regex or a document")
    else:
        _parse_operators(path, operand, inner)
    return Not(tuple(inner))


def _regex(path: str, operand: Any, options: Any) -> Node:
    if not isinstance(operand, (str, Regex)):
        raise Refusal(BAD_VALUE, "$regex has to be a string")
    if type(options) is not str:
        raise Refusal(BAD_VALUE, "$options has to be a string")
    return Condition(path, "$regex", compile_regex(operand, options))


def _size(path: str, operand: Any) -> Node:
    whole = isinstance(operand, int) or (type(operand) is float and operand.is_integer())
    if not whole or isinstance(operand, bool):
        raise Refusal(BAD_VALUE, f"Failed to parse $size. Expected a number in: $size: {operand!r}")
    if operand < 0:
        raise Refusal(
            BAD_VALUE, f"Failed to parse $size. Expected a non-negative number in: {operand}"
        )
    return Condition(path, "$size", int(operand))


def _all(path: str, operand: Any) -> Node:
    if type(operand) is not list:
        raise Refusal(BAD_VALUE, "$all needs an array")
    nodes: list[Node] = []
    for item in operand:
        if type(item) is Regex:
            nodes.append(Condition(path, "$regex", compile_regex(item)))
        elif is_operators(item):
            if list(item) != ["$elemMatch"]:
                raise Refusal(BAD_VALUE, "no $ expressions in $all")
            nodes.append(_elem_match(path, item["$elemMatch"]))
        else:
            nodes.append(Condition(path, "$eq", item))
    return Condition(path, "$all", tuple(nodes))


def _elem_match(path: str, operand: Any) -> Node:
    if type(operand) is not dict:
        raise Refusal(BAD_VALUE, "$elemMatch needs an Object")
    first = next(iter(operand), "")
    as_value = first.startswith("$") and first not in {"$and", "$or", "$nor"}
    if not as_value:
        return Condition(path, "$elemMatch", Each(parse(operand), as_value=False))
    nodes: list[Node] = []
    _parse_operators("", operand, nodes)
    return Condition(path, "$elemMatch", Each(tuple(nodes), as_value=True))


def _type(path: str, operand: Any) -> Node:
    names = set()
    for item in operand if type(operand) is list else [operand]:
        name = _TYPES.get(item, item) if not isinstance(item, bool) else item
        if name not in TYPE_NAMES:
            raise Refusal(BAD_VALUE, f"Unknown type name alias: {item}")
        names.add(name)
    if not names:
        raise Refusal(BAD_VALUE, f"{path} must match at least one type")
    return Condition(path, "$type", frozenset(names))


_PARSERS: Final[Mapping[str, Callable[[str, Any], Node]]] = MappingProxyType(
    {
        "$eq": _equal,
        "$ne": _not_equal,
        "$in": _in,
        "$nin": _not_in,
        "$gt": _ordered("$gt"),
        "$gte": _ordered("$gte"),
        "$lt": _ordered("$lt"),
        "$lte": _ordered("$lte"),
        "$exists": _exists,
        "$not": _not,
        "$size": _size,
        "$all": _all,
        "$elemMatch": _elem_match,
        "$type": _type,
    }
)
