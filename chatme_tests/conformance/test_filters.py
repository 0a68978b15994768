"""What each filter matches, as MongoDB matches it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import OperationFailure

ID = ObjectId()
WHEN = datetime(2026, 1, 31, 12, 0, 0, 123000)

# (documents without _id, filter, places of those that match)
CASES: list[tuple[str, list[dict[str, Any]], dict[str, Any], list[int]]] = [
    ("equality", [{"a": 1}, {"a": 2}, {}], {"a": 1}, [0]),
    ("equality across numbers", [{"a": 1}, {"a": 1.0}, {"a": 2**40}], {"a": 1.0}, [0, 1]),
    ("a boolean is no number", [{"a": True}, {"a": 1}], {"a": 1}, [1]),
    ("an ObjectId", [{"a": ID}, {"a": str(ID)}], {"a": ID}, [0]),
    ("a date", [{"a": WHEN}, {"a": None}], {"a": WHEN}, [0]),
    ("bytes", [{"a": b"x"}, {"a": "x"}], {"a": b"x"}, [0]),
    ("null and missing", [{"a": None}, {}, {"a": 0}, {"a": []}], {"a": None}, [0, 1]),
    ("null in an array", [{"a": [1, None]}, {"a": [1]}], {"a": None}, [0]),
    ("an array's element", [{"a": [1, 2]}, {"a": [3]}, {"a": 2}], {"a": 2}, [0, 2]),
    ("a whole array", [{"a": [1, 2]}, {"a": [2, 1]}, {"a": [[1, 2]]}], {"a": [1, 2]}, [0, 2]),
    ("an empty array", [{"a": []}, {"a": [[]]}, {"a": None}], {"a": []}, [0, 1]),
    (
        "a document, order and all",
        [{"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, {"a": [{"x": 1, "y": 2}]}],
        {"a": {"x": 1, "y": 2}},
        [0, 2],
    ),
    ("an empty document", [{"a": {}}, {"a": {"b": 1}}], {"a": {}}, [0]),
    ("a dotted path", [{"a": {"b": 1}}, {"a": {"b": 2}}, {"a": 1}], {"a.b": 1}, [0]),
    (
        "a dotted path into an array",
        [{"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 3}]}, {"a": [1]}],
        {"a.b": 2},
        [0],
    ),
    ("a path by place", [{"a": [5, 6]}, {"a": [6, 5]}, {"a": {"0": 5}}], {"a.0": 5}, [0, 2]),
    (
        "a path by place and on",
        [{"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 2}]}],
        {"a.1.b": 2},
        [0],
    ),
    (
        "two arrays on the way",
        [{"a": [{"b": [1, 2]}, {"b": [3]}]}, {"a": [{"b": []}]}],
        {"a.b": 3},
        [0],
    ),
    (
        "null down a path",
        [{"a": {"b": None}}, {"a": {}}, {}, {"a": 1}, {"a": []}, {"a": [1]}, {"a": [{"c": 1}]}],
        {"a.b": None},
        [0, 1, 2, 3, 6],
    ),
    ("$eq", [{"a": 1}, {"a": 2}], {"a": {"$eq": 1}}, [0]),
    ("$ne", [{"a": 1}, {"a": 2}, {}, {"a": [1, 2]}], {"a": {"$ne": 1}}, [1, 2]),
    ("$ne null", [{"a": 1}, {"a": None}, {}], {"a": {"$ne": None}}, [0]),
    ("$in", [{"a": 1}, {"a": "x"}, {"a": [3, 4]}, {}], {"a": {"$in": [1, 4]}}, [0, 2]),
    ("$in with null", [{"a": 1}, {}, {"a": None}], {"a": {"$in": [None, 7]}}, [1, 2]),
    ("$in with nothing", [{"a": 1}, {}], {"a": {"$in": []}}, []),
    (
        "$in with a regex",
        [{"a": "xy"}, {"a": "z"}, {"a": 1}],
        {"a": {"$in": [re.compile("^x"), 1]}},
        [0, 2],
    ),
    ("$nin", [{"a": 1}, {"a": 2}, {}, {"a": [2, 3]}], {"a": {"$nin": [1, 3]}}, [1, 2]),
    ("$nin with nothing", [{"a": 1}, {}], {"a": {"$nin": []}}, [0, 1]),
    ("$gt", [{"a": 1}, {"a": 2}, {"a": 2.5}, {"a": "3"}, {}], {"a": {"$gt": 1}}, [1, 2]),
    (
        "$gte and $lte",
        [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}],
        {"a": {"$gte": 2, "$lte": 3}},
        [1, 2],
    ),
    ("$lt of strings", [{"a": "a"}, {"a": "b"}, {"a": 1}], {"a": {"$lt": "b"}}, [0]),
    ("$gt of dates", [{"a": WHEN}, {"a": 1}], {"a": {"$gt": datetime(2026, 1, 1)}}, [0]),
    ("$lt of ids", [{"a": ObjectId("0" * 24)}, {"a": ID}], {"a": {"$lt": ID}}, [0]),
    ("$gt of booleans", [{"a": True}, {"a": False}, {"a": 5}], {"a": {"$gt": False}}, [0]),
    ("$gte null", [{"a": None}, {}, {"a": 1}], {"a": {"$gte": None}}, [0, 1]),
    ("$gt null", [{"a": None}, {}, {"a": 1}], {"a": {"$gt": None}}, []),
    (
        "$gt of documents",
        [{"a": {"x": 1}}, {"a": {"x": 3}}, {"a": 9}],
        {"a": {"$gt": {"x": 2}}},
        [1],
    ),
    (
        "two bounds for two elements",
        [{"a": [1, 10]}, {"a": [4]}, {"a": [1]}],
        {"a": {"$gt": 3, "$lt": 5}},
        [0, 1],
    ),
    ("NaN", [{"a": float("nan")}, {"a": 1.0}], {"a": float("nan")}, [0]),
    ("NaN is not less", [{"a": float("nan")}, {"a": 1.0}], {"a": {"$lt": 5}}, [1]),
    ("beyond doubles", [{"a": 2**53}, {"a": 2**53 + 1}], {"a": {"$gt": 2**53}}, [1]),
    ("$exists", [{"a": 1}, {"a": None}, {}], {"a": {"$exists": True}}, [0, 1]),
    ("$exists false", [{"a": 1}, {"a": None}, {}], {"a": {"$exists": False}}, [2]),
    (
        "$exists down an array",
        [{"a": [{"b": 1}, {}]}, {"a": [{}]}, {"a": []}, {"a": [1]}],
        {"a.b": {"$exists": False}},
        [1, 2, 3],
    ),
    ("$and", [{"a": 1, "b": 1}, {"a": 1, "b": 2}], {"$and": [{"a": 1}, {"b": 2}]}, [1]),
    ("$or", [{"a": 1}, {"b": 2}, {"a": 2}], {"$or": [{"a": 1}, {"b": 2}]}, [0, 1]),
    ("$nor", [{"a": 1}, {"b": 2}, {"a": 2}], {"$nor": [{"a": 1}, {"b": 2}]}, [2]),
    ("$not", [{"a": 1}, {"a": 5}, {}, {"a": "x"}], {"a": {"$not": {"$gt": 3}}}, [0, 2, 3]),
    ("$not of two", [{"a": 4}, {"a": 9}], {"a": {"$not": {"$gt": 3, "$lt": 5}}}, [1]),
    ("$not of a regex", [{"a": "x"}, {"a": "y"}, {}], {"a": {"$not": re.compile("x")}}, [1, 2]),
    ("a regex", [{"a": "hello"}, {"a": "Hell"}, {"a": 1}], {"a": re.compile("^hell")}, [0]),
    ("$regex", [{"a": "hello"}, {"a": "shell"}], {"a": {"$regex": "^hell"}}, [0]),
    ("$options", [{"a": "HeLLo"}, {"a": "x"}], {"a": {"$regex": "^hell", "$options": "i"}}, [0]),
    ("$options before", [{"a": "HeLLo"}], {"a": {"$options": "i", "$regex": "LL"}}, [0]),
    (
        "case beyond ASCII",
        [{"a": "ÄÖ"}, {"a": "ao"}],
        {"a": {"$regex": "äö", "$options": "i"}},
        [0],
    ),
    ("a regex in an array", [{"a": ["x", "yes"]}, {"a": ["x"]}], {"a": re.compile("^y")}, [0]),
    (
        "a regex with $or's sign",
        [{"a": "ab"}, {"a": "cd"}, {"a": "xcd"}],
        {"a": {"$regex": "^ab|^cd"}},
        [0, 1],
    ),
    ("\\d is ASCII", [{"a": "1"}, {"a": "\u0661"}], {"a": {"$regex": "^\\d$"}}, [0]),
    (
        "$elemMatch of values",
        [{"a": [1, 10]}, {"a": [4, 10]}, {"a": 4}],
        {"a": {"$elemMatch": {"$gt": 3, "$lt": 5}}},
        [1],
    ),
    (
        "$elemMatch of documents",
        [{"a": [{"b": 1, "c": 2}, {"b": 3, "c": 4}]}, {"a": [{"b": 1, "c": 4}]}],
        {"a": {"$elemMatch": {"b": 1, "c": 4}}},
        [1],
    ),
    (
        "$elemMatch with $or",
        [{"a": [{"b": 1}]}, {"a": [{"c": 1}]}, {"a": [{"b": 2}]}],
        {"a": {"$elemMatch": {"$or": [{"b": 1}, {"c": 1}]}}},
        [0, 1],
    ),
    ("$all", [{"a": [1, 2, 3]}, {"a": [1]}, {"a": 1}], {"a": {"$all": [1, 2]}}, [0]),
    ("$all of one", [{"a": [1, 2]}, {"a": 1}, {"a": 2}], {"a": {"$all": [1]}}, [0, 1]),
    ("$all of nothing", [{"a": []}, {"a": [1]}], {"a": {"$all": []}}, []),
    (
        "$all of $elemMatch",
        [{"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}]}],
        {"a": {"$all": [{"$elemMatch": {"b": 1}}, {"$elemMatch": {"b": 2}}]}},
        [0],
    ),
    ("$size", [{"a": [1, 2]}, {"a": []}, {"a": "xy"}], {"a": {"$size": 2}}, [0]),
    ("$size nought", [{"a": [1, 2]}, {"a": []}, {}], {"a": {"$size": 0}}, [1]),
    ("$type", [{"a": "x"}, {"a": 1}, {"a": ["y"]}], {"a": {"$type": "string"}}, [0, 2]),
    ("$type of any number", [{"a": 1}, {"a": 1.5}, {"a": "1"}], {"a": {"$type": "number"}}, [0, 1]),
    ("several fields", [{"a": 1, "b": 2}, {"a": 1}], {"a": 1, "b": 2}, [0]),
    ("nothing", [{"a": 1}, {}], {}, [0, 1]),
    ("$comment", [{"a": 1}, {}], {"a": 1, "$comment": "why"}, [0]),
]


@pytest.mark.parametrize("indexed", [False, True], ids=["scan", "index"])
@pytest.mark.parametrize(
    ("documents", "filter", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
async def test_filter(
    things: Any,
    documents: list[dict[str, Any]],
    filter: dict[str, Any],
    expected: list[int],
    indexed: bool,
) -> None:
    """A filter finds and counts what MongoDB's does, with an index on its fields or without."""
    if indexed:
        for path in ("a", "a.b", "b"):
            await things.create_index([(path, 1)])
        await things.create_index([("a", -1)])
    await things.insert_many([{"_id": place, **each} for place, each in enumerate(documents)])

    found = await things.find(filter, sort=[("_id", 1)]).to_list(None)

    assert expected == [each["_id"] for each in found]
    assert len(expected) == await things.count_documents(filter)


@pytest.mark.parametrize(
    "filter",
    [
        {"a": {"$in": 1}},
        {"a": {"$nin": "x"}},
        {"a": {"$all": 1}},
        {"a": {"$size": -1}},
        {"a": {"$size": "x"}},
        {"a": {"$elemMatch": 1}},
        {"a": {"$not": 1}},
        {"a": {"$regex": "("}},
        {"a": {"$regex": 1}},
        {"a": {"$regex": "a", "$options": "q"}},
        {"a": {"$type": "nothing"}},
        {"a": {"$gt": re.compile("x")}},
        {"a": {"$ne": re.compile("x")}},
        {"$and": []},
        {"$or": {}},
        {"$or": [1]},
        {"a": {"$nonsense": 1}},
        {"$nonsense": 1},
        {"a": {"$gt": 1, "b": 2}},
    ],
    ids=repr,
)
async def test_refused_filter(things: Any, filter: dict[str, Any]) -> None:
    """A filter that makes no sense is an error, never an empty answer."""
    await things.insert_one({"a": 1})

    with pytest.raises(OperationFailure):
        await things.find_one(filter)
