"""What an index is: its definition, the keys of a document in it, and when two of them clash. Pure.

A document's keys are the joined encodings of its fields, one key for each element of an array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bson import SON, Int64

from chatme.storage.embedded.errors import (
    CANNOT_CREATE_INDEX,
    INDEX_KEY_SPECS_CONFLICT,
    INDEX_OPTIONS_CONFLICT,
    PARALLEL_ARRAYS,
    Refusal,
    UnsupportedError,
)
from chatme.storage.embedded.filters import Condition, Node, Nodes, parse
from chatme.storage.embedded.keys import encode, invert
from chatme.storage.embedded.matcher import compile_nodes
from chatme.storage.embedded.paths import (
    MISSING,
    Document,
    Parts,
    field_keys,
    is_missing,
    split,
    values,
)

ID_INDEX = "_id_"
_OPTIONS = frozenset(
    {"unique", "sparse", "partialFilterExpression", "expireAfterSeconds", "background"}
)
_PARTIAL_OPS = frozenset({"$eq", "$gt", "$gte", "$lt", "$lte", "$exists", "$type", "$in"})


@dataclass(frozen=True, slots=True)
class IndexField:
    """One field of an index: its dotted path and 1 (ascending) or -1."""

    path: str
    parts: Parts
    direction: int


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """An index as its creator asked for it."""

    name: str
    fields: tuple[IndexField, ...]
    unique: bool = False
    sparse: bool = False
    partial: Document | None = None
    expire_after: float | None = None
    conditions: Nodes = field(default=(), compare=False)
    covers: Callable[[Document], bool] | None = field(default=None, compare=False)

    @property
    def pattern(self) -> dict[str, int]:
        """`keyPattern`, as MongoDB shows it."""
        return {each.path: each.direction for each in self.fields}

    @property
    def signature(self) -> tuple[Any, ...]:
        """What tells two indexes on one collection apart."""
        return (tuple(self.pattern.items()), self.unique, self.sparse, _frozen(self.partial))

    def to_document(self) -> Document:
        """The definition, as stored in the catalog."""
        document: Document = {"name": self.name, "key": dict(self.pattern)}
        for name, value in (("unique", self.unique), ("sparse", self.sparse)):
            if value:
                document[name] = True
        if self.partial is not None:
            document["partialFilterExpression"] = self.partial
        if self.expire_after is not None:
            document["expireAfterSeconds"] = self.expire_after
        return document

    def information(self) -> Document:
        """The entry of `index_information`."""
        entry: Document = {"v": 2, "key": list(self.pattern.items())}
        rest = self.to_document()
        if self.name == ID_INDEX:
            # MongoDB does not say of this one that it is unique, though it is.
            return entry
        return entry | {name: rest[name] for name in rest if name not in {"name", "key"}}

    def key_value(self, document: Document, key: bytes) -> Document:
        """`keyValue` of a duplicate: for each field the value that this key stands for."""
        found: Document = {}
        place = 0
        for each in self.fields:
            for value, encoded in _encoded_values(each, document):
                if key.startswith(encoded, place):
                    found[each.path] = value
                    place += len(encoded)
                    break
        return found


def _frozen(partial: Document | None) -> str:
    return "" if partial is None else repr(partial)


def _encoded_values(each: IndexField, document: Document) -> list[tuple[Any, bytes]]:
    """Each value of one field with its key; what has a key but no value comes as null."""
    pairs = [
        (value, encode(value))
        for value in values(document, each.parts)
        if value is not MISSING and type(value) is not list
    ]
    pairs += [(None, key) for key in field_keys(document, each.parts)[0]]
    if each.direction > 0:
        return pairs
    return [(value, invert(key)) for value, key in pairs]


def id_index() -> IndexSpec:
    """The index that every collection has."""
    return IndexSpec(ID_INDEX, (IndexField("_id", ("_id",), 1),), unique=True)


def parse_index(document: Mapping[str, Any]) -> IndexSpec:
    """The definition in an `IndexModel`'s document.

    Raises:
        Refusal: what MongoDB refuses (an empty key, `sparse` with a partial filter, …).
        UnsupportedError: an option or a kind of index outside this engine's scope.
    """
    name, key = document.get("name"), document.get("key")
    if not isinstance(key, (dict, SON)) or not key:
        raise Refusal(CANNOT_CREATE_INDEX, "Index keys cannot be an empty document")
    for option in document:
        if option not in _OPTIONS | {"name", "key", "v"}:
            raise UnsupportedError(f"the index option {option}")
    fields = tuple(_index_field(path, direction) for path, direction in key.items())
    sparse, partial = bool(document.get("sparse")), document.get("partialFilterExpression")
    if sparse and partial is not None:
        raise Refusal(
            CANNOT_CREATE_INDEX,
            'cannot mix "partialFilterExpression" and "sparse" options',
        )
    conditions = _partial_conditions(partial)
    spec = IndexSpec(
        str(name),
        fields,
        bool(document.get("unique")),
        sparse,
        None if partial is None else dict(partial),
        _expire_after(document, fields),
        conditions,
        compile_nodes(conditions) if partial is not None else None,
    )
    if spec.pattern == {"_id": 1}:
        return id_index()
    return spec


def _index_field(path: str, direction: Any) -> IndexField:
    if not isinstance(direction, (int, float)) or isinstance(direction, bool):
        raise UnsupportedError(f"an index of the kind {direction!r}")
    if direction not in (1, -1):
        raise UnsupportedError(f"an index direction of {direction!r}")
    if not path or path.startswith(".") or path.endswith(".") or ".." in path:
        raise Refusal(CANNOT_CREATE_INDEX, "Index keys cannot contain an empty field.")
    if "$" in path:
        raise UnsupportedError(f"an index on {path}")
    return IndexField(path, split(path), int(direction))


def _expire_after(document: Mapping[str, Any], fields: tuple[IndexField, ...]) -> float | None:
    seconds = document.get("expireAfterSeconds")
    if seconds is None:
        return None
    if len(fields) > 1 or fields[0].path == "_id":
        raise Refusal(
            CANNOT_CREATE_INDEX,
            "TTL indexes are single-field indexes, compound indexes do not support TTL",
        )
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
        raise Refusal(CANNOT_CREATE_INDEX, "TTL index 'expireAfterSeconds' must be a number >= 0")
    return int(seconds) if isinstance(seconds, Int64) else seconds


def _partial_conditions(partial: Any) -> Nodes:
    if partial is None:
        return ()
    if not isinstance(partial, dict):
        raise Refusal(CANNOT_CREATE_INDEX, "partialFilterExpression must be an object")
    nodes = parse(partial)
    for node in nodes:
        if not isinstance(node, Condition) or node.op not in _PARTIAL_OPS:
            raise Refusal(
                CANNOT_CREATE_INDEX,
                f"Expression not supported in partial index: {_describe(node)}",
            )
    return nodes


def _describe(node: Node) -> str:
    return node.op if isinstance(node, Condition) else type(node).__name__.lower()


def document_keys(spec: IndexSpec, document: Document) -> tuple[list[bytes], int]:
    """The document's keys in the index, and a bit for each field that held an array.

    Empty where a partial or sparse index leaves the document out.

    Raises:
        Refusal: two fields hold arrays (MongoDB cannot index parallel arrays).
        UnsupportedError: two fields lie in one array, or a value has no order.
    """
    if spec.covers is not None and not spec.covers(document):
        return [], 0
    if spec.sparse and all(is_missing(document, each.parts) for each in spec.fields):
        return [], 0
    joined = [b""]
    arrays = 0
    for bit, each in enumerate(spec.fields):
        keys, array = field_keys(document, each.parts)
        if array:
            if arrays:
                _refuse_arrays(spec, arrays, each)
            arrays |= 1 << bit
        if each.direction < 0:
            keys = [invert(key) for key in keys]
        if len(keys) == 1:
            joined = [head + keys[0] for head in joined]
        else:
            joined = [head + key for head in joined for key in keys]
    return joined, arrays


def _refuse_arrays(spec: IndexSpec, arrays: int, second: IndexField) -> None:
    first = spec.fields[arrays.bit_length() - 1]
    if first.parts[0] == second.parts[0]:
        raise UnsupportedError("an index on two fields of one array")
    raise Refusal(PARALLEL_ARRAYS, f"cannot index parallel arrays [{second.path}] [{first.path}]")


def find_conflict(wanted: IndexSpec, existing: list[IndexSpec]) -> bool:
    """Whether the index is there already.

    Raises:
        Refusal: an index of that name (86) or of those keys (85) is there, but another one.
    """
    for spec in existing:
        if spec.name == wanted.name:
            if spec.signature != wanted.signature:
                raise Refusal(
                    INDEX_KEY_SPECS_CONFLICT,
                    "An existing index has the same name as the requested index. "
                    f"Requested index: {wanted.to_document()}, "
                    f"existing index: {spec.to_document()}",
                )
            if spec.expire_after != wanted.expire_after:
                raise Refusal(
                    INDEX_OPTIONS_CONFLICT,
                    "An equivalent index already exists with the same name but different "
                    f"options. Requested index: {wanted.to_document()}, "
                    f"existing index: {spec.to_document()}",
                )
            return True
    for spec in existing:
        if spec.signature == wanted.signature:
            raise Refusal(
                INDEX_OPTIONS_CONFLICT,
                f"Index already exists with a different name: {spec.name}",
            )
    return False
