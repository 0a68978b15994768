"""Dotted paths, read as MongoDB's matcher, its indexes and its sorting read them. Pure.

A path walks into embedded documents; into an array it walks twice: into the element that a
number names, and into every element that is a document.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chatme.storage.embedded.keys import NULL_KEY, UNDEFINED_KEY, encode, invert

Document = dict[str, Any]
Parts = tuple[str, ...]


class _Missing:
    """The one value of a field that is not there."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


def split(path: str) -> Parts:
    """The field names of a dotted path."""
    return tuple(path.split("."))


def array_index(part: str) -> int:
    """The position that a path's part names in an array, or -1."""
    if part.isascii() and part.isdigit() and (part == "0" or part[0] != "0"):
        return int(part)
    return -1


def leaves(value: Any, parts: Parts, start: int = 0) -> Iterator[Any]:
    """What a path leads to, an array at its end unopened; `MISSING` where a document lacks it.

    Nothing at all comes where the path ends in an array without documents, as in MongoDB:
    `{a: []}` and `{a: [1]}` do not match `{"a.b": null}`.
    """
    for found, _ in _walk(value, parts, start):
        yield found


def values(value: Any, parts: Parts) -> Iterator[Any]:
    """What a comparison looks at: each end of the path, and the elements of an array there."""
    for found, opens in _walk(value, parts, 0):
        if opens and type(found) is list:
            yield from found
        yield found


def _walk(value: Any, parts: Parts, start: int) -> Iterator[tuple[Any, bool]]:
    """(end, whether an array there is opened): one that a number named is taken as it is."""
    count = len(parts)
    for place in range(start, count):
        if type(value) is not dict:
            yield MISSING, False
            return
        value = value.get(parts[place], MISSING)
        if value is MISSING:
            yield MISSING, False
            return
        if type(value) is list and place + 1 < count:
            yield from _walk_array(value, parts, place + 1)
            return
    yield value, True


def _walk_array(array: list[Any], parts: Parts, place: int) -> Iterator[tuple[Any, bool]]:
    named = array_index(parts[place])
    last = place + 1 == len(parts)
    for position, element in enumerate(array):
        if type(element) is dict:
            yield from _walk(element, parts, place)
        if position != named:
            continue
        if last:
            yield element, False
        elif type(element) is dict:
            yield from _walk(element, parts, place + 1)
        elif type(element) is list:
            yield from _walk_array(element, parts, place + 1)


def field_keys(document: Document, parts: Parts) -> tuple[list[bytes], bool]:
    """The index keys of one field, without doubles, and whether an array was met on the way.

    A missing field has the key of null; an empty array a key below it, as in MongoDB.
    """
    if len(parts) == 1:
        value = document.get(parts[0])
        if type(value) is not list:
            return [encode(value)], False
        return _element_keys(value), True
    value = _plain(document, parts)
    if value is not _ARRAY:
        if type(value) is not list:
            return [encode(value)], False
        return _element_keys(value), True
    keys: dict[bytes, None] = {}
    for found, opens in _walk(document, parts, 0):
        if found is MISSING:
            keys[NULL_KEY] = None
        elif opens and type(found) is list:
            keys.update(dict.fromkeys(_element_keys(found)))
        else:
            keys[encode(found)] = None
    return list(keys) or [NULL_KEY], True


def is_missing(document: Document, parts: Parts) -> bool:
    """Whether the path leads nowhere at all (what a sparse index leaves out)."""
    return all(found is MISSING for found in leaves(document, parts))


_ARRAY: Final = object()


def _plain(document: Document, parts: Parts) -> Any:
    """The end of a path that meets no array before it, None where missing; else `_ARRAY`."""
    value: Any = document
    for part in parts:
        if type(value) is list:
            return _ARRAY
        if type(value) is not dict:
            return None
        value = value.get(part)
    return value


def _element_keys(array: list[Any]) -> list[bytes]:
    if not array:
        return [UNDEFINED_KEY]
    return list(dict.fromkeys(map(encode, array)))


def sort_key(document: Document, order: tuple[tuple[Parts, int], ...]) -> bytes:
    """One key by which documents sort; an array counts by its least or greatest element."""
    from_each = []
    for parts, direction in order:
        keys, _ = field_keys(document, parts)
        from_each.append(min(keys) if direction > 0 else invert(max(keys)))
    return b"".join(from_each)
