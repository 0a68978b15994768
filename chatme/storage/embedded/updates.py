"""Update documents, applied to one decoded document as MongoDB applies them. Pure.

Operators act field by field in the order of the fields' names, as MongoDB does, whatever the
order in which they were written. What is out of scope is refused by name when the update is
parsed, before any document is looked at.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from bson import Decimal128, Int64

from chatme.storage.embedded.errors import (
    BAD_VALUE,
    CONFLICTING_UPDATE,
    PATH_NOT_VIABLE,
    TYPE_MISMATCH,
    Refusal,
    UnsupportedError,
)
from chatme.storage.embedded.filters import Condition, is_operators, parse
from chatme.storage.embedded.keys import encode
from chatme.storage.embedded.matcher import Test, compile_nodes, equality
from chatme.storage.embedded.paths import MISSING, Document, Parts, array_index, split

_INT64 = 1 << 63
_PADDING = 1_500_000  # MongoDB's own bound on what an index may add to an array


@dataclass(frozen=True, slots=True)
class Step:
    """One operator on one path; `change` maps the old value (or `MISSING`) to the new one."""

    parts: Parts
    change: Callable[[Any], Any]
    removes: bool = False
    on_insert: bool = False

    @property
    def path(self) -> str:
        """The path as it was written."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Update:
    """A parsed update: its steps in the order in which they act."""

    steps: tuple[Step, ...]

    @property
    def positional(self) -> list[Parts]:
        """The paths of the arrays for which the filter must say which element it matched."""
        return [step.parts[: step.parts.index("$")] for step in self.steps if "$" in step.parts]


def parse_update(document: Mapping[str, Any]) -> Update:
    """Check an update document, as `bson.decode` gives it.

    Raises:
        Refusal: what MongoDB refuses (two operators on one path, an argument of a wrong type).
        UnsupportedError: an operator or a modifier outside this engine's scope.
    """
    steps: list[Step] = []
    for op, fields in document.items():
        make = _OPERATORS.get(op)
        if make is None:
            raise UnsupportedError(f"{op} in an update")
        if type(fields) is not dict:
            raise Refusal(
                9,
                f"Modifiers operate on fields but we found type {_name(fields)} instead. "
                f"For example: {{$mod: {{<field>: ...}}}} not {{{op}: {fields!r}}}",
            )
        for path, operand in fields.items():
            parts = _checked(path)
            steps.append(Step(parts, make(path, operand), op == "$unset", op == "$setOnInsert"))
    steps.sort(key=lambda step: [_part_order(part) for part in step.parts])
    for before, after in itertools.pairwise(steps):
        if after.parts[: len(before.parts)] == before.parts:
            raise Refusal(
                CONFLICTING_UPDATE,
                f"Updating the path '{after.path}' would create a conflict at '{before.path}'",
            )
    return Update(tuple(steps))


def _part_order(part: str) -> tuple[int, int, str]:
    number = array_index(part)
    return (0, number, "") if number >= 0 else (1, 0, part)


def _checked(path: str) -> Parts:
    parts = split(path)
    if not path or "" in parts:
        raise Refusal(56, f"The update path '{path}' contains an empty field name")
    if parts[0] == "$":
        raise Refusal(BAD_VALUE, f"Cannot have positional (i.e. '$') element first: '{path}'")
    if parts.count("$") > 1:
        raise Refusal(BAD_VALUE, f"Too many positional (i.e. '$') elements found in path '{path}'")
    for part in parts:
        if part.startswith("$[") or (part.startswith("$") and part != "$"):
            raise UnsupportedError(f"{part} in an update's path")
    return parts


def apply_update(
    document: Document, update: Update, *, places: Mapping[Parts, int], inserting: bool = False
) -> None:
    """Change the document in place.

    Args:
        places: for each array with a positional `$`, the index of the element matched.
        inserting: the document is being upserted: `$setOnInsert` acts too.

    Raises:
        Refusal: a step cannot be applied; the document is then half changed and to be dropped.
    """
    for step in update.steps:
        if step.on_insert and not inserting:
            continue
        _apply(document, step, _resolved(step.parts, places))


def _resolved(parts: Parts, places: Mapping[Parts, int]) -> Parts:
    if "$" not in parts:
        return parts
    at = parts.index("$")
    return (*parts[:at], str(places[parts[:at]]), *parts[at + 1 :])


def _apply(document: Document, step: Step, parts: Parts) -> None:
    holder: Any = document
    for place, part in enumerate(parts[:-1]):
        below = _get(holder, part)
        if below is MISSING:
            if step.removes or step.change(MISSING) is MISSING:
                return
            below = {}
            _put(holder, part, below)
        elif type(below) not in {dict, list} or (
            type(below) is list and array_index(parts[place + 1]) < 0
        ):
            if step.removes:
                return
            _refuse_path(parts[place + 1], part, below)
        holder = below
    last = parts[-1]
    if step.removes:
        _remove(holder, last)
        return
    before = _get(holder, last)
    after = step.change(before)
    if after is not MISSING:
        _put(holder, last, after)


def _refuse_path(part: str, holder_name: str, holder: Any) -> None:
    raise Refusal(
        PATH_NOT_VIABLE,
        f"Cannot create field '{part}' in element {{{holder_name}: {holder!r}}}",
    )


def _get(holder: Any, part: str) -> Any:
    if type(holder) is dict:
        return holder.get(part, MISSING)
    place = array_index(part)
    return holder[place] if 0 <= place < len(holder) else MISSING


def _put(holder: Any, part: str, value: Any) -> None:
    if type(holder) is dict:
        holder[part] = value
        return
    place = array_index(part)
    if place - len(holder) > _PADDING:
        raise Refusal(BAD_VALUE, "can't backfill more than 1500000 elements")
    while len(holder) <= place:
        holder.append(None)
    holder[place] = value


def _remove(holder: Any, part: str) -> None:
    if type(holder) is dict:
        holder.pop(part, None)
        return
    place = array_index(part)
    if 0 <= place < len(holder):
        holder[place] = None


Change = Callable[[Any], Any]


def _set(_: str, operand: Any) -> Change:
    return lambda _: operand


def _unset(_: str, operand: Any) -> Change:
    return lambda before: before


def _inc(path: str, operand: Any) -> Change:
    if isinstance(operand, Decimal128):
        raise UnsupportedError("$inc with Decimal128")
    if type(operand) not in {int, Int64, float}:
        raise Refusal(
            TYPE_MISMATCH, f"Cannot increment with non-numeric argument: {{{path}: {operand!r}}}"
        )

    def change(before: Any) -> Any:
        if before is MISSING:
            return operand
        if isinstance(before, Decimal128):
            raise UnsupportedError("$inc of a Decimal128")
        if type(before) not in {int, Int64, float}:
            raise Refusal(
                TYPE_MISMATCH,
                "Cannot apply $inc to a value of non-numeric type. "
                f"The field '{path}' is of non-numeric type {_name(before)}",
            )
        after = before + operand
        if type(after) is float:
            return after
        if not -_INT64 <= after < _INT64:
            raise Refusal(BAD_VALUE, f"Failed to apply $inc operations to current value of {path}")
        return Int64(after) if Int64 in {type(before), type(operand)} else int(after)

    return change


def _extreme(sign: int) -> Callable[[str, Any], Change]:
    def make(_: str, operand: Any) -> Change:
        key = encode(operand)

        def change(before: Any) -> Any:
            if before is MISSING:
                return operand
            other = encode(before)
            return operand if (key < other if sign < 0 else key > other) else before

        return change

    return make


def _array(op: str, path: str, before: Any) -> list[Any]:
    if before is MISSING:
        return []
    if type(before) is not list:
        raise Refusal(
            BAD_VALUE,
            f"The field '{path}' must be an array but is of type {_name(before)}"
            if op == "$push"
            else f"Cannot apply {op} to non-array field. Field named '{path}' has non-array type "
            f"{_name(before)}",
        )
    return before


def _modifiers(op: str, operand: Any, known: set[str]) -> tuple[list[Any], Document]:
    """The values to add, and the other modifiers."""
    if type(operand) is not dict or "$each" not in operand:
        if is_operators(operand):
            raise UnsupportedError(f"{next(iter(operand))} in {op}")
        return [operand], {}
    for modifier in operand:
        if modifier not in known:
            raise UnsupportedError(f"{modifier} in {op}")
    each = operand["$each"]
    if type(each) is not list:
        raise Refusal(
            BAD_VALUE if op == "$push" else TYPE_MISMATCH,
            f"The argument to $each in {op} must be an array but it was of type: {_name(each)}",
        )
    return each, operand


def _push(path: str, operand: Any) -> Change:
    items, modifiers = _modifiers("$push", operand, {"$each", "$slice"})
    cut = modifiers.get("$slice")
    if "$slice" in modifiers and (type(cut) not in {int, Int64}):
        raise Refusal(
            BAD_VALUE, f"The value for $slice must be an integer value but was given {_name(cut)}"
        )

    def change(before: Any) -> Any:
        after = [*_array("$push", path, before), *items]
        if cut is None:
            return after
        return after[:cut] if cut >= 0 else after[cut:]

    return change


def _add_to_set(path: str, operand: Any) -> Change:
    items, _ = _modifiers("$addToSet", operand, {"$each"})
    keyed = [(encode(item), item) for item in items]

    def change(before: Any) -> Any:
        after = list(_array("$addToSet", path, before))
        present = {encode(item) for item in after}
        for key, item in keyed:
            if key not in present:
                present.add(key)
                after.append(item)
        return after

    return change


def _pull(path: str, operand: Any) -> Change:
    goes = _pull_test(operand)

    def change(before: Any) -> Any:
        if before is MISSING:
            return MISSING
        if type(before) is not list:
            raise Refusal(BAD_VALUE, "Cannot apply $pull to a non-array value")
        return [item for item in before if not goes(item)]

    return change


def _pull_test(operand: Any) -> Test:
    if is_operators(operand):
        # The operators are about the element itself, which may be an array.
        on_value = compile_nodes(parse({"item": operand}))
        return lambda item: on_value({"item": item})
    if type(operand) is dict:
        on_document = compile_nodes(parse(operand))
        return lambda item: type(item) is dict and on_document(item)
    nodes = parse({"item": operand})
    if isinstance(nodes[0], Condition) and nodes[0].op == "$regex":
        return lambda item: compile_nodes(nodes)({"item": item})
    return equality(operand)


def _name(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", type(None): "null", float: "double"}
    return names.get(type(value), type(value).__name__)


_OPERATORS: Final[Mapping[str, Callable[[str, Any], Change]]] = MappingProxyType(
    {
        "$set": _set,
        "$setOnInsert": _set,
        "$unset": _unset,
        "$inc": _inc,
        "$min": _extreme(-1),
        "$max": _extreme(1),
        "$push": _push,
        "$addToSet": _add_to_set,
        "$pull": _pull,
    }
)
