"""What indexes promise: uniqueness, what they leave out, and how their definitions clash."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError, OperationFailure, WriteError


async def keys_of_clash(things: Any, document: dict[str, Any]) -> tuple[Any, Any]:
    """keyPattern and keyValue with which the document is refused."""
    with pytest.raises(DuplicateKeyError) as refused:
        await things.insert_one(document)
    details = refused.value.details or {}
    return details["keyPattern"], details["keyValue"]


async def test_unique(things: Any) -> None:
    """A unique index refuses a second document with a value, and names the key."""
    await things.create_index("email", unique=True)
    await things.insert_one({"email": "a@b"})

    assert await keys_of_clash(things, {"email": "a@b"}) == ({"email": 1}, {"email": "a@b"})


async def test_unique_compound(things: Any) -> None:
    """A compound unique index refuses only the whole combination."""
    await things.create_index([("a", ASCENDING), ("b", DESCENDING)], unique=True)
    await things.insert_many([{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1}])

    expected = ({"a": 1, "b": -1}, {"a": 1, "b": 2})
    assert expected == await keys_of_clash(things, {"a": 1, "b": 2})


async def test_unique_missing(things: Any) -> None:
    """Missing counts as null: only one document may lack a unique field."""
    await things.create_index("a", unique=True)
    await things.insert_one({})

    assert await keys_of_clash(things, {"a": None}) == ({"a": 1}, {"a": None})


async def test_unique_dotted(things: Any) -> None:
    """A unique index reaches into embedded documents."""
    await things.create_index("a.b", unique=True)
    await things.insert_one({"a": {"b": 1}})

    assert await keys_of_clash(things, {"a": {"b": 1, "c": 2}}) == ({"a.b": 1}, {"a.b": 1})


async def test_unique_multikey(things: Any) -> None:
    """Across documents an array's element is unique; within one it may come twice."""
    await things.create_index("tags", unique=True)
    await things.insert_one({"tags": ["a", "b", "b"]})

    assert await keys_of_clash(things, {"tags": ["c", "b"]}) == ({"tags": 1}, {"tags": "b"})
    await things.insert_one({"tags": ["c", "c"]})


async def test_unique_identities(things: Any) -> None:
    """A unique index over an array of documents holds across documents."""
    index = [("identities.provider", 1)]
    await things.create_index(index, unique=True)
    await things.insert_one({"identities": [{"provider": "g:1"}, {"provider": "h:2"}]})

    _, value = await keys_of_clash(things, {"identities": [{"provider": "h:2"}]})
    assert value == {"identities.provider": "h:2"}


async def test_a_failed_update_leaves_the_index(things: Any) -> None:
    """After a refused update both the old key and the new one are as they were."""
    await things.create_index("a", unique=True)
    await things.create_index("b")
    await things.insert_many([{"_id": 1, "a": 1, "b": 1}, {"_id": 2, "a": 2, "b": 2}])

    with pytest.raises(DuplicateKeyError):
        await things.update_one({"_id": 2}, {"$set": {"a": 1, "b": 9}})

    assert await things.find_one({"a": 2}) == {"_id": 2, "a": 2, "b": 2}
    assert None is await things.find_one({"b": 9})
    assert await things.count_documents({"b": 2}) == 1


async def test_an_update_frees_its_key(things: Any) -> None:
    """A value given up by an update may be taken by another document."""
    await things.create_index("a", unique=True)
    await things.insert_one({"_id": 1, "a": 1})
    await things.update_one({"_id": 1}, {"$set": {"a": 2}})

    await things.insert_one({"_id": 2, "a": 1})

    assert await things.count_documents({}) == 2


async def test_partial_unique(things: Any) -> None:
    """A partial index holds only the documents that meet its filter."""
    await things.create_index(
        [("sender", 1), ("clientId", 1)],
        unique=True,
        partialFilterExpression={"clientId": {"$exists": True}},
    )
    await things.insert_many([{"sender": 1}, {"sender": 1}, {"sender": 1, "clientId": "x"}])

    _, value = await keys_of_clash(things, {"sender": 1, "clientId": "x"})
    assert value == {"sender": 1, "clientId": "x"}
    assert await things.count_documents({"sender": 1, "clientId": None}) == 2
    assert await things.count_documents({"sender": 1}) == 3


@pytest.mark.parametrize(
    ("partial", "held", "free"),
    [
        ({"kind": "direct"}, {"kind": "direct"}, {"kind": "group"}),
        ({"n": {"$gt": 5}}, {"n": 6}, {"n": 5}),
        ({"name": {"$type": "string"}}, {"name": "x"}, {"name": None}),
    ],
    ids=["equality", "$gt", "$type"],
)
async def test_partial_filters(
    things: Any, partial: dict[str, Any], held: dict[str, Any], free: dict[str, Any]
) -> None:
    """What meets the filter is unique, what does not is free; both are found."""
    await things.create_index("key", unique=True, partialFilterExpression=partial)
    await things.insert_many([{"key": 1, **held}, {"key": 1, **free}, {"key": 1, **free}])

    with pytest.raises(DuplicateKeyError):
        await things.insert_one({"key": 1, **held})
    assert await things.count_documents({"key": 1}) == 3
    assert await things.count_documents({"key": 1, **held}) == 1


async def test_entering_a_partial_index(things: Any) -> None:
    """An update that makes a document meet the filter may clash."""
    await things.create_index("key", unique=True, partialFilterExpression={"live": True})
    await things.insert_many([{"_id": 1, "key": 1, "live": True}, {"_id": 2, "key": 1}])

    with pytest.raises(DuplicateKeyError):
        await things.update_one({"_id": 2}, {"$set": {"live": True}})
    await things.update_one({"_id": 1}, {"$set": {"live": False}})
    await things.update_one({"_id": 2}, {"$set": {"live": True}})


async def test_sparse_unique(things: Any) -> None:
    """A sparse index leaves out documents without the field, not those with null."""
    await things.create_index("a", unique=True, sparse=True)
    await things.insert_many([{}, {}, {"a": None}])

    with pytest.raises(DuplicateKeyError):
        await things.insert_one({"a": None})
    assert await things.count_documents({"a": None}) == 3
    assert len(await things.find({}, sort=[("a", 1)]).to_list(None)) == 3


async def test_sparse_with_partial(things: Any) -> None:
    """An index is sparse or partial, not both."""
    with pytest.raises(OperationFailure):
        await things.create_index("a", sparse=True, partialFilterExpression={"a": 1})


async def test_parallel_arrays(things: Any) -> None:
    """Two arrays in one compound index are refused, one is not."""
    await things.create_index([("a", 1), ("b", 1)])
    await things.insert_one({"a": [1, 2], "b": 1})

    with pytest.raises(WriteError) as refused:
        await things.insert_one({"a": [1], "b": [2]})

    assert refused.value.code == 171


async def test_an_index_on_what_is_there(things: Any) -> None:
    """An index made later holds the documents that were there."""
    await things.insert_many([{"a": n % 7, "b": [n, -n]} for n in range(2500)])
    await things.create_index([("a", 1)])
    await things.create_index([("b", 1)])

    assert await things.count_documents({"a": 3}) == 357
    assert await things.count_documents({"b": -2000}) == 1


async def test_an_index_over_duplicates(things: Any) -> None:
    """A unique index over duplicates is refused and leaves nothing."""
    await things.insert_many([{"a": 1}, {"a": 1}])

    with pytest.raises(DuplicateKeyError) as refused:
        await things.create_index("a", unique=True)

    assert (refused.value.details or {})["keyValue"] == {"a": 1}
    assert list(await things.index_information()) == ["_id_"]


async def test_index_information(things: Any) -> None:
    """Indexes are described as pymongo describes them."""
    await things.create_index([("a", 1), ("b", -1)], unique=True)
    await things.create_index("t", expireAfterSeconds=60, name="gone")
    await things.create_index("p", partialFilterExpression={"p": {"$exists": True}})
    await things.create_index("s", sparse=True)

    information = await things.index_information()

    assert {
        name: {key: each[key] for key in each if key != "ns"} for name, each in information.items()
    } == {
        "_id_": {"v": 2, "key": [("_id", 1)]},
        "a_1_b_-1": {"v": 2, "key": [("a", 1), ("b", -1)], "unique": True},
        "gone": {"v": 2, "key": [("t", 1)], "expireAfterSeconds": 60},
        "p_1": {"v": 2, "key": [("p", 1)], "partialFilterExpression": {"p": {"$exists": True}}},
        "s_1": {"v": 2, "key": [("s", 1)], "sparse": True},
    }


async def test_the_same_index_again(things: Any) -> None:
    """Making an index that is there already is no error."""
    for _ in range(2):
        assert await things.create_index("a", unique=True) == "a_1"
    assert await things.create_indexes([IndexModel("a", unique=True), IndexModel("b")]) == [
        "a_1",
        "b_1",
    ]


@pytest.mark.parametrize(
    ("keys", "options", "code"),
    [
        ([("a", 1)], {"name": "other"}, 85),
        ([("b", 1)], {"name": "a_1"}, 86),
        ([("a", 1)], {"unique": True}, 86),
        ([("a", 1)], {"expireAfterSeconds": 5}, 85),
    ],
    ids=["another name", "another key", "unique", "another option"],
)
async def test_conflicting_indexes(
    things: Any, keys: Any, options: dict[str, Any], code: int
) -> None:
    """An index that clashes with another by its name or its keys is refused."""
    await things.create_index("a")

    with pytest.raises(OperationFailure) as refused:
        await things.create_index(keys, **options)

    assert code == refused.value.code


async def test_drop_index(things: Any) -> None:
    """A dropped index no longer forbids anything; one that is not there is an error."""
    await things.create_index("a", unique=True)
    await things.insert_one({"a": 1})
    await things.drop_index([("a", 1)])
    await things.insert_one({"a": 1})

    with pytest.raises(OperationFailure) as refused:
        await things.drop_index("a_1")
    assert refused.value.code == 27
    with pytest.raises(OperationFailure) as refused:
        await things.drop_index("_id_")
    assert refused.value.code == 72


async def test_drop_indexes(things: Any) -> None:
    """All indexes but that of `_id` go."""
    await things.create_index("a")
    await things.create_index("b")
    await things.drop_indexes()

    assert list(await things.index_information()) == ["_id_"]


async def test_collections(database: Any, things: Any) -> None:
    """A collection is there once written to, and gone once dropped."""
    assert await database.list_collection_names() == []
    await things.insert_one({"_id": 1})
    await database["others"].create_index("a")
    assert sorted(await database.list_collection_names()) == ["others", "things"]

    await things.drop()
    await database.drop_collection("others")
    await things.drop()

    assert await database.list_collection_names() == []
    assert await things.count_documents({}) == 0


async def test_find_by_members(things: Any) -> None:
    """Documents are found by one of an array's values, in the order of another field."""
    me, you = ObjectId(), ObjectId()
    await things.create_index([("members", 1), ("at", -1)])
    await things.insert_many(
        [{"_id": n, "members": [me, you] if n % 2 else [you], "at": n % 5} for n in range(20)]
    )

    found = await things.find({"members": me}, sort=[("at", -1), ("_id", 1)], limit=3).to_list(None)

    assert [each["_id"] for each in found] == [9, 19, 3]
