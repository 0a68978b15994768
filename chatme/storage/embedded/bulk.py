"""pymongo's bulk write requests as the engine's commands.

The requests keep what they were made of in private attributes and offer it only to an object like
pymongo's own bulk, by `_add_to_bulk`: `_Collector` is such an object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne

from chatme.storage.embedded import requests
from chatme.storage.embedded.catalog import Namespace
from chatme.storage.embedded.commands import Bulk, Change, Delete, Insert
from chatme.storage.embedded.paths import Document

_KINDS = (InsertOne, UpdateOne, UpdateMany, ReplaceOne, DeleteOne, DeleteMany)


def bulk_of(namespace: Namespace, operations: Sequence[Any], *, ordered: bool) -> Bulk:
    """The command for a list of requests.

    Raises:
        TypeError: something in the list is not a request.
        UnsupportedError: an option out of scope.
    """
    collector = _Collector(namespace)
    for operation in operations:
        if not isinstance(operation, _KINDS):
            raise TypeError(f"{operation!r} is not a valid request")
        add = getattr(operation, "_add_to_bulk")  # noqa: B009  private to pymongo, see above
        add(collector)
    return Bulk(tuple(collector.parts), collector.shown.__getitem__, ordered)


class _Collector:
    """Takes what requests add to a bulk, in order."""

    def __init__(self, namespace: Namespace) -> None:
        self.parts: list[Insert | Change | Delete] = []
        self.shown: list[Document] = []
        self._namespace = namespace

    def add_insert(self, document: Any) -> None:
        """From `InsertOne`."""
        self._add(Insert(self._namespace, requests.document_bytes(document)), dict(document))

    def add_update(
        self,
        selector: Mapping[str, Any],
        update: Any,
        multi: bool,
        upsert: bool | None,
        **options: Any,
    ) -> None:
        """From `UpdateOne` and `UpdateMany`."""
        sort = options.pop("sort", None)
        change = requests.change_of(
            self._namespace, selector, update, options, many=multi, upsert=bool(upsert), sort=sort
        )
        self._add(change, {"q": selector, "u": update, "multi": multi, "upsert": bool(upsert)})

    def add_replace(
        self,
        selector: Mapping[str, Any],
        replacement: Mapping[str, Any],
        upsert: bool | None,
        **options: Any,
    ) -> None:
        """From `ReplaceOne`."""
        sort = options.pop("sort", None)
        change = requests.replacement_of(
            self._namespace, selector, replacement, options, upsert=bool(upsert), sort=sort
        )
        self._add(change, {"q": selector, "u": replacement, "multi": False, "upsert": bool(upsert)})

    def add_delete(self, selector: Mapping[str, Any], limit: int, **options: Any) -> None:
        """From `DeleteOne` (limit 1) and `DeleteMany` (0)."""
        requests.check_options(options)
        delete = Delete(self._namespace, requests.nodes_of(selector), many=not limit)
        self._add(delete, {"q": selector, "limit": limit})

    def _add(self, part: Insert | Change | Delete, shown: Document) -> None:
        self.parts.append(part)
        self.shown.append(shown)
