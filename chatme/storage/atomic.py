"""The few writes that ODMantic cannot express: each one atomic document update, or an insert.

`AIOEngine.save` is an upsert by id of the changed fields: it would bring a deleted document back
in part, and let the later of two writers win unseen. What must hold under concurrency is written
here, with the condition inside the update.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import pymongo
from odmantic import AIOEngine, Model
from pymongo import IndexModel, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

ModelT = TypeVar("ModelT", bound=Model)
Filter = Mapping[str, Any]
Update = Mapping[str, Any]

_DUPLICATE_KEY = 11000
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_INDEX_NAME = re.compile(r" index: (\S+) dup key")


class Duplicate(Exception):
    """A unique index refused the write; ``fields`` are the fields of that index."""

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        super().__init__(", ".join(fields))


def index(
    *keys: str,
    name: str,
    unique: bool = False,
    partial: Filter | None = None,
    expire_after: int | None = None,
) -> IndexModel:
    """An index over fields, a leading ``-`` meaning descending; ``expire_after`` in seconds."""
    options: dict[str, Any] = {"name": name}
    if unique:
        options["unique"] = True
    if partial is not None:
        options["partialFilterExpression"] = partial
    if expire_after is not None:
        options["expireAfterSeconds"] = expire_after
    return IndexModel([_direction(key) for key in keys], **options)


def _direction(key: str) -> tuple[str, int]:
    if key.startswith("-"):
        return key[1:], pymongo.DESCENDING
    return key, pymongo.ASCENDING


def refusal(model: type[Model], error: DuplicateKeyError) -> Duplicate:
    """What refused a write. MongoDB says it as `keyPattern`; servers that speak its protocol may
    leave that out, and name the index in the message alone."""
    details = error.details or {}
    if "keyPattern" in details:
        return Duplicate(list(details["keyPattern"]))
    named = _INDEX_NAME.search(str(details.get("errmsg", "")))
    name = named[1] if named else ""
    if name == "_id_":
        return Duplicate(["_id"])
    for each in model.__indexes__():
        if isinstance(each, IndexModel) and each.document["name"] == name:
            return Duplicate(list(each.document["key"]))
    return Duplicate([])


async def insert(engine: AIOEngine, document: Model, beside: Mapping[str, Any] = _NOTHING) -> None:
    """Inserts a new document; raises `Duplicate` where a unique index refuses it.

    ``beside`` are fields that the model does not have: what indexes need and no reader.
    """
    fields = {**document.model_dump_doc(), **beside}
    try:
        await engine.get_collection(type(document)).insert_one(fields)
    except DuplicateKeyError as error:
        raise refusal(type(document), error) from None


async def insert_missing(engine: AIOEngine, documents: Sequence[Model]) -> None:
    """Inserts those of the documents (of one model) that no unique index says are there."""
    if not documents:
        return
    collection = engine.get_collection(type(documents[0]))
    try:
        await collection.insert_many([each.model_dump_doc() for each in documents], ordered=False)
    except BulkWriteError as error:
        faults = (error.details or {}).get("writeErrors", [])
        if any(fault["code"] != _DUPLICATE_KEY for fault in faults):
            raise


async def update(
    engine: AIOEngine, model: type[ModelT], filter_: Filter, change: Update, *, upsert: bool = False
) -> bool:
    """Changes the one document that fits the filter; whether there was (or now is) one.

    Raises `Duplicate` where a unique index refuses the change.
    """
    try:
        result = await engine.get_collection(model).update_one(filter_, change, upsert=upsert)
    except DuplicateKeyError as error:
        raise refusal(model, error) from None
    return bool(result.matched_count or result.upserted_id is not None)


async def upsert(engine: AIOEngine, model: type[ModelT], filter_: Filter, change: Update) -> None:
    """Changes the one document that fits the filter, or makes it.

    Two that make it at once meet at the unique index of the filter's fields; the second then
    finds what the first made (MongoDB, "Upsert with Unique Index").
    """
    try:
        await update(engine, model, filter_, change, upsert=True)
    except Duplicate:
        await update(engine, model, filter_, change)


async def update_all(
    engine: AIOEngine, model: type[ModelT], filter_: Filter, change: Update
) -> int:
    """Changes every document that fits the filter; how many were changed."""
    result = await engine.get_collection(model).update_many(filter_, change)
    return int(result.modified_count)


async def update_each(
    engine: AIOEngine,
    model: type[ModelT],
    changes: Sequence[tuple[Filter, Update]],
    *,
    upsert: bool = False,
) -> None:
    """Several single-document updates in one round trip, in order."""
    if changes:
        await engine.get_collection(model).bulk_write(
            [UpdateOne(filter_, change, upsert=upsert) for filter_, change in changes]
        )


async def update_and_get(
    engine: AIOEngine,
    model: type[ModelT],
    filter_: Filter,
    change: Update,
    *,
    upsert: bool = False,
) -> ModelT | None:
    """Changes the one document that fits the filter, and returns it as it then stands.

    None where nothing fits. Raises `Duplicate` where a unique index refuses the change.
    """
    try:
        document = await engine.get_collection(model).find_one_and_update(
            filter_, change, return_document=ReturnDocument.AFTER, upsert=upsert
        )
    except DuplicateKeyError as error:
        raise refusal(model, error) from None
    return None if document is None else model.model_validate_doc(document)


async def get_and_update(
    engine: AIOEngine, model: type[ModelT], filter_: Filter, change: Update
) -> ModelT | None:
    """Changes the one document that fits the filter, and returns it as it stood before."""
    document = await engine.get_collection(model).find_one_and_update(
        filter_, change, return_document=ReturnDocument.BEFORE
    )
    return None if document is None else model.model_validate_doc(document)


async def project(
    engine: AIOEngine,
    model: type[ModelT],
    filter_: Filter,
    fields: Sequence[str],
    *,
    sort: str | None = None,
    limit: int = 0,
) -> list[dict[str, Any]]:
    """Some fields (and ``_id``) of the documents that fit, where whole models cost too much."""
    cursor = engine.get_collection(model).find(filter_, dict.fromkeys(fields, 1))
    if sort is not None:
        cursor = cursor.sort([_direction(sort)])
    if limit:
        cursor = cursor.limit(limit)
    documents: list[dict[str, Any]] = await cursor.to_list(None)
    return documents


async def count(engine: AIOEngine, model: type[ModelT], filter_: Filter, *, limit: int = 0) -> int:
    """How many documents fit, counting no further than ``limit`` where it is given."""
    collection = engine.get_collection(model)
    if limit:
        return int(await collection.count_documents(filter_, limit=limit))
    return int(await collection.count_documents(filter_))
