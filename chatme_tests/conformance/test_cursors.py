"""Sorting, cutting, showing and iterating, as MongoDB and Motor do it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from bson import MaxKey, MinKey, ObjectId, Regex, Timestamp
from pymongo.errors import InvalidOperation, OperationFailure

IN_ORDER: list[Any] = [
    MinKey(),
    None,
    float("nan"),
    float("-inf"),
    -5,
    -0.5,
    0,
    2**53,
    2**53 + 1,
    float("inf"),
    "",
    "A",
    "a",
    "a\x00",
    "aa",
    "ä",
    "\U0001f600",
    {},
    {"a": 1},
    {"a": 1, "b": 1},
    {"b": 1},
    {"a": "x"},
    b"",
    b"b",
    b"aa",
    ObjectId("0" * 24),
    ObjectId("f" * 24),
    False,
    True,
    datetime.datetime(1900, 1, 1),
    datetime.datetime(2026, 1, 1),
    Timestamp(1, 1),
    Timestamp(1, 2),
    Regex("a"),
    MaxKey(),
]


async def ids(cursor: Any) -> list[Any]:
    """The `_id`s that a cursor gives."""
    return [each["_id"] for each in await cursor.to_list(None)]


@pytest.mark.parametrize("indexed", [False, True], ids=["scan", "index"])
@pytest.mark.parametrize("direction", [1, -1])
async def test_order_of_types(things: Any, indexed: bool, direction: int) -> None:
    """Values of all types sort in MongoDB's order, from an index or not."""
    if indexed:
        await things.create_index("a")
    places = list(range(len(IN_ORDER)))
    await things.insert_many([{"_id": n, "a": IN_ORDER[n]} for n in [*places[1::2], *places[::2]]])

    assert places[::direction] == await ids(things.find({}).sort("a", direction))


@pytest.mark.parametrize("indexed", [False, True], ids=["scan", "index"])
async def test_order_of_arrays(things: Any, indexed: bool) -> None:
    """An array counts by its least element ascending, by its greatest descending."""
    if indexed:
        await things.create_index("a")
    arrays: list[Any] = [[5, 1], [3], 4, [], [2, 9], None]
    await things.insert_many([{"_id": n, "a": each} for n, each in enumerate(arrays)])

    assert await ids(things.find({}).sort("a", 1)) == [3, 5, 0, 4, 1, 2]
    assert await ids(things.find({}).sort("a", -1)) == [4, 0, 2, 1, 5, 3]


@pytest.mark.parametrize("indexed", [False, True], ids=["scan", "index"])
async def test_sort_skip_limit(things: Any, indexed: bool) -> None:
    """Skip and limit cut what is sorted, whatever was written first."""
    if indexed:
        await things.create_index([("a", 1), ("b", -1)])
    await things.insert_many([{"_id": n, "a": n % 3, "b": n} for n in range(300)])
    order = [("a", 1), ("b", -1)]

    assert await ids(things.find({}, sort=order, limit=3)) == [297, 294, 291]
    assert await ids(things.find({}).sort(order).skip(2).limit(2)) == [291, 288]
    assert await ids(things.find({}).sort(order).skip(99).limit(2)) == [0, 298]
    assert await ids(things.find({}).sort(order).skip(299)) == [2]
    assert await ids(things.find({}).sort(order).skip(300).limit(5)) == []
    assert await ids(things.find({}).sort([("a", -1), ("b", 1)]).limit(2)) == [2, 5]
    assert await ids(things.find({"b": {"$lt": 3}}).sort([("a", -1), ("b", -1)]).limit(2)) == [2, 1]


async def test_history_page(things: Any) -> None:
    """The newest below a number come first, as many as asked for."""
    await things.create_index([("conversation", 1), ("seq", 1)], unique=True)
    await things.insert_many([{"conversation": n % 5, "seq": n // 5} for n in range(1000)])

    page = things.find({"conversation": 3, "seq": {"$lt": 100}}).sort("seq", -1).limit(30)

    assert list(range(99, 69, -1)) == [each["seq"] for each in await page.to_list(None)]


@pytest.mark.parametrize("count", [0, 1, 100, 101, 102, 1000, 2500])
async def test_long_results(things: Any, count: int) -> None:
    """Every document comes once, however many there are."""
    if count:
        await things.insert_many([{"_id": n} for n in range(count)])

    assert list(range(count)) == await ids(things.find({}).sort("_id", 1))
    assert count == len(await ids(things.find({"_id": {"$gte": 0}})))
    assert count == len([each async for each in things.find({})])


async def test_to_list_in_parts(things: Any) -> None:
    """`to_list` with a length takes that many and leaves the rest."""
    await things.insert_many([{"_id": n} for n in range(10)])
    cursor = things.find({}).sort("_id", 1)

    assert [each["_id"] for each in await cursor.to_list(3)] == [0, 1, 2]
    assert [each["_id"] for each in await cursor.to_list(2)] == [3, 4]
    assert [each["_id"] for each in await cursor.to_list(100)] == [5, 6, 7, 8, 9]
    assert await cursor.to_list(5) == []


async def test_options_after_the_beginning(things: Any) -> None:
    """A cursor that has begun takes no more options."""
    await things.insert_one({})
    cursor = things.find({})
    await cursor.to_list(1)

    with pytest.raises(InvalidOperation):
        cursor.limit(1)


@pytest.mark.parametrize(
    ("projection", "expected"),
    [
        (None, {"_id": 1, "a": 1, "b": {"c": 2, "d": 3}, "e": [{"f": 4, "g": 5}, 6]}),
        ({"a": 1}, {"_id": 1, "a": 1}),
        ({"a": True, "_id": False}, {"a": 1}),
        ({"_id": 1}, {"_id": 1}),
        ({"b.c": 1}, {"_id": 1, "b": {"c": 2}}),
        ({"e.f": 1, "_id": 0}, {"e": [{"f": 4}]}),
        ({"a.x": 1}, {"_id": 1}),
        ({"e": 0, "b": 0}, {"_id": 1, "a": 1}),
        ({"_id": 0, "b": 0, "e": 0}, {"a": 1}),
        ({"_id": 0}, {"a": 1, "b": {"c": 2, "d": 3}, "e": [{"f": 4, "g": 5}, 6]}),
        ({"b.c": 0, "e.f": 0}, {"_id": 1, "a": 1, "b": {"d": 3}, "e": [{"g": 5}, 6]}),
        (["a"], {"_id": 1, "a": 1}),
        ([], {"_id": 1}),
        ({"nothing": 1}, {"_id": 1}),
    ],
    ids=repr,
)
async def test_projection(things: Any, projection: Any, expected: dict[str, Any]) -> None:
    """A projection shows the fields it includes, or all but those it excludes."""
    await things.insert_one({"_id": 1, "a": 1, "b": {"c": 2, "d": 3}, "e": [{"f": 4, "g": 5}, 6]})

    assert expected == await things.find_one({}, projection)


async def test_mixed_projection(things: Any) -> None:
    """Including and excluding at once is refused."""
    await things.insert_one({})

    with pytest.raises(OperationFailure) as refused:
        await things.find_one({}, {"a": 1, "b": 0})

    assert refused.value.code == 31254


async def test_find_one(things: Any) -> None:
    """The first in the order comes; something that is no filter is an `_id`."""
    await things.insert_many([{"_id": n, "a": -n} for n in range(5)])

    assert await things.find_one({}, sort=[("a", 1)]) == {"_id": 4, "a": -4}
    assert await things.find_one(2) == {"_id": 2, "a": -2}
    assert None is await things.find_one({"_id": 9})


async def test_aggregate(things: Any) -> None:
    """A pipeline of match, sort, skip, limit and project works like a find."""
    await things.insert_many([{"_id": n, "a": n % 2, "b": n} for n in range(10)])

    pipeline = [
        {"$match": {"a": 1}},
        {"$sort": {"b": -1}},
        {"$skip": 1},
        {"$limit": 2},
        {"$project": {"b": 1}},
    ]

    assert await things.aggregate(pipeline).to_list(None) == [
        {"_id": 7, "b": 7},
        {"_id": 5, "b": 5},
    ]
    assert len([each async for each in things.aggregate([])]) == 10
    with pytest.raises(OperationFailure):
        await things.aggregate([{"$limit": 0}]).to_list(None)


async def test_count(things: Any) -> None:
    """Counts count documents, cut by skip and limit, by index or not."""
    await things.create_index("a")
    await things.insert_many([{"a": [n % 10, n % 7], "b": n % 2} for n in range(100)])

    assert await things.count_documents({}) == 100
    assert await things.estimated_document_count() == 100
    assert sum(3 in (n % 10, n % 7) for n in range(100)) == await things.count_documents({"a": 3})
    assert await things.count_documents({"a": {"$gte": 0}}) == 100
    assert sum(3 in (n % 10, n % 7) or 5 in (n % 10, n % 7) for n in range(100)) == (
        await things.count_documents({"a": {"$in": [3, 5]}})
    )
    assert await things.count_documents({"b": 1}) == 50
    assert await things.count_documents({"b": 1}, limit=7) == 7
    assert await things.count_documents({"b": 1}, skip=40) == 10
    assert await things.count_documents({}, skip=200) == 0
    for where in ({"a": 3}, {"a": {"$gte": 0}}, {"a": {"$in": [3, 5]}}, {}):
        whole = await things.count_documents(where)
        assert await things.count_documents(where, limit=7) == 7
        assert await things.count_documents(where, skip=whole - 2, limit=7) == 2
        assert await things.count_documents(where, limit=whole + 1) == whole


async def test_or_with_indexes(things: Any) -> None:
    """A document that two branches match comes once."""
    await things.create_index("a")
    await things.create_index("b")
    await things.insert_many([{"_id": n, "a": n % 10, "b": n % 3} for n in range(60)])
    either = {"$or": [{"a": 1}, {"b": 2}]}

    expected = [n for n in range(60) if n % 10 == 1 or n % 3 == 2]
    assert expected == await ids(things.find(either).sort("_id", 1))
    assert expected == sorted(await ids(things.find(either)))
    assert len(expected) == await things.count_documents(either)


async def test_many_points(things: Any) -> None:
    """An `$in` of very many values finds each document once."""
    await things.insert_many([{"_id": n} for n in range(0, 3000, 2)])
    wanted = list(range(2000))

    found = await ids(things.find({"_id": {"$in": wanted}}))
    assert list(range(0, 2000, 2)) == sorted(found)
    assert await things.count_documents({"_id": {"$in": wanted}}) == 1000


@pytest.mark.parametrize("size", [10, 200_000])
async def test_large_documents(things: Any, size: int) -> None:
    """Large documents come whole, many at once."""
    await things.insert_many([{"_id": n, "text": chr(97 + n % 26) * size} for n in range(120)])

    found = await things.find({}).sort("_id", 1).to_list(None)

    assert [(n, chr(97 + n % 26) * size) for n in range(120)] == [
        (d["_id"], d["text"]) for d in found
    ]
