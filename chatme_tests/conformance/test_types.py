"""Values come back as they went in, or are refused as pymongo refuses them."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex, Timestamp
from bson.errors import InvalidDocument
from pymongo.errors import DocumentTooLarge, OperationFailure

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**31 - 1,
    2**31,
    -(2**63),
    2**63 - 1,
    Int64(5),
    0.0,
    1.5,
    float("inf"),
    "",
    "text",
    "a\x00b",
    "äöü \U0001f600",
    b"",
    bytes(range(256)),
    Binary(b"x", 5),
    ObjectId(),
    datetime.datetime(2026, 1, 31, 12, 30, 15, 123000),
    datetime.datetime(1, 1, 1),
    datetime.datetime(9999, 12, 31, 23, 59, 59, 999000),
    [],
    {},
    [1, "x", [2, {"a": None}]],
    {"z": 1, "a": {"y": [1], "b": 2}},
    Decimal128("1.10"),
    Regex("^a", "i"),
    Timestamp(5, 6),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}-{value!r:.20}")
async def test_round_trip(things: Any, value: Any) -> None:
    """A value comes back equal and of the same type."""
    await things.insert_one({"_id": 1, "v": value})

    found = (await things.find_one({"_id": 1}))["v"]

    assert value == found
    assert type(found) is (Int64 if type(value) is int and abs(value) >= 2**31 else type(value))


@pytest.mark.parametrize(
    "value",
    [v for v in VALUES if not isinstance(v, (Decimal128, Regex))],
    ids=lambda v: f"{v!r:.20}",
)
async def test_found_by_value(things: Any, value: Any) -> None:
    """Every value is found again, with an index and without."""
    await things.insert_many([{"v": value}, {"v": "another"}])
    without = await things.count_documents({"v": value})
    await things.create_index("v")

    assert (without, await things.count_documents({"v": value})) == (1, 1)


async def test_dates_have_milliseconds(things: Any) -> None:
    """Dates lose what is finer than a millisecond, and their time zone: they are UTC."""
    zone = datetime.timezone(datetime.timedelta(hours=2))
    given = datetime.datetime(2026, 1, 1, 14, 0, 0, 123456, zone)
    await things.insert_one({"at": given})

    expected = datetime.datetime(2026, 1, 1, 12, 0, 0, 123000)
    assert expected == (await things.find_one({}))["at"]
    assert await things.count_documents({"at": given}) == 1


async def test_order_of_fields(things: Any) -> None:
    """Fields keep their order, but `_id` comes first."""
    await things.insert_one({"z": 1, "a": 2, "_id": 3, "m": {"y": 1, "b": 2}})

    found = await things.find_one({})
    assert list(found) == ["_id", "z", "a", "m"]
    assert list(found["m"]) == ["y", "b"]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1], ids=repr)
async def test_integers_beyond_64_bits(things: Any, value: int) -> None:
    """An integer beyond 64 bits is refused, as a value and in a filter."""
    with pytest.raises(OverflowError):
        await things.insert_one({"v": value})
    with pytest.raises(OverflowError):
        await things.find_one({"v": value})


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j], ids=["object", "set", "complex"])
async def test_what_is_no_bson(things: Any, value: Any) -> None:
    """What BSON has no type for is refused."""
    with pytest.raises(InvalidDocument):
        await things.insert_one({"v": value})


@pytest.mark.parametrize("document", [{1: 2}, {"a\x00b": 1}, {"v": {"a\x00b": 1}}], ids=repr)
async def test_bad_keys(things: Any, document: dict[Any, Any]) -> None:
    """A key is a string without NUL."""
    with pytest.raises(InvalidDocument):
        await things.insert_one(document)


async def test_lone_surrogates(things: Any) -> None:
    """A string that is no Unicode is refused."""
    with pytest.raises(UnicodeEncodeError):
        await things.insert_one({"v": "\ud800"})


async def test_uuids_need_a_representation(things: Any) -> None:
    """A plain UUID is refused, as pymongo's default refuses it."""
    with pytest.raises(ValueError, match="UUID"):
        await things.insert_one({"v": uuid.uuid4()})


async def test_a_document_has_a_limit(things: Any) -> None:
    """More than 16 MB is refused, on insert and when an update grows past it."""
    with pytest.raises(DocumentTooLarge):
        await things.insert_one({"v": "x" * (16 * 1024 * 1024)})

    await things.insert_one({"_id": 1, "v": ["x" * (15 * 1024 * 1024)]})
    with pytest.raises((OperationFailure, DocumentTooLarge)):
        await things.update_one({"_id": 1}, {"$push": {"v": "y" * (2 * 1024 * 1024)}})
    assert len((await things.find_one({}))["v"]) == 1


async def test_later_changes_do_not_matter(things: Any) -> None:
    """What the caller changes after the call is not written, nor what is read shared."""
    document: dict[str, Any] = {"_id": 1, "list": [1]}
    await things.insert_one(document)
    document["list"].append(2)
    (await things.find_one({}))["list"].append(3)

    assert await things.find_one({}) == {"_id": 1, "list": [1]}
