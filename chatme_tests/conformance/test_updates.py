"""What each update makes of a document, as MongoDB does it."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64
from pymongo.errors import DuplicateKeyError, WriteError

# (name, document, update, document after) — with `_id: 1` on both sides
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("$set", {"a": 1}, {"$set": {"a": 2}}, {"a": 2}),
    ("$set keeps the order", {"a": 1, "b": 2}, {"$set": {"a": 3}}, {"a": 3, "b": 2}),
    ("$set adds by name", {}, {"$set": {"b": 1, "a": 2}}, {"a": 2, "b": 1}),
    ("operators act by name", {}, {"$set": {"z": 1}, "$inc": {"a": 2}}, {"a": 2, "z": 1}),
    ("$set down a path", {}, {"$set": {"a.b.c": 1}}, {"a": {"b": {"c": 1}}}),
    ("$set in an array", {"a": [1, 2]}, {"$set": {"a.1": 5}}, {"a": [1, 5]}),
    ("$set beyond an array", {"a": [1]}, {"$set": {"a.3": 5}}, {"a": [1, None, None, 5]}),
    ("$set below an element", {"a": [{"b": 1}]}, {"$set": {"a.0.b": 2}}, {"a": [{"b": 2}]}),
    ("$set a number as a name", {"a": {}}, {"$set": {"a.0": 1}}, {"a": {"0": 1}}),
    ("$unset", {"a": 1, "b": 2}, {"$unset": {"a": ""}}, {"b": 2}),
    ("$unset what is not there", {"a": 1}, {"$unset": {"b.c": ""}}, {"a": 1}),
    ("$unset below a scalar", {"a": 1}, {"$unset": {"a.b": ""}}, {"a": 1}),
    ("$unset an element", {"a": [1, 2]}, {"$unset": {"a.0": ""}}, {"a": [None, 2]}),
    ("$inc", {"a": 1}, {"$inc": {"a": 2}}, {"a": 3}),
    ("$inc from nothing", {}, {"$inc": {"a": -2}}, {"a": -2}),
    ("$inc by a half", {"a": 1}, {"$inc": {"a": 0.5}}, {"a": 1.5}),
    ("$inc past 32 bits", {"a": 2**31 - 1}, {"$inc": {"a": 1}}, {"a": 2**31}),
    ("$min", {"a": 5}, {"$min": {"a": 3}}, {"a": 3}),
    ("$min not less", {"a": 5}, {"$min": {"a": 7}}, {"a": 5}),
    ("$min across types", {"a": "x"}, {"$min": {"a": 7}}, {"a": 7}),
    ("$max", {"a": 5}, {"$max": {"a": 7}}, {"a": 7}),
    ("$max from nothing", {}, {"$max": {"a": 7}}, {"a": 7}),
    ("$push", {"a": [1]}, {"$push": {"a": 2}}, {"a": [1, 2]}),
    ("$push to nothing", {}, {"$push": {"a": 2}}, {"a": [2]}),
    ("$push an array", {"a": []}, {"$push": {"a": [1]}}, {"a": [[1]]}),
    ("$push $each", {"a": [1]}, {"$push": {"a": {"$each": [2, 3]}}}, {"a": [1, 2, 3]}),
    (
        "$push $slice from the end",
        {"a": [1, 2]},
        {"$push": {"a": {"$each": [3], "$slice": -2}}},
        {"a": [2, 3]},
    ),
    (
        "$push $slice from the start",
        {"a": [1, 2]},
        {"$push": {"a": {"$each": [3], "$slice": 2}}},
        {"a": [1, 2]},
    ),
    ("$push $slice 0", {"a": [1]}, {"$push": {"a": {"$each": [], "$slice": 0}}}, {"a": []}),
    ("$pull a value", {"a": [1, 2, 1]}, {"$pull": {"a": 1}}, {"a": [2]}),
    ("$pull equal numbers", {"a": [1, 1.0, 2]}, {"$pull": {"a": 1}}, {"a": [2]}),
    ("$pull by operators", {"a": [1, 5, 9]}, {"$pull": {"a": {"$gte": 5}}}, {"a": [1]}),
    ("$pull by $in", {"a": [1, 5, 9]}, {"$pull": {"a": {"$in": [1, 9]}}}, {"a": [5]}),
    (
        "$pull by a condition",
        {"a": [{"u": 1, "r": 1}, {"u": 2}, 7]},
        {"$pull": {"a": {"u": 1}}},
        {"a": [{"u": 2}, 7]},
    ),
    ("$pull an array", {"a": [[1], [2]]}, {"$pull": {"a": [1]}}, {"a": [[2]]}),
    ("$pull from nothing", {}, {"$pull": {"a.b": 1}}, {}),
    ("$addToSet", {"a": [1]}, {"$addToSet": {"a": 2}}, {"a": [1, 2]}),
    ("$addToSet again", {"a": [1]}, {"$addToSet": {"a": 1.0}}, {"a": [1]}),
    ("$addToSet to nothing", {}, {"$addToSet": {"a": 1}}, {"a": [1]}),
    (
        "$addToSet $each",
        {"a": [1]},
        {"$addToSet": {"a": {"$each": [1, 2, 2]}}},
        {"a": [1, 2]},
    ),
    ("$setOnInsert", {"a": 1}, {"$setOnInsert": {"a": 2}}, {"a": 1}),
    (
        "several at once",
        {"a": 1, "b": [1]},
        {"$inc": {"a": 1}, "$push": {"b": 2}, "$set": {"c": 3}},
        {"a": 2, "b": [1, 2], "c": 3},
    ),
]


@pytest.mark.parametrize(
    ("document", "update", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
async def test_update(
    things: Any, document: dict[str, Any], update: dict[str, Any], expected: dict[str, Any]
) -> None:
    """An update changes what MongoDB's changes, and says whether it did."""
    await things.insert_one({"_id": 1, **document})

    result = await things.update_one({"_id": 1}, update)

    after = await things.find_one({"_id": 1})
    assert {"_id": 1, **expected} == after
    assert list({"_id": 1, **expected}) == list(after)
    assert (1, int(document != expected), None) == (
        result.matched_count,
        result.modified_count,
        result.upserted_id,
    )


@pytest.mark.parametrize(
    ("update", "code"),
    [
        ({"$set": {"a": 1, "a.b": 2}}, 40),
        ({"$set": {"a": 1}, "$inc": {"a": 2}}, 40),
        ({"$set": {"_id": 2}}, 66),
        ({"$unset": {"_id": ""}}, 66),
        ({"$set": {"text.b": 2}}, 28),
        ({"$set": {"list.b": 2}}, 28),
        ({"$set": {"nothing.b": 2}}, 28),
        ({"$inc": {"text": 2}}, 14),
        ({"$inc": {"number": "x"}}, 14),
        ({"$inc": {"number": None}}, 14),
        ({"$inc": {"long": 1}}, 2),
        ({"$push": {"text": 2}}, 2),
        ({"$push": {"list": {"$each": 1}}}, 2),
        ({"$addToSet": {"text": 2}}, 2),
        ({"$addToSet": {"list": {"$each": 1}}}, 14),
        ({"$pull": {"text": 2}}, 2),
        ({"$set": 1}, 9),
        ({"$set": {"a..b": 1}}, 56),
        ({"$set": {"list.$": 1}}, 2),
    ],
    ids=repr,
)
async def test_refused_update(things: Any, update: dict[str, Any], code: int) -> None:
    """An update that cannot be made is refused with MongoDB's code and changes nothing."""
    document = {
        "_id": 1,
        "text": "x",
        "list": [1],
        "nothing": None,
        "number": 1,
        "long": Int64(2**63 - 1),
    }
    await things.insert_one(document)

    with pytest.raises(WriteError) as refused:
        await things.update_one({"_id": 1}, update)

    assert code == refused.value.code
    assert document == await things.find_one({"_id": 1})


async def test_an_update_without_operators_is_a_mistake(things: Any) -> None:
    """An update is made of operators, and a replacement is not."""
    with pytest.raises(ValueError, match="operators"):
        await things.update_one({}, {"a": 1})
    with pytest.raises(ValueError, match="empty"):
        await things.update_one({}, {})
    with pytest.raises(ValueError, match="operators"):
        await things.replace_one({}, {"$set": {"a": 1}})


@pytest.mark.parametrize(
    ("filter", "update", "expected"),
    [
        ({"a": 2}, {"$set": {"a.$": 9}}, {"a": [1, 9, 2]}),
        ({"a": {"$gt": 1}}, {"$inc": {"a.$": 9}}, {"a": [1, 11, 2]}),
        ({"a": {"$elemMatch": {"$gt": 1}}}, {"$set": {"a.$": 9}}, {"a": [1, 9, 2]}),
    ],
    ids=["equality", "comparison", "$elemMatch"],
)
async def test_positional_in_values(
    things: Any, filter: dict[str, Any], update: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The positional operator stands for the first element that the filter matched."""
    await things.insert_one({"_id": 1, "a": [1, 2, 2]})

    await things.update_one({"_id": 1, **filter}, update)

    assert {"_id": 1, **expected} == await things.find_one({"_id": 1})


@pytest.mark.parametrize(
    "filter",
    [{"members.user": "b"}, {"members": {"$elemMatch": {"user": "b", "role": "member"}}}],
    ids=["path", "$elemMatch"],
)
async def test_positional_in_documents(things: Any, filter: dict[str, Any]) -> None:
    """The positional operator reaches into the element's fields."""
    members = [{"user": "a", "role": "admin"}, {"user": "b", "role": "member"}]
    await things.insert_one({"_id": 1, "members": members})

    result = await things.update_one(filter, {"$set": {"members.$.role": "admin"}})

    assert result.modified_count == 1
    assert [m["role"] for m in (await things.find_one({}))["members"]] == ["admin", "admin"]


@pytest.mark.parametrize(
    ("filter", "update", "expected"),
    [
        ({"_id": 7}, {"$set": {"b": 1, "a": 2}}, {"_id": 7, "a": 2, "b": 1}),
        ({"x": 1, "_id": 7}, {"$set": {"a": 2}}, {"_id": 7, "x": 1, "a": 2}),
        ({"_id": 7, "x": {"$eq": 1}}, {"$inc": {"x": 2}}, {"_id": 7, "x": 3}),
        ({"_id": 7, "x": {"$gt": 1}}, {"$set": {"a": 2}}, {"_id": 7, "a": 2}),
        ({"_id": 7, "a.b": 1}, {"$set": {"a.c": 2}}, {"_id": 7, "a": {"b": 1, "c": 2}}),
        ({"$and": [{"_id": 7}, {"x": None}]}, {"$set": {"a": 2}}, {"_id": 7, "x": None, "a": 2}),
        ({"_id": 7}, {"$setOnInsert": {"a": 2}}, {"_id": 7, "a": 2}),
        ({"_id": 7}, {"$push": {"a": {"$each": [1, 2], "$slice": 1}}}, {"_id": 7, "a": [1]}),
        ({"_id": 7}, {"$addToSet": {"a": 1}, "$max": {"m": 3}}, {"_id": 7, "a": [1], "m": 3}),
        ({"x": 5}, {"$set": {"_id": 7}}, {"_id": 7, "x": 5}),
    ],
    ids=repr,
)
async def test_upsert(
    things: Any, filter: dict[str, Any], update: dict[str, Any], expected: dict[str, Any]
) -> None:
    """An upsert that finds nothing inserts the filter's equalities and the update's work."""
    result = await things.update_one(filter, update, upsert=True)

    assert (result.matched_count, result.modified_count, result.upserted_id) == (0, 0, 7)
    assert expected == await things.find_one({})


async def test_upsert_makes_an_id(things: Any) -> None:
    """An upsert without an `_id` makes one and tells it."""
    result = await things.update_one({"x": 1}, {"$set": {"a": 1}}, upsert=True)

    found = await things.find_one({})
    assert list(found) == ["_id", "x", "a"]
    assert result.upserted_id == found["_id"]


async def test_upsert_that_finds(things: Any) -> None:
    """An upsert that finds a document updates it and inserts nothing."""
    await things.insert_one({"_id": 1, "x": 1})

    update = {"$set": {"a": 1}, "$setOnInsert": {"b": 1}}
    result = await things.update_one({"x": 1}, update, upsert=True)

    assert (result.matched_count, result.modified_count, result.upserted_id) == (1, 1, None)
    assert await things.find({}).to_list(None) == [{"_id": 1, "x": 1, "a": 1}]


async def test_upsert_that_clashes(things: Any) -> None:
    """An upsert whose document breaks a unique index is refused as a duplicate."""
    await things.create_index([("a", 1)], unique=True)
    await things.insert_one({"_id": 1, "a": 1})

    with pytest.raises(DuplicateKeyError):
        await things.update_one({"_id": 2}, {"$set": {"a": 1}}, upsert=True)

    assert await things.count_documents({}) == 1


async def test_upsert_of_a_path_twice(things: Any) -> None:
    """An upsert whose filter speaks of one path twice is refused."""
    with pytest.raises(WriteError) as refused:
        await things.update_one({"a": 1, "a.b": 2}, {"$set": {"c": 1}}, upsert=True)

    assert refused.value.code == 54


async def test_update_many(things: Any) -> None:
    """Every document that matches is updated; those already so are matched, not modified."""
    await things.insert_many([{"_id": n, "a": n % 2, "b": n // 4} for n in range(10)])

    result = await things.update_many({"a": 1}, {"$set": {"b": 2}})

    assert (result.matched_count, result.modified_count) == (5, 4)
    assert await things.count_documents({"b": 2}) == 6


async def test_update_many_moves_ahead_of_itself(things: Any) -> None:
    """An update that moves documents ahead in the index it reads touches each of them once."""
    await things.create_index([("a", 1)])
    await things.insert_many([{"_id": n, "a": n} for n in range(3000)])

    result = await things.update_many({"a": {"$gte": 0}}, {"$inc": {"a": 5000}})

    assert (result.matched_count, result.modified_count) == (3000, 3000)
    assert (await things.find_one({}, sort=[("a", -1)]))["a"] == 8000 - 1


async def test_replace(things: Any) -> None:
    """A replacement takes everything but the `_id`."""
    await things.insert_one({"_id": 1, "a": 1, "b": 2})

    result = await things.replace_one({"a": 1}, {"c": 3})

    assert (result.matched_count, result.modified_count) == (1, 1)
    assert await things.find_one({}) == {"_id": 1, "c": 3}


async def test_replace_of_the_id(things: Any) -> None:
    """A replacement with another `_id` is refused."""
    await things.insert_one({"_id": 1, "a": 1})

    with pytest.raises(WriteError) as refused:
        await things.replace_one({"a": 1}, {"_id": 2})

    assert refused.value.code == 66


@pytest.mark.parametrize(
    ("filter", "replacement", "expected"),
    [
        ({"_id": 7}, {"a": 1}, {"_id": 7, "a": 1}),
        ({"x": 1}, {"_id": 7, "a": 1}, {"_id": 7, "a": 1}),
    ],
    ids=["from the filter", "from the replacement"],
)
async def test_replace_upsert(
    things: Any, filter: dict[str, Any], replacement: dict[str, Any], expected: dict[str, Any]
) -> None:
    """A replacement that finds nothing is inserted, with its own or the filter's `_id`."""
    result = await things.replace_one(filter, replacement, upsert=True)

    assert result.upserted_id == 7
    assert [expected] == await things.find({}).to_list(None)
