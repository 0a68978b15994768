"""What a filter tells of a document: the one an upsert inserts, the element of `$`. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatme.storage.embedded.errors import (
    BAD_VALUE,
    NOT_SINGLE_VALUE,
    Refusal,
    UnsupportedError,
)
from chatme.storage.embedded.filters import Condition, Each, Either, Node, Nodes
from chatme.storage.embedded.matcher import compile_nodes
from chatme.storage.embedded.paths import MISSING, Document, Parts, leaves, split


def seed(nodes: Nodes) -> Document:
    """The document that the filter's equalities describe, `_id` first.

    Raises:
        Refusal: two equalities speak of one path.
        UnsupportedError: the filter is one of which MongoDB's versions make different documents.
    """
    document: Document = {}
    equalities = list(_equalities(nodes))
    equalities.sort(key=lambda condition: condition.path != "_id")
    taken: list[Parts] = []
    for condition in equalities:
        parts = split(condition.path)
        for other in taken:
            short = min(len(parts), len(other))
            if parts[:short] == other[:short]:
                raise Refusal(
                    NOT_SINGLE_VALUE,
                    "cannot infer query fields to set, "
                    f"path '{'.'.join(parts[:short])}' is matched twice",
                )
        taken.append(parts)
        holder = document
        for part in parts[:-1]:
            holder = holder.setdefault(part, {})
        holder[parts[-1]] = condition.operand
    return document


def _equalities(nodes: Nodes) -> Iterator[Condition]:
    for node in nodes:
        if isinstance(node, Either) and len(node.branches) == 1:
            raise UnsupportedError("an upsert by $or with one branch")
        if not isinstance(node, Condition):
            continue
        if node.op == "$eq":
            yield node
        elif node.op in {"$in", "$all"} and len(node.operand) == 1:
            raise UnsupportedError(f"an upsert by {node.op} with one value")


def matched_place(nodes: Nodes, document: Document, array: Parts) -> int:
    """The index of the array's element that the filter matched, for the positional `$`.

    Raises:
        Refusal: no condition of the filter is about the array.
        UnsupportedError: the conditions match different elements (MongoDB does not say which
            one counts): an `$elemMatch` says what is meant.
    """
    places = set()
    value = next(leaves(document, array), MISSING)
    if type(value) is list:
        for node in nodes:
            test = _element_test(node, array)
            if test is not None:
                places.update([place for place, item in enumerate(value) if test(item)][:1])
    if not places:
        raise Refusal(
            BAD_VALUE,
            "The positional operator did not find the match needed from the query.",
        )
    if len(places) > 1:
        raise UnsupportedError("the positional $ with several conditions on one array")
    return places.pop()


def _element_test(node: Node, array: Parts) -> Any:
    """A test of one element, if the node is a condition on the array's elements."""
    if not isinstance(node, Condition):
        return None
    parts = split(node.path)
    if parts[: len(array)] != array or node.op in {"$size", "$all"}:
        return None
    rest = ".".join(parts[len(array) :])
    if node.op == "$elemMatch" and not rest:
        each: Each = node.operand
        whole = compile_nodes((Condition("item", "$elemMatch", each),))
        return lambda item: whole({"item": [item]})
    on_element = compile_nodes(
        (Condition(f"item.{rest}" if rest else "item", node.op, node.operand),)
    )
    if not rest:
        return lambda item: type(item) is not list and on_element({"item": item})
    return lambda item: type(item) is dict and on_element({"item": item})
