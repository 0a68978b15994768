"""Projections that include or exclude fields. Pure.

The rest of what MongoDB projects (expressions, `$slice`, `$elemMatch`, the positional `$`) is
refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatme.storage.embedded.errors import Refusal, UnsupportedError
from chatme.storage.embedded.paths import Document, split

Project = Callable[[Document], Document]
Tree = dict[str, Any]


def compile_projection(projection: Mapping[str, Any] | None) -> Project | None:
    """A function from a document to what of it is shown, or None to show all.

    Raises:
        Refusal: inclusion and exclusion are mixed.
        UnsupportedError: anything but a plain 0, 1, true or false.
    """
    if not projection:
        return None
    with_id: bool | None = None
    included: bool | None = None
    tree: Tree = {}
    for path, value in projection.items():
        if not isinstance(value, (bool, int, float)) or "$" in path:
            raise UnsupportedError(f"the projection {path}: {value!r}")
        if path == "_id":
            with_id = bool(value)
            continue
        if included is not None and included != bool(value):
            kind, code = ("inclusion", 31254) if included else ("exclusion", 31253)
            raise Refusal(
                code,
                f"Cannot do {'ex' if included else 'in'}clusion on field {path} in {kind} "
                "projection",
            )
        included = bool(value)
        _add(tree, path)
    if included is None:
        included = bool(with_id)
    # `_id` is shown unless it is excluded by name.
    if included == (with_id is not False):
        tree["_id"] = None
    if included:
        return lambda document: _include(document, tree)
    return lambda document: _exclude(document, tree)


def _add(tree: Tree, path: str) -> None:
    *parents, last = split(path)
    for name in parents:
        below = tree.setdefault(name, {})
        if below is None:
            raise Refusal(31249, f"Path collision at {path}")
        tree = below
    if last in tree:
        raise Refusal(31250, f"Path collision at {path}")
    tree[last] = None


def _include(document: Document, tree: Tree) -> Document:
    shown: Document = {}
    for name, value in document.items():
        if name not in tree:
            continue
        below = tree[name]
        if below is None:
            shown[name] = value
        elif type(value) is dict:
            shown[name] = _include(value, below)
        elif type(value) is list:
            shown[name] = _include_each(value, below)
    return shown


def _include_each(array: list[Any], tree: Tree) -> list[Any]:
    shown: list[Any] = []
    for item in array:
        if type(item) is dict:
            shown.append(_include(item, tree))
        elif type(item) is list:
            shown.append(_include_each(item, tree))
    return shown


def _exclude(document: Document, tree: Tree) -> Document:
    shown: Document = {}
    for name, value in document.items():
        if name not in tree:
            shown[name] = value
        elif tree[name] is not None:
            shown[name] = _exclude_in(value, tree[name])
    return shown


def _exclude_in(value: Any, tree: Tree) -> Any:
    if type(value) is dict:
        return _exclude(value, tree)
    if type(value) is list:
        return [_exclude_in(item, tree) for item in value]
    return value
