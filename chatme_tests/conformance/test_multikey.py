"""What an index over an array between two plain fields promises: one of its elements, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import IndexModel

WORDS = IndexModel([("room", 1), ("words", 1), ("_id", 1)], name="words")


@pytest.fixture
async def said(things: Any) -> Any:
    """Two rooms of messages with words, the numbers going round."""
    await things.create_indexes([WORDS])
    await things.insert_many(
        [
            {"_id": at, "room": at % 2, "words": ["all", f"third{at % 3}", "all", f"n{at}"]}
            for at in range(1, 31)
        ]
        + [{"_id": 31, "room": 0, "words": []}, {"_id": 32, "room": 0}]
    )
    return things


async def ids(cursor: Any) -> list[int]:
    """The ids of what was found."""
    return [each["_id"] for each in await cursor.to_list(None)]


async def test_one_element_newest_first(said: Any) -> None:
    """Below one element of the array the last field's order holds, within bounds and a limit."""
    where = {"room": 0, "words": "third0", "_id": {"$lt": 24}}
    found = said.find(where).sort("_id", -1)

    assert await ids(found) == [18, 12, 6]
    assert await ids(said.find(where).sort("_id", -1).limit(2)) == [18, 12]


async def test_one_element_of_several_groups(said: Any) -> None:
    """Below one element each of several groups' documents comes once, whatever their other
    elements are."""
    where = {"room": {"$in": [0, 1]}, "words": "all", "_id": {"$gte": 10, "$lt": 13}}

    assert sorted(await ids(said.find(where))) == [10, 11, 12]
    assert await ids(said.find(where).sort("_id", -1).limit(2)) == [12, 11]
    assert await said.count_documents({"room": {"$in": [0, 1]}, "words": "all"}) == 30


async def test_several_elements_come_once(said: Any) -> None:
    """A document with several of the wanted elements is found once."""
    where = {"room": 0, "words": {"$in": ["all", "third0", "third1"]}}

    assert await ids(said.find(where).sort("_id", 1)) == list(range(2, 31, 2))
    assert await said.count_documents(where) == 15


async def test_what_changes_is_found_by_its_new_elements_alone(said: Any) -> None:
    """An array set anew is found by what it holds now; an empty one by nothing."""
    await said.update_one({"_id": 6}, {"$set": {"words": ["new", "third0"]}})
    await said.update_one({"_id": 12}, {"$set": {"words": []}})
    await said.delete_one({"_id": 18})

    assert await ids(said.find({"room": 0, "words": "third0"}).sort("_id", 1)) == [6, 24, 30]
    assert await ids(said.find({"room": 0, "words": "new"})) == [6]
    assert await ids(said.find({"room": 0, "words": "n6"})) == []
    assert await ids(said.find({"room": 0, "words": "all", "_id": 12})) == []


rooms = st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True)
tags = st.lists(st.sampled_from("abc"), max_size=4)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.tuples(st.integers(0, 2), tags), max_size=12),
    rooms,
    st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True),
    st.integers(0, 12),
)
async def test_any_question_is_answered_as_by_looking(
    database: Any,
    items: list[tuple[int, list[str]]],
    wanted: list[int],
    words: list[str],
    below: int,
) -> None:
    """Whatever is asked of such an index, the answer is that of looking at every document."""
    things = database["any"]
    await things.drop()
    await things.create_indexes([WORDS])
    made: list[dict[str, Any]] = [
        {"_id": at, "room": room, "words": each} for at, (room, each) in enumerate(items)
    ]
    if made:
        await things.insert_many(made)
    where = {"room": {"$in": wanted}, "words": {"$in": words}, "_id": {"$lt": below}}
    expected = [
        each["_id"]
        for each in made
        if each["room"] in wanted and set(each["words"]) & set(words) and each["_id"] < below
    ]
    found, counted = await asyncio.gather(
        ids(things.find(where).sort("_id", -1)), things.count_documents(where)
    )

    assert found == expected[::-1]
    assert counted == len(expected)
