"""Motor's cursor: collects a query's options, then fetches it slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pymongo.errors import InvalidOperation

from chatme.storage.embedded.errors import Refusal
from chatme.storage.embedded.paths import Document
from chatme.storage.embedded.requests import order_of
from chatme.storage.embedded.scan import Query, Scan
from chatme.storage.embedded.worker import Reader


class EmbeddedCursor:
    """The documents of one query, to be iterated once, or fetched by `to_list`.

    It holds one slice of documents at a time and nothing that must be closed.
    """

    def __init__(self, reader: Reader, query: Query) -> None:
        self._reader = reader
        self._query = query
        self._scan: Scan | None = None
        # Last first: taken from the end.
        self._buffer: list[Document] = []
        self._closed = False

    def sort(self, key: Any, direction: int | None = None) -> EmbeddedCursor:
        """Sort by a path and direction, or by a list of pairs."""
        order = order_of([(key, direction or 1)] if isinstance(key, str) else key)
        return self._with(order=order)

    def skip(self, skip: int) -> EmbeddedCursor:
        """Leave out the first documents."""
        if skip < 0:
            raise ValueError("skip must be >= 0")
        return self._with(skip=skip)

    def limit(self, limit: int) -> EmbeddedCursor:
        """Stop after so many documents; 0 for no limit, a negative number counts as positive."""
        return self._with(limit=abs(limit))

    def batch_size(self, size: int) -> EmbeddedCursor:
        """Accepted; slices have a size of their own."""
        return self._with()

    def hint(self, index: str | Sequence[Any] | Mapping[str, Any] | None) -> EmbeddedCursor:
        """Accepted; the planner chooses."""
        return self._with()

    def max_time_ms(self, milliseconds: int | None) -> EmbeddedCursor:
        """Accepted; slices bound how long one query holds up others."""
        return self._with()

    def comment(self, comment: Any) -> EmbeddedCursor:
        """Accepted."""
        return self._with()

    def _with(self, **changes: Any) -> EmbeddedCursor:
        if self._scan is not None:
            raise InvalidOperation("cannot set options after executing query")
        self._query = replace(self._query, **changes)
        return self

    @property
    def alive(self) -> bool:
        """Whether more documents may come."""
        return bool(self._buffer) or not (self._closed or (self._scan and self._scan.done))

    async def close(self) -> None:
        """Give up the rest."""
        self._closed = True
        self._buffer = []

    async def _refill(self) -> bool:
        """Fetch until there is a document; False when there are none left."""
        if self._scan is None:
            self._scan = Scan(self._query)
        while not self._buffer and not self._scan.done and not self._closed:
            try:
                self._buffer = (await self._reader.submit(self._scan.step))[::-1]
            except Refusal as refusal:
                raise refusal.as_command_error() from None
        return bool(self._buffer)

    async def to_list(self, length: int | None = None) -> list[Document]:
        """The next documents, at most `length`, or all that are left."""
        if length is not None and length < 0:
            raise ValueError("length must be non-negative")
        found: list[Document] = []
        while (length is None or len(found) < length) and await self._refill():
            wanted = len(self._buffer) if length is None else length - len(found)
            found += self._buffer[-wanted:][::-1]
            del self._buffer[-wanted:]
        return found

    def __aiter__(self) -> EmbeddedCursor:
        return self

    async def __anext__(self) -> Document:
        if not self._buffer and not await self._refill():
            raise StopAsyncIteration
        return self._buffer.pop()

    async def next(self) -> Document:
        """The next document; StopAsyncIteration after the last."""
        return await self.__anext__()

    async def __aenter__(self) -> EmbeddedCursor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
