"""Motor's collection: the methods that ChatMe's services and ODMantic call.

Every method takes pymongo's arguments and `session`, gives pymongo's results and raises pymongo's
errors. Options that change no answer (`hint`, `comment`, `max_time_ms`) are accepted; any other
raises `UnsupportedError` with its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

from pymongo import IndexModel, ReturnDocument
from pymongo.errors import BulkWriteError, InvalidOperation
from pymongo.results import (
    BulkWriteResult,
    DeleteResult,
    InsertManyResult,
    InsertOneResult,
    UpdateResult,
)

from chatme.storage.embedded import planner, requests
from chatme.storage.embedded.admin import CreateIndexes, DropCollection, DropIndex
from chatme.storage.embedded.bulk import bulk_of
from chatme.storage.embedded.catalog import Namespace
from chatme.storage.embedded.commands import (
    Bulk,
    BulkReply,
    Change,
    Changed,
    Command,
    Delete,
    FindAndChange,
    Insert,
)
from chatme.storage.embedded.cursor import EmbeddedCursor
from chatme.storage.embedded.errors import Refusal
from chatme.storage.embedded.indexes import parse_index
from chatme.storage.embedded.paths import Document
from chatme.storage.embedded.requests import (
    change_of,
    check_options,
    nodes_of,
    normal,
    order_of,
    project_of,
    replacement_of,
)
from chatme.storage.embedded.scan import Count, Query
from chatme.storage.embedded.store import Store
from chatme.storage.embedded.worker import Reader, Writer

Filter = Mapping[str, Any]


class Database(Protocol):
    """What a collection knows of its database."""

    name: str


class EmbeddedCollection:
    """One collection by name; it need not exist, and holds nothing open."""

    def __init__(self, database: Database, name: str, writer: Writer, reader: Reader) -> None:
        self.database = database
        self.name = name
        self.full_name = f"{database.name}.{name}"
        self._namespace: Namespace = (database.name, name)
        self._writer = writer
        self._reader = reader

    # Reading

    def find(
        self,
        filter: Filter | None = None,
        projection: Any = None,
        skip: int = 0,
        limit: int = 0,
        sort: Any = None,
        **options: Any,
    ) -> EmbeddedCursor:
        """A cursor over what matches; nothing is read before it is iterated.

        Raises:
            OperationFailure: the filter or the projection is one that MongoDB refuses.
        """
        check_options(options)
        project = project_of(projection)
        query = Query(self._namespace, nodes_of(filter), order_of(sort), skip, abs(limit), project)
        return EmbeddedCursor(self._reader, query)

    def aggregate(self, pipeline: Sequence[Mapping[str, Any]], **options: Any) -> EmbeddedCursor:
        """A cursor over a pipeline of `$match`, `$sort`, `$skip`, `$limit`, `$project`, in this
        order."""
        check_options(options)
        filters, order, skip, limit, projection = requests.pipeline_of(pipeline)
        nodes = tuple(node for each in filters for node in nodes_of(each))
        query = Query(self._namespace, nodes, order, skip, limit, project_of(projection))
        return EmbeddedCursor(self._reader, query)

    async def find_one(
        self,
        filter: Any = None,
        projection: Any = None,
        **options: Any,
    ) -> Document | None:
        """The first document that matches, or None; a filter that is no mapping is an `_id`."""
        if filter is not None and not isinstance(filter, Mapping):
            filter = {"_id": filter}
        found = await self.find(filter, projection, limit=1, **options).to_list(1)
        return found[0] if found else None

    async def count_documents(
        self,
        filter: Filter,
        skip: int = 0,
        limit: int = 0,
        **options: Any,
    ) -> int:
        """How many documents match; without reading one where an index decides."""
        check_options(options)
        count = Count(Query(self._namespace, nodes_of(filter), skip=skip, limit=limit))
        total = 0
        while not count.done:
            total = await self._reader.submit(count.step)
        return total

    async def estimated_document_count(self, **options: Any) -> int:
        """How many documents there are."""
        return await self.count_documents({}, **options)

    async def explain(self, filter: Filter | None = None, sort: Any = None) -> Document:
        """Which index serves a query: `{"index": name or None, "covered": bool, "sorted": bool}`.

        `covered`: the index alone decides which documents match; `sorted`: it gives the order.
        """
        nodes, order = nodes_of(filter), order_of(sort)

        def explain(store: Store) -> Document:
            collection = store.catalog.get(self._namespace)
            indexes = () if collection is None else collection.indexes
            plan = planner.plan(indexes, nodes, order)
            chosen = [each.index.spec.name for each in plan.branches or (plan,) if each.index]
            return {
                "index": "+".join(dict.fromkeys(chosen)) or None,
                "covered": plan.covered,
                "sorted": plan.ordered,
            }

        found: Document = await self._reader.submit(explain)
        return found

    # Writing

    async def insert_one(
        self, document: MutableMapping[str, Any], **options: Any
    ) -> InsertOneResult:
        """Insert a document; it is given an `_id` if it has none.

        Raises:
            DuplicateKeyError: a unique index holds its key already.
            InvalidDocument, DocumentTooLarge, OverflowError: it cannot be BSON.
        """
        check_options(options)
        raw = requests.document_bytes(document)
        await self._write(Insert(self._namespace, raw))
        return InsertOneResult(document["_id"], True)

    async def insert_many(
        self,
        documents: Iterable[MutableMapping[str, Any]],
        ordered: bool = True,
        **options: Any,
    ) -> InsertManyResult:
        """Insert documents; the durable write of all is one.

        Raises:
            BulkWriteError: some could not be inserted; where ordered, none after the first such.
        """
        check_options(options)
        given = list(documents) if isinstance(documents, Iterable) else []
        if not given or isinstance(documents, Mapping):
            raise TypeError("documents must be a non-empty list")
        parts = tuple(Insert(self._namespace, requests.document_bytes(each)) for each in given)
        await self._bulk(Bulk(parts, given.__getitem__, ordered))
        return InsertManyResult([each["_id"] for each in given], True)

    async def update_one(
        self,
        filter: Filter,
        update: Any,
        upsert: bool = False,
        sort: Any = None,
        **options: Any,
    ) -> UpdateResult:
        """Update the first document that matches.

        Raises:
            DuplicateKeyError, WriteError: as MongoDB refuses it; nothing is changed.
        """
        change = change_of(self._namespace, filter, update, options, upsert=upsert, sort=sort)
        return _update_result(await self._write(change))

    async def update_many(
        self,
        filter: Filter,
        update: Any,
        upsert: bool = False,
        **options: Any,
    ) -> UpdateResult:
        """Update every document that matches; those before one that is refused stay updated."""
        change = change_of(self._namespace, filter, update, options, upsert=upsert, many=True)
        return _update_result(await self._write(change))

    async def replace_one(
        self,
        filter: Filter,
        replacement: Mapping[str, Any],
        upsert: bool = False,
        sort: Any = None,
        **options: Any,
    ) -> UpdateResult:
        """Replace the first document that matches; its `_id` stays."""
        change = replacement_of(
            self._namespace, filter, replacement, options, upsert=upsert, sort=sort
        )
        return _update_result(await self._write(change))

    async def delete_one(self, filter: Filter, **options: Any) -> DeleteResult:
        """Delete the first document that matches."""
        check_options(options)
        gone, _ = await self._write(Delete(self._namespace, nodes_of(filter)))
        return DeleteResult({"n": gone, "ok": 1.0}, True)

    async def delete_many(self, filter: Filter, **options: Any) -> DeleteResult:
        """Delete every document that matches."""
        check_options(options)
        gone, _ = await self._write(Delete(self._namespace, nodes_of(filter), many=True))
        return DeleteResult({"n": gone, "ok": 1.0}, True)

    async def find_one_and_update(
        self,
        filter: Filter,
        update: Any,
        projection: Any = None,
        sort: Any = None,
        upsert: bool = False,
        return_document: bool = ReturnDocument.BEFORE,
        **options: Any,
    ) -> Document | None:
        """Update the first document in the order; the document before it, or after it."""
        change = change_of(self._namespace, filter, update, options, upsert=upsert, sort=sort)
        return await self._find_and(change, projection, after=return_document)

    async def find_one_and_replace(
        self,
        filter: Filter,
        replacement: Mapping[str, Any],
        projection: Any = None,
        sort: Any = None,
        upsert: bool = False,
        return_document: bool = ReturnDocument.BEFORE,
        **options: Any,
    ) -> Document | None:
        """Replace the first document in the order; the document before it, or after it."""
        change = replacement_of(
            self._namespace, filter, replacement, options, upsert=upsert, sort=sort
        )
        return await self._find_and(change, projection, after=return_document)

    async def find_one_and_delete(
        self,
        filter: Filter,
        projection: Any = None,
        sort: Any = None,
        **options: Any,
    ) -> Document | None:
        """Delete the first document in the order, and give it."""
        check_options(options)
        command = Delete(self._namespace, nodes_of(filter), order=order_of(sort))
        return await self._find_and(command, projection)

    async def bulk_write(
        self, requests: Sequence[Any], ordered: bool = True, **options: Any
    ) -> BulkWriteResult:
        """Run pymongo's InsertOne, UpdateOne, UpdateMany, ReplaceOne, DeleteOne and DeleteMany.

        Raises:
            BulkWriteError: some were refused; where ordered, none after the first such was run.
        """
        check_options(options)
        if not isinstance(requests, Sequence):
            raise TypeError("requests must be a list")
        if not requests:
            raise InvalidOperation("No operations to execute")
        bulk = bulk_of(self._namespace, requests, ordered=ordered)
        return BulkWriteResult(await self._bulk(bulk), True)

    # Indexes

    async def create_index(self, keys: Any, session: Any = None, **options: Any) -> str:
        """Make an index, on the documents there are too; its name.

        Raises:
            OperationFailure: 85 or 86, another index has its name or its keys.
            DuplicateKeyError: two documents have one key in a unique index.
        """
        options = {name: value for name, value in options.items() if name != "comment"}
        return (await self.create_indexes([IndexModel(keys, **options)]))[0]

    async def create_indexes(
        self, indexes: Sequence[IndexModel], session: Any = None, **options: Any
    ) -> list[str]:
        """Make several indexes, all or none; their names."""
        check_options(options)
        if not isinstance(indexes, list):
            raise TypeError("indexes must be a list")
        try:
            specs = tuple(parse_index(normal(model.document)) for model in indexes)
        except Refusal as refusal:
            raise refusal.as_command_error() from None
        names: list[str] = await self._command(CreateIndexes(self._namespace, specs))
        return names

    async def drop_index(self, index_or_name: Any, session: Any = None, **options: Any) -> None:
        """Drop an index, by its name or its keys."""
        check_options(options)
        if not isinstance(index_or_name, str):
            index_or_name = IndexModel(index_or_name).document["name"]
        await self._command(DropIndex(self._namespace, index_or_name))

    async def drop_indexes(self, session: Any = None) -> None:
        """Drop all indexes but that of `_id`."""
        await self._command(DropIndex(self._namespace, "*"))

    async def index_information(self, session: Any = None) -> dict[str, Document]:
        """The indexes by name, as pymongo describes them."""

        def information(store: Store) -> dict[str, Document]:
            collection = store.catalog.get(self._namespace)
            indexes = () if collection is None else collection.indexes
            return {index.spec.name: index.spec.information() for index in indexes}

        found: dict[str, Document] = await self._reader.submit(information)
        return found

    async def drop(self, session: Any = None) -> None:
        """Drop the collection; one that is not there is no error."""
        await self._command(DropCollection(self._namespace))

    # How a command goes to the writer, and its refusal to the caller

    async def _write(self, command: Command) -> Any:
        try:
            return await self._writer.submit(command.run)
        except Refusal as refusal:
            raise refusal.as_write_error() from None

    async def _command(self, command: Command) -> Any:
        try:
            return await self._writer.submit(command.run)
        except Refusal as refusal:
            raise refusal.as_command_error() from None

    async def _find_and(
        self, command: Change | Delete, projection: Any, *, after: bool = False
    ) -> Document | None:
        found: Document | None = await self._command(
            FindAndChange(command, after, project_of(projection))
        )
        return found

    async def _bulk(self, bulk: Bulk) -> Document:
        reply: BulkReply = await self._writer.submit(bulk.run)
        if reply.failed:
            raise BulkWriteError(reply.result)
        return reply.result


def _update_result(done: Changed) -> UpdateResult:
    reply: Document = {"n": done.matched, "nModified": done.modified, "ok": 1.0}
    reply["updatedExisting"] = bool(done.matched)
    if done.upserted:
        reply.update(n=1, upserted=done.upserted_id)
    return UpdateResult(reply, True)
