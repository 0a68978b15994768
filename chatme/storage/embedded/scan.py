"""Runs a query on one connection, a bounded slice at a time.

A scan keeps its place between slices as a key, never as an open statement: no read transaction
stays open behind a slow reader, the log can be checkpointed, and a point read waits for one slice
of a long scan at most. As with MongoDB's cursors, what is written between two slices may or may
not be seen.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

import bson

from chatme.storage.embedded import planner, rows
from chatme.storage.embedded.bounds import Range
from chatme.storage.embedded.catalog import Collection, Namespace
from chatme.storage.embedded.errors import QUERY_PLAN_KILLED, SORT_MEMORY, Refusal
from chatme.storage.embedded.filters import Nodes
from chatme.storage.embedded.matcher import Test, compile_nodes
from chatme.storage.embedded.paths import Document, sort_key, split
from chatme.storage.embedded.planner import Order, Plan
from chatme.storage.embedded.projection import Project
from chatme.storage.embedded.store import Store

# Documents and bytes examined in one slice; the bytes that a sort without an index may hold
# (MongoDB's own limit).
SLICE = 1000
SLICE_BYTES = 4 * 1024 * 1024
SORT_BYTES = 100 * 1024 * 1024
_FIRST_WINDOW = 101


@dataclass(frozen=True, slots=True)
class Query:
    """What to read: a parsed filter, and how to order, cut and show what matches."""

    namespace: Namespace
    nodes: Nodes
    order: Order = ()
    skip: int = 0
    limit: int = 0
    project: Project | None = None
    max_bytes: int = SORT_BYTES


@dataclass(slots=True)
class _Found:
    rids: list[int] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)


class Scan:
    """One running query. Used by one thread at a time; holds nothing that must be closed.

    Args:
        query: what to read.
        rids: whether row numbers are wanted as well (for writes).
    """

    def __init__(self, query: Query, *, rids: bool = False) -> None:
        self.query = query
        self.done = False
        self._want_rids = rids
        self._plan: Plan | None = None
        self._parts: list[Plan] = []
        self._ranges: list[Range] = []
        self._after_rid = 0
        self._test: Test | None = None
        self._seen: set[int] | None = None
        self._window = _FIRST_WINDOW
        self._to_skip = query.skip
        self._left = query.limit or None
        self._sorted: list[tuple[bytes, int, int, Document]] = []
        self._sort_parts = tuple((split(path), way) for path, way in query.order)
        self._taken = 0
        self._held = 0
        self._examined = 0
        self._bytes = 0
        self._offset = 0

    def run(self, store: Store) -> Iterator[tuple[int, Document]]:
        """Everything at once, as (row number, document); for the writer."""
        while not self.done:
            found = self._step(store)
            yield from zip(found.rids, found.documents, strict=True)

    def step(self, store: Store) -> list[Document]:
        """The next slice's documents, perhaps none; `done` tells when that was the last."""
        documents = self._step(store).documents
        if self.query.project is not None:
            return [self.query.project(document) for document in documents]
        return documents

    def _step(self, store: Store) -> _Found:
        collection = store.catalog.get(self.query.namespace)
        if collection is None:
            self.done = True
            return _Found()
        plan = self._plan or self._begin(collection)
        sorting = bool(self.query.order) and not plan.ordered
        found = _Found()
        self._examined = self._bytes = 0
        while not self.done and self._examined < SLICE and self._bytes < SLICE_BYTES:
            more = self._candidates(store, collection)
            if sorting:
                self._gather(more)
            else:
                more = self._cut(more)
                found.rids += more.rids
                found.documents += more.documents
                self.done = self.done or self._left == 0
        return self._in_order() if sorting and self.done else found

    def _begin(self, collection: Collection) -> Plan:
        plan = planner.plan(collection.indexes, self.query.nodes, self.query.order)
        self._plan = plan
        if not plan.covered:
            self._test = compile_nodes(self.query.nodes)
        if plan.repeats:
            self._seen = set()
        self._parts = list(plan.branches) or [plan]
        self._ranges = list(self._parts[0].ranges)
        exact = plan.covered and not plan.repeats and plan.ordered
        if exact and len(self._ranges) < 2:
            self._offset, self._to_skip = self._to_skip, 0
        if self._left is not None and plan.ordered:
            self._window = min(SLICE, self._left if exact else max(16, 4 * self._left))
        return plan

    def _candidates(self, store: Store, collection: Collection) -> _Found:
        """The next window of documents, those that match; sets `done` after the last."""
        window = self._window
        try:
            page = self._page(store, collection, self._parts[0])
        except sqlite3.DataError:
            # The joined documents passed SQLite's limit of a blob's length: take fewer.
            self._window = max(1, window // 8)
            return _Found()
        part = self._parts[0]
        if not self._ranges and (part.index is not None or page.size < window):
            self._parts.pop(0)
            if self._parts:
                self._ranges = list(self._parts[0].ranges)
            else:
                self.done = True
        self._offset = 0
        self._examined += page.size
        self._bytes += len(page.packed)
        each = len(page.packed) // (page.size or 1) + 1
        self._window = min(SLICE, window * 4, SLICE_BYTES // each + 1)
        return self._matching(page)

    def _page(self, store: Store, collection: Collection, part: Plan) -> rows.Page:
        connection = store.connection
        rids = self._want_rids or self._seen is not None
        window = (self._window, self._offset)
        if part.index is None:
            page = rows.read_all(
                connection, collection.id, after=self._after_rid, window=window, rids=rids
            )
            self._after_rid = int(page.last or 0)
            return page
        if all(part.index.id != index.id for index in collection.indexes):
            raise Refusal(QUERY_PLAN_KILLED, "query plan killed :: index was dropped")
        if not self._ranges:
            return rows.Page(b"", [], None, 0)
        tables = (collection.id, part.index.id)
        chunk = self._ranges[: rows.RANGES_LIMIT]
        if len(self._ranges) == 1:
            page = rows.read_range(
                connection, tables, chunk[0], reverse=part.reverse, window=window, rids=rids
            )
        else:
            page = rows.read_ranges(connection, tables, chunk, limit=self._window, rids=rids)
        full = page.size == self._window
        self._advance(page, len(chunk), full=full, reverse=part.reverse)
        return page

    def _advance(self, page: rows.Page, chunk: int, *, full: bool, reverse: bool) -> None:
        """Leave what was read behind: whole ranges, and the beginning of the one broken off."""
        if not full or not isinstance(page.last, bytes):
            del self._ranges[:chunk]
            return
        last = page.last
        if reverse:
            self._ranges[0] = (self._ranges[0][0], last)
            return
        while self._ranges and self._ranges[0][1] <= last:
            del self._ranges[0]
        if self._ranges and self._ranges[0][0] <= last:
            self._ranges[0] = (last + b"\x00", self._ranges[0][1])

    def _matching(self, page: rows.Page) -> _Found:
        documents: list[Document] = bson.decode_all(page.packed)
        if self._test is None and self._seen is None:
            return _Found(page.rids, documents)
        found = _Found()
        for place, document in enumerate(documents):
            rid = page.rids[place] if page.rids else 0
            if self._seen is not None:
                if rid in self._seen:
                    continue
                self._seen.add(rid)
            if self._test is None or self._test(document):
                found.rids.append(rid)
                found.documents.append(document)
        return found

    def _cut(self, found: _Found) -> _Found:
        """Apply skip and limit to what comes in its final order."""
        if self._to_skip:
            skipped = min(self._to_skip, len(found.documents))
            self._to_skip -= skipped
            found = _Found(found.rids[skipped:], found.documents[skipped:])
        if self._left is not None:
            found = _Found(found.rids[: self._left], found.documents[: self._left])
            self._left -= len(found.documents)
        return found

    def _gather(self, found: _Found) -> None:
        """Keep what may be among the first in order: with a limit that many, else everything.

        Raises:
            Refusal: everything is more than MongoDB's own bound.
        """
        for place, document in enumerate(found.documents):
            self._taken += 1
            rid = found.rids[place] if found.rids else 0
            key = sort_key(document, self._sort_parts)
            self._sorted.append((key, self._taken, rid, document))
        limit, bound = self.query.limit, self.query.max_bytes
        keep = self.query.skip + limit if limit else 0
        if keep and len(self._sorted) > 4 * keep + SLICE:
            self._sorted = heapq.nsmallest(keep, self._sorted)
        self._held += len(found.documents) * (self._bytes // (self._examined or 1))
        if not keep and self._held > bound:
            raise Refusal(
                SORT_MEMORY,
                f"Sort exceeded memory limit of {bound} bytes, but did not opt in to external "
                "sorting.",
            )

    def _in_order(self) -> _Found:
        self._sorted.sort()
        ordered, self._sorted = self._sorted, []
        return self._cut(_Found([each[2] for each in ordered], [each[3] for each in ordered]))


class Count:
    """One running count, by the index alone where it decides, else document by document."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.done = False
        self._scan = Scan(query)
        self._total = 0

    def step(self, store: Store) -> int:
        """Count a slice; the total so far."""
        collection = store.catalog.get(self.query.namespace)
        if collection is None:
            self.done = True
            return 0
        most = self.query.skip + self.query.limit if self.query.limit else -1
        covered = covered_count(store, collection, self.query.nodes, most)
        if covered is None:
            self._total += len(self._scan.step(store))
            self.done = self._scan.done
            return self._total
        self.done = True
        left = max(0, covered - self.query.skip)
        return min(left, self.query.limit) if self.query.limit else left


def covered_count(store: Store, collection: Collection, nodes: Nodes, most: int = -1) -> int | None:
    """How many documents match, without reading one; None where the index does not decide.

    Where there are more than ``most``, which is none below 0, it may be any number from there on.
    """
    plan = planner.plan(collection.indexes, nodes, ())
    if not plan.covered:
        return None
    if plan.index is None:
        everything = (b"", b"\xff")
        return rows.count_range(
            store.connection, collection.indexes[0].id, everything, distinct=False, limit=most
        )
    if plan.repeats and len(plan.ranges) > 1:
        return None
    total = 0
    for span in plan.ranges:
        total += rows.count_range(
            store.connection, plan.index.id, span, distinct=plan.repeats, limit=most
        )
        if 0 <= most <= total:
            break
    return total
