"""The write commands as the writer runs them: find what a filter matches, change it, count.

Each command is a small value object with `run(store)`. It is made (parsed, checked, encoded) on
the event loop, so that a caller's mistake is raised there and later changes of the caller's
dictionaries do not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import bson

from chatme.storage.embedded import rows, writes
from chatme.storage.embedded.catalog import Namespace
from chatme.storage.embedded.errors import IMMUTABLE_FIELD, Refusal
from chatme.storage.embedded.filters import Nodes
from chatme.storage.embedded.keys import encode
from chatme.storage.embedded.paths import Document, Parts
from chatme.storage.embedded.planner import Order
from chatme.storage.embedded.projection import Project
from chatme.storage.embedded.scan import Query, Scan
from chatme.storage.embedded.store import Store
from chatme.storage.embedded.updates import Update, apply_update
from chatme.storage.embedded.upserts import matched_place, seed


class Command(Protocol):
    """A write that the writer runs inside its transaction."""

    def run(self, store: Store) -> Any:
        """Do it, or raise and leave nothing of it."""


@dataclass(frozen=True, slots=True)
class Insert:
    """Insert one document (BSON, `_id` first)."""

    namespace: Namespace
    raw: bytes

    def run(self, store: Store) -> None:
        """Insert it."""
        writes.insert(store, self.namespace, self.raw)


@dataclass(frozen=True, slots=True)
class Changed:
    """What an update did: documents matched and modified, and the `_id` of one upserted.

    `before` and `after` are the BSON of the one document changed or upserted.
    """

    matched: int = 0
    modified: int = 0
    upserted: bool = False
    upserted_id: Any = None
    before: bytes | None = None
    after: bytes | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Update or replace what the filter matches: the first in the order, or all.

    `update` is a parsed update document, or a whole replacement.
    """

    namespace: Namespace
    nodes: Nodes
    update: Update | Document
    many: bool = False
    upsert: bool = False
    order: Order = ()

    def run(self, store: Store) -> Changed:
        """Change the documents; with `upsert`, insert one where none matched."""
        done = self._many(store) if self.many else self._one(store)
        return self._insert(store) if self.upsert and not done.matched else done

    def _one(self, store: Store) -> Changed:
        query = Query(self.namespace, self.nodes, self.order, limit=1)
        for rid, _ in Scan(query, rids=True).run(store):
            collection = store.catalog.ensure(self.namespace)
            raw = rows.read_row(store.connection, collection.id, rid) or b""
            changed = writes.replace(store, collection, rid, raw, self._changed(bson.decode(raw)))
            return Changed(1, int(changed != raw), before=raw, after=changed)
        return Changed()

    def _many(self, store: Store) -> Changed:
        # All are found before the first is changed: a change may move a document ahead of the scan.
        found = [rid for rid, _ in Scan(Query(self.namespace, self.nodes), rids=True).run(store)]
        modified = 0
        for rid in found:
            collection = store.catalog.ensure(self.namespace)
            raw = rows.read_row(store.connection, collection.id, rid) or b""
            changed = writes.replace(store, collection, rid, raw, self._changed(bson.decode(raw)))
            modified += changed != raw
        return Changed(len(found), modified)

    def _changed(self, document: Document) -> Document:
        if isinstance(self.update, Update):
            places: dict[Parts, int] = {
                array: matched_place(self.nodes, document, array)
                for array in self.update.positional
            }
            apply_update(document, self.update, places=places)
            return document
        return _replaced(self.update, document["_id"])

    def _insert(self, store: Store) -> Changed:
        document = seed(self.nodes)
        if isinstance(self.update, Update):
            if self.update.positional:
                raise Refusal(
                    2, "The positional operator did not find the match needed from the query."
                )
            apply_update(document, self.update, places={}, inserting=True)
        else:
            given = document.get("_id", self.update.get("_id", None))
            known = "_id" in document or "_id" in self.update
            document = _replaced(self.update, given if known else writes.new_id())
        if "_id" not in document:
            document["_id"] = writes.new_id()
        document = {"_id": document["_id"], **document}
        raw = bson.encode(document)
        writes.insert(store, self.namespace, raw)
        return Changed(upserted=True, upserted_id=document["_id"], after=raw)


def _replaced(replacement: Document, own_id: Any) -> Document:
    if "_id" in replacement and encode(replacement["_id"]) != encode(own_id):
        raise Refusal(
            IMMUTABLE_FIELD,
            "After applying the update, the (immutable) field '_id' was found to have been "
            f"altered to _id: {replacement['_id']}",
        )
    return {"_id": own_id, **{key: replacement[key] for key in replacement if key != "_id"}}


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete what the filter matches: the first in the order, or all."""

    namespace: Namespace
    nodes: Nodes
    many: bool = False
    order: Order = ()

    def run(self, store: Store) -> tuple[int, Document | None]:
        """How many went, and the last of them."""
        collection = store.catalog.get(self.namespace)
        if collection is None:
            return 0, None
        gone: Document | None = None
        if not self.many:
            query = Query(self.namespace, self.nodes, self.order, limit=1)
            for rid, document in Scan(query, rids=True).run(store):
                gone = document
                writes.delete(store, collection, rid, document)
            return int(gone is not None), gone
        found = [rid for rid, _ in Scan(Query(self.namespace, self.nodes), rids=True).run(store)]
        for rid in found:
            raw = rows.read_row(store.connection, collection.id, rid) or b""
            writes.delete(store, collection, rid, bson.decode(raw))
        return len(found), None


@dataclass(frozen=True, slots=True)
class FindAndChange:
    """`find_one_and_update`, `_replace` and `_delete`: the document before or after."""

    command: Change | Delete
    after: bool = False
    project: Project | None = None

    def run(self, store: Store) -> Document | None:
        """The document, projected; None where none matched, or before an upsert."""
        if isinstance(self.command, Delete):
            _, document = self.command.run(store)
        else:
            done = self.command.run(store)
            raw = done.after if self.after else done.before
            document = None if raw is None else bson.decode(raw)
        if document is not None and self.project is not None:
            return self.project(document)
        return document


@dataclass(frozen=True, slots=True)
class BulkReply:
    """The result document of a bulk write, and whether some of it was refused."""

    result: Document
    failed: bool


@dataclass(frozen=True, slots=True)
class Bulk:
    """Several writes one after another; `shown` gives the operation for an error's `op`."""

    parts: tuple[Insert | Change | Delete, ...]
    shown: Callable[[int], Any]
    ordered: bool = True

    def run(self, store: Store) -> BulkReply:
        """Run them; where ordered, stop at the first that is refused."""
        counts = {"nInserted": 0, "nUpserted": 0, "nMatched": 0, "nModified": 0, "nRemoved": 0}
        errors: list[Document] = []
        upserted: list[Document] = []
        for place, part in enumerate(self.parts):
            try:
                with store.atomic():
                    _tally(part.run(store), place, counts, upserted)
            except Refusal as refusal:
                error = refusal.write_error(place)
                errors.append({**error, "op": self.shown(place)})
                if self.ordered:
                    break
        result = {"writeErrors": errors, "writeConcernErrors": [], **counts, "upserted": upserted}
        return BulkReply(result, bool(errors))


def _tally(done: Any, place: int, counts: dict[str, int], upserted: list[Document]) -> None:
    if done is None:
        counts["nInserted"] += 1
    elif isinstance(done, Changed):
        counts["nMatched"] += done.matched
        counts["nModified"] += done.modified
        if done.upserted:
            counts["nUpserted"] += 1
            upserted.append({"index": place, "_id": done.upserted_id})
    else:
        counts["nRemoved"] += done[0]
