"""From what a caller passes to what the engine runs: checks, normalises and parses. Pure.

Filters, updates and documents go once through BSON, as they would over the wire: what cannot be
encoded is refused as pymongo refuses it, dates lose what is finer than milliseconds and time zones
become UTC, and later changes of the caller's own dictionaries do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import bson
from bson import ObjectId
from pymongo.common import validate_ok_for_replace, validate_ok_for_update
from pymongo.errors import DocumentTooLarge

from chatme.storage.embedded.catalog import Namespace
from chatme.storage.embedded.commands import Change
from chatme.storage.embedded.errors import Refusal, UnsupportedError
from chatme.storage.embedded.filters import Nodes, parse
from chatme.storage.embedded.paths import Document
from chatme.storage.embedded.planner import Order
from chatme.storage.embedded.projection import Project, compile_projection
from chatme.storage.embedded.updates import Update, parse_update
from chatme.storage.embedded.writes import MAX_DOCUMENT

# Options that change nothing of an answer here.
HARMLESS = frozenset(
    {
        "session",
        "hint",
        "comment",
        "max_time_ms",
        "maxTimeMS",
        "batch_size",
        "batchSize",
        "allow_disk_use",
        "allowDiskUse",
        "no_cursor_timeout",
        "background",
    }
)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse an option that would change the answer; None is as good as not given."""
    for name, value in options.items():
        if name not in HARMLESS and value is not None and value is not False:
            raise UnsupportedError(f"the option {name}")


def normal(document: Mapping[str, Any]) -> Document:
    """The document as it would arrive over the wire."""
    return bson.decode(bson.encode(document))


def nodes_of(filter: Mapping[str, Any] | None) -> Nodes:
    """The parsed filter; None matches everything.

    Raises:
        TypeError: the filter is not a mapping.
    """
    if not filter and (filter is None or isinstance(filter, Mapping)):
        return ()
    if not isinstance(filter, Mapping):
        raise TypeError(f"filter must be an instance of dict, not {type(filter)}")
    try:
        return parse(normal(filter))
    except Refusal as refusal:
        raise refusal.as_command_error() from None


def order_of(sort: Any) -> Order:
    """The sort, given as a path, pairs, or a mapping, as `(path, 1 or -1)` pairs."""
    if not sort:
        return ()
    if isinstance(sort, str):
        sort = [(sort, 1)]
    pairs = list(sort.items()) if isinstance(sort, Mapping) else list(sort)
    order = []
    for pair in pairs:
        path, direction = (pair, 1) if isinstance(pair, str) else pair
        if direction not in (1, -1) or isinstance(direction, bool):
            raise UnsupportedError(f"the sort direction {direction!r}")
        if not path or path.startswith("$"):
            raise UnsupportedError(f"sorting by {path!r}")
        order.append((path, int(direction)))
    return tuple(order)


def project_of(projection: Any) -> Project | None:
    """The compiled projection, from pymongo's list or mapping; an empty list shows `_id`.

    Raises:
        OperationFailure: one that MongoDB refuses.
    """
    if projection is not None and not isinstance(projection, Mapping):
        if isinstance(projection, str) or not isinstance(projection, Sequence):
            raise TypeError("projection must be a list or a mapping")
        projection = dict.fromkeys(projection, 1) or {"_id": 1}
    try:
        return compile_projection(projection)
    except Refusal as refusal:
        raise refusal.as_command_error() from None


def document_bytes(document: MutableMapping[str, Any]) -> bytes:
    """A document to insert as BSON, `_id` first; one is made where it lacks, as pymongo does.

    Raises:
        TypeError: not a mutable mapping.
        DocumentTooLarge: more than 16 MB.
    """
    if not isinstance(document, MutableMapping):
        raise TypeError(
            f"document must be an instance of dict, bson.son.SON, or a type that inherits from "
            f"collections.MutableMapping, not {type(document)}"
        )
    if "_id" not in document:
        document["_id"] = ObjectId()
    first = next(iter(document)) == "_id"
    ordered = document if first else {"_id": document["_id"], **document}
    raw = bson.encode(ordered)
    check_size(raw)
    return raw


def parsed_update(update: Any) -> Update:
    """A parsed update document.

    Raises:
        ValueError: it is empty or has no operators.
        WriteError: as MongoDB refuses it.
        UnsupportedError: a pipeline, or an operator out of scope.
    """
    validate_ok_for_update(update)
    if isinstance(update, list):
        raise UnsupportedError("an update by an aggregation pipeline")
    try:
        return parse_update(normal(update))
    except Refusal as refusal:
        raise refusal.as_write_error() from None


def parsed_replacement(replacement: Mapping[str, Any]) -> Document:
    """A whole document that replaces another.

    Raises:
        ValueError: it begins with an operator.
        DocumentTooLarge: more than 16 MB.
    """
    validate_ok_for_replace(replacement)
    raw = bson.encode(replacement)
    check_size(raw)
    return bson.decode(raw)


def check_size(raw: bytes) -> None:
    """Refuse what is larger than MongoDB takes."""
    if len(raw) > MAX_DOCUMENT:
        raise DocumentTooLarge(
            f"BSON document too large ({len(raw)} bytes) - the connected server supports BSON "
            f"document sizes up to {MAX_DOCUMENT} bytes."
        )


def change_of(
    namespace: Namespace,
    filter: Mapping[str, Any],
    update: Any,
    options: Mapping[str, Any],
    *,
    many: bool = False,
    upsert: bool = False,
    sort: Any = None,
) -> Change:
    """The command that updates what the filter matches."""
    check_options(options)
    parsed = parsed_update(update)
    return Change(namespace, nodes_of(filter), parsed, many, upsert, order_of(sort))


def replacement_of(
    namespace: Namespace,
    filter: Mapping[str, Any],
    replacement: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    upsert: bool = False,
    sort: Any = None,
) -> Change:
    """The command that replaces the first document that the filter matches."""
    check_options(options)
    document = parsed_replacement(replacement)
    return Change(namespace, nodes_of(filter), document, upsert=upsert, order=order_of(sort))


def pipeline_of(pipeline: Any) -> tuple[list[Mapping[str, Any]], Order, int, int, Any]:
    """The filters, sort, skip, limit and projection of an aggregation of such stages in order.

    Raises:
        UnsupportedError: another stage, or one of these out of order or twice.
        OperationFailure: a limit that MongoDB refuses.
    """
    if not isinstance(pipeline, Sequence) or isinstance(pipeline, str):
        raise TypeError("pipeline must be a list")
    filters: list[Mapping[str, Any]] = []
    found: dict[str, Any] = {}
    known = ("$match", "$sort", "$skip", "$limit", "$project")
    reached = 0
    for stage in pipeline:
        name = next(iter(stage), "")
        if len(stage) != 1 or name not in known:
            raise UnsupportedError(f"the aggregation stage {name}")
        place = known.index(name)
        if place < reached or name in found:
            raise UnsupportedError(f"the aggregation stage {name} after {known[reached]}")
        reached = place
        if name == "$match":
            filters.append(stage[name])
        else:
            found[name] = stage[name]
    limit = found.get("$limit")
    if limit is not None and (not isinstance(limit, int) or limit <= 0):
        raise Refusal(15958, "the limit must be positive").as_command_error()
    order = order_of(found.get("$sort"))
    return filters, order, int(found.get("$skip", 0)), limit or 0, found.get("$project")
