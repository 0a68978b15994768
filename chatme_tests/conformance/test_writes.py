"""Inserting, deleting, finding and changing at once, and bulk writes, as MongoDB does them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bson import ObjectId
from pymongo import (
    DeleteMany,
    DeleteOne,
    InsertOne,
    ReplaceOne,
    ReturnDocument,
    UpdateMany,
    UpdateOne,
)
from pymongo.errors import BulkWriteError, DuplicateKeyError, InvalidOperation, WriteError

BEFORE, AFTER = ReturnDocument.BEFORE, ReturnDocument.AFTER


async def test_insert_makes_an_id(things: Any) -> None:
    """An insert gives the caller's document an `_id`, which comes first when read."""
    document: dict[str, Any] = {"a": 1}

    result = await things.insert_one(document)

    assert isinstance(result.inserted_id, ObjectId)
    assert result.inserted_id == document["_id"]
    assert list(await things.find_one({})) == ["_id", "a"]


async def test_insert_of_an_id_twice(things: Any) -> None:
    """A second document with the same `_id` is refused, with the key in the details."""
    await things.insert_one({"_id": 1})

    with pytest.raises(DuplicateKeyError) as refused:
        await things.insert_one({"_id": 1.0})

    assert refused.value.code == 11000
    details = refused.value.details or {}
    assert (details["keyPattern"], details["keyValue"]) == ({"_id": 1}, {"_id": 1})


@pytest.mark.parametrize("value", [[1], []], ids=repr)
async def test_an_id_is_no_array(things: Any, value: Any) -> None:
    """An `_id` cannot be an array."""
    with pytest.raises(WriteError):
        await things.insert_one({"_id": value})


async def test_insert_many(things: Any) -> None:
    """Several documents are inserted in their order."""
    result = await things.insert_many([{"_id": n} for n in range(5)])

    assert list(range(5)) == result.inserted_ids
    assert await things.count_documents({}) == 5


@pytest.mark.parametrize(("ordered", "left"), [(True, [1, 2]), (False, [1, 2, 3])])
async def test_insert_many_with_a_duplicate(things: Any, ordered: bool, left: list[int]) -> None:
    """A duplicate stops ordered inserts, and only itself among unordered ones."""
    with pytest.raises(BulkWriteError) as refused:
        await things.insert_many([{"_id": n} for n in (1, 2, 1, 3)], ordered=ordered)

    details = refused.value.details
    assert len(left) == details["nInserted"]
    assert [(e["index"], e["code"]) for e in details["writeErrors"]] == [(2, 11000)]
    assert details["writeErrors"][0]["keyValue"] == {"_id": 1}
    assert left == [each["_id"] for each in await things.find({}, sort=[("_id", 1)]).to_list(None)]


async def test_insert_many_of_nothing(things: Any) -> None:
    """Inserting no documents is a mistake."""
    with pytest.raises(TypeError):
        await things.insert_many([])


async def test_delete_one(things: Any) -> None:
    """One document goes, or none."""
    await things.insert_many([{"a": 1}, {"a": 1}])

    assert (await things.delete_one({"a": 1})).deleted_count == 1
    assert (await things.delete_one({"a": 2})).deleted_count == 0
    assert await things.count_documents({}) == 1


async def test_delete_many(things: Any) -> None:
    """Every document that matches goes, from the indexes too."""
    await things.create_index([("a", 1)], unique=True)
    await things.insert_many([{"a": n} for n in range(10)])

    assert (await things.delete_many({"a": {"$lt": 5}})).deleted_count == 5
    await things.insert_one({"a": 0})
    assert await things.count_documents({}) == 6


@pytest.mark.parametrize(
    ("shown", "expected"), [(BEFORE, {"_id": 1, "n": 1}), (AFTER, {"_id": 1, "n": 2})]
)
async def test_find_one_and_update(things: Any, shown: bool, expected: dict[str, Any]) -> None:
    """The document comes as it was before or after."""
    await things.insert_one({"_id": 1, "n": 1})

    found = await things.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}}, return_document=shown)

    assert expected == found
    assert (await things.find_one({"_id": 1}))["n"] == 2


async def test_find_one_and_update_in_order(things: Any) -> None:
    """The sort says which document is updated, the projection what of it is shown."""
    await things.insert_many([{"_id": n, "a": n % 3, "b": 1} for n in range(9)])

    found = await things.find_one_and_update(
        {"a": 1}, {"$set": {"b": 2}}, sort=[("_id", -1)], projection={"b": 1}, return_document=AFTER
    )

    assert found == {"_id": 7, "b": 2}


@pytest.mark.parametrize(("shown", "expected"), [(BEFORE, None), (AFTER, {"_id": 1, "n": 1})])
async def test_find_one_and_upsert(things: Any, shown: bool, expected: Any) -> None:
    """Before an upsert there was nothing, after it there is the new document."""
    found = await things.find_one_and_update(
        {"_id": 1}, {"$inc": {"n": 1}}, upsert=True, return_document=shown
    )

    assert expected == found
    assert await things.find_one({}) == {"_id": 1, "n": 1}


async def test_find_one_and_nothing(things: Any) -> None:
    """Where nothing matches, nothing comes."""
    assert None is await things.find_one_and_update({"a": 1}, {"$set": {"a": 2}})
    assert None is await things.find_one_and_delete({"a": 1})


async def test_find_one_and_delete(things: Any) -> None:
    """The document that went comes back."""
    await things.insert_many([{"_id": 1, "a": 1}, {"_id": 2, "a": 2}])

    assert await things.find_one_and_delete({}, sort=[("a", -1)]) == {"_id": 2, "a": 2}
    assert await things.count_documents({}) == 1


async def test_find_one_and_duplicate(things: Any) -> None:
    """A find-and-modify that breaks a unique index is a duplicate with its key."""
    await things.create_index([("a", 1)], unique=True)
    await things.insert_many([{"_id": 1, "a": 1}, {"_id": 2, "a": 2}])

    with pytest.raises(DuplicateKeyError) as refused:
        await things.find_one_and_update({"_id": 2}, {"$set": {"a": 1}})

    details = refused.value.details or {}
    assert (details["keyPattern"], details["keyValue"]) == ({"a": 1}, {"a": 1})


async def test_bulk_write(things: Any) -> None:
    """Every kind of request does its work, in order, and is counted."""
    result = await things.bulk_write(
        [
            InsertOne({"_id": 1, "a": 1}),
            InsertOne({"_id": 2, "a": 1}),
            UpdateOne({"_id": 1}, {"$inc": {"a": 1}}),
            UpdateMany({}, {"$set": {"b": 1}}),
            UpdateOne({"_id": 3}, {"$set": {"a": 3}}, upsert=True),
            ReplaceOne({"_id": 2}, {"c": 1}),
            ReplaceOne({"_id": 4}, {"c": 1}, upsert=True),
            DeleteOne({"_id": 1}),
            DeleteMany({"c": 1}),
        ]
    )

    assert (
        result.inserted_count,
        result.matched_count,
        result.modified_count,
        result.deleted_count,
        result.upserted_ids,
    ) == (2, 4, 4, 3, {4: 3, 6: 4})
    assert await things.find({}).to_list(None) == [{"_id": 3, "a": 3}]


@pytest.mark.parametrize(("ordered", "left"), [(True, [1]), (False, [1, 2])])
async def test_bulk_write_with_a_duplicate(things: Any, ordered: bool, left: list[int]) -> None:
    """A refused request stops an ordered bulk, and only itself in an unordered one."""
    with pytest.raises(BulkWriteError) as refused:
        await things.bulk_write(
            [InsertOne({"_id": 1}), InsertOne({"_id": 1}), InsertOne({"_id": 2})], ordered=ordered
        )

    assert refused.value.details["writeErrors"][0]["index"] == 1
    assert left == [each["_id"] for each in await things.find({}, sort=[("_id", 1)]).to_list(None)]


async def test_bulk_write_of_nothing(things: Any) -> None:
    """A bulk without requests is a mistake."""
    with pytest.raises(InvalidOperation):
        await things.bulk_write([])


async def test_a_race_for_a_key(things: Any) -> None:
    """Of many inserts of one key at once exactly one wins."""
    await things.create_index([("email", 1)], unique=True)

    results = await asyncio.gather(
        *(things.insert_one({"email": "a@b"}) for _ in range(50)), return_exceptions=True
    )

    assert sum(isinstance(each, DuplicateKeyError) for each in results) == 49
    assert await things.count_documents({}) == 1


async def test_a_race_of_increments(things: Any) -> None:
    """Increments at once are all counted, and each caller sees its own number."""
    results = await asyncio.gather(
        *(
            things.find_one_and_update(
                {"_id": 1}, {"$inc": {"n": 1}}, upsert=True, return_document=AFTER
            )
            for _ in range(100)
        )
    )

    assert list(range(1, 101)) == sorted(each["n"] for each in results)


async def test_a_compare_and_set(things: Any) -> None:
    """Of many updates that expect the same old value exactly one succeeds."""
    await things.insert_one({"_id": 1, "v": 0})

    results = await asyncio.gather(
        *(things.update_one({"_id": 1, "v": 0}, {"$set": {"v": n}}) for n in range(1, 21))
    )

    assert sum(each.modified_count for each in results) == 1


async def test_a_session_is_accepted(client: Any, things: Any) -> None:
    """Every operation takes a session."""
    async with await client.start_session() as session:
        await things.insert_one({"_id": 1}, session=session)
        await things.update_one({"_id": 1}, {"$set": {"a": 1}}, session=session)
        assert await things.count_documents({"a": 1}, session=session) == 1
        assert await things.find_one({}, session=session) == {"_id": 1, "a": 1}
        assert len(await things.find({}, session=session).to_list(None)) == 1
        assert (await things.delete_many({}, session=session)).deleted_count == 1
