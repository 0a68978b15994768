"""The writes that ODMantic cannot express."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from odmantic import AIOEngine, Field, Model
from odmantic.config import ODMConfigDict
from pymongo.errors import DuplicateKeyError

from chatme.clock import new_id
from chatme.storage import atomic
from chatme_tests.fakes import opened_engine


class Thing(Model):
    """Something with a name of its own, in a place of its own."""

    name: str = ""
    room: str = ""
    seat: int = 0
    count: int = 0
    tags: list[str] = Field(default_factory=list)

    model_config = ODMConfigDict(
        collection="things",
        parse_doc_with_default_factories=True,
        indexes=lambda: (
            atomic.index("name", name="name", unique=True),
            atomic.index("room", "-seat", name="place", unique=True, partial={"seat": {"$gt": 0}}),
        ),
    )


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AIOEngine]:
    """A database without things."""
    async with opened_engine(tmp_path / "data", [Thing]) as opened:
        yield opened


def _thing(**fields: Any) -> Thing:
    return Thing(**{"id": new_id(), **fields})


async def _names(engine: AIOEngine) -> list[str]:
    return sorted([each.name for each in await engine.find(Thing)])


def test_an_index_is_described() -> None:
    """Keys have directions, and options stand only where they were asked for."""
    plain = atomic.index("a", "-b.c", name="n").document
    full = atomic.index("a", name="n", unique=True, partial={"a": 1}, expire_after=0).document

    assert dict(plain["key"]) == {"a": pymongo.ASCENDING, "b.c": pymongo.DESCENDING}
    assert {"key", "name"} == set(plain)
    assert (full["unique"], full["partialFilterExpression"], full["expireAfterSeconds"]) == (
        True,
        {"a": 1},
        0,
    )


async def test_an_insert_is_whole(engine: AIOEngine) -> None:
    """A document is stored as it is, and the same id is not stored twice."""
    thing = _thing(name="one", room="a", seat=1, tags=["x"])
    await atomic.insert(engine, thing)
    with pytest.raises(atomic.Duplicate) as caught:
        await atomic.insert(engine, _thing(id=thing.id, name="two"))

    assert await engine.find_one(Thing, Thing.id == thing.id) == thing
    assert caught.value.fields == ("_id",)


async def test_what_stands_beside_is_found_and_not_read(engine: AIOEngine) -> None:
    """A field beside the model's is stored with the document, can be asked for, and is in no
    model that is read."""
    thing = _thing(name="one")
    await atomic.insert(engine, thing, {"beside": ["x"]})

    assert await engine.find(Thing, {"beside": "x"}) == [thing]
    assert await atomic.project(engine, Thing, {}, ["beside"]) == [
        {"_id": thing.id, "beside": ["x"]}
    ]
    assert "beside" not in thing.model_dump_doc()


async def test_a_duplicate_names_its_fields(engine: AIOEngine) -> None:
    """What a unique index refuses says which fields clash, for inserts and changes alike."""
    await atomic.insert(engine, _thing(name="one", room="a", seat=1))
    await atomic.insert(engine, _thing(name="two", room="a", seat=2))
    attempts = [
        (atomic.insert(engine, _thing(name="one")), ("name",)),
        (atomic.insert(engine, _thing(name="three", room="a", seat=1)), ("room", "seat")),
        (atomic.update(engine, Thing, {"name": "two"}, {"$set": {"name": "one"}}), ("name",)),
        (
            atomic.update_and_get(engine, Thing, {"name": "two"}, {"$set": {"seat": 1}}),
            ("room", "seat"),
        ),
    ]
    for attempt, fields in attempts:
        with pytest.raises(atomic.Duplicate) as caught:
            await attempt
        assert caught.value.fields == fields
        assert str(caught.value) == ", ".join(fields)

    assert await _names(engine) == ["one", "two"]


@pytest.mark.parametrize(
    ("details", "fields"),
    [
        ({"keyPattern": {"room": 1, "seat": -1}, "errmsg": "other words"}, ("room", "seat")),
        ({"errmsg": "E11000 … c.things index: place dup key: { x: 1 }"}, ("room", "seat")),
        ({"errmsg": "E11000 … c.things index: name dup key: { x: 1 }"}, ("name",)),
        ({"errmsg": "E11000 … c.things index: _id_ dup key: { x: 1 }"}, ("_id",)),
        ({"errmsg": "E11000 … c.things index: foreign dup key: { x: 1 }"}, ()),
        ({}, ()),
    ],
)
def test_a_refusal_is_read_from_what_is_said(
    details: dict[str, Any], fields: tuple[str, ...]
) -> None:
    """A server's own list of fields counts, and else the name of the index, where it is ours."""
    error = DuplicateKeyError("refused", 11000, details)

    assert atomic.refusal(Thing, error).fields == fields


async def test_only_what_is_missing_is_inserted(engine: AIOEngine) -> None:
    """Of several documents those that clash are left out, and all others are stored."""
    await atomic.insert(engine, _thing(name="two", count=7))
    await atomic.insert_missing(engine, [_thing(name=name) for name in ("one", "two", "three")])
    await atomic.insert_missing(engine, [])
    kept = await engine.find_one(Thing, Thing.name == "two")

    assert await _names(engine) == ["one", "three", "two"]
    assert kept is not None
    assert kept.count == 7


async def test_an_update_tells_whether_it_fit(engine: AIOEngine) -> None:
    """An update changes one fitting document, also to what it was, and tells if there was one."""
    await atomic.insert(engine, _thing(name="one"))
    change = {"$set": {"count": 5}}

    assert await atomic.update(engine, Thing, {"name": "one"}, change)
    assert await atomic.update(engine, Thing, {"name": "one"}, change)
    assert not await atomic.update(engine, Thing, {"name": "none"}, change)
    assert await atomic.update(engine, Thing, {"name": "new"}, change, upsert=True)
    assert await _names(engine) == ["new", "one"]


async def test_a_condition_stands_inside_the_update(engine: AIOEngine) -> None:
    """Of many that set the same state from the same state, one does."""
    await atomic.insert(engine, _thing(name="one"))
    answers = await asyncio.gather(
        *(
            atomic.update(engine, Thing, {"name": "one", "count": 0}, {"$set": {"count": at}})
            for at in range(1, 21)
        )
    )

    assert sorted(answers) == [False] * 19 + [True]


async def test_no_increment_is_lost(engine: AIOEngine) -> None:
    """Many that count at once are all counted, and each sees a number of its own."""
    await atomic.insert(engine, _thing(name="one"))
    found = await asyncio.gather(
        *(
            atomic.update_and_get(engine, Thing, {"name": "one"}, {"$inc": {"count": 1}})
            for _ in range(20)
        )
    )

    assert sorted(each.count for each in found if each is not None) == list(range(1, 21))


async def test_twenty_upserts_make_one_document(engine: AIOEngine) -> None:
    """Many that make a document at once make one, and each change is in it."""
    await asyncio.gather(
        *(
            atomic.upsert(
                engine, Thing, {"name": "one"}, {"$inc": {"count": 1}, "$push": {"tags": f"{at}"}}
            )
            for at in range(20)
        )
    )
    (thing,) = await engine.find(Thing)

    assert thing.count == 20
    assert len(set(thing.tags)) == 20


async def test_update_and_get_shows_the_result(engine: AIOEngine) -> None:
    """What comes back is the document after the change, or nothing where nothing fits."""
    await atomic.insert(engine, _thing(name="one", count=1))
    changed = await atomic.update_and_get(engine, Thing, {"name": "one"}, {"$inc": {"count": 2}})
    none = await atomic.update_and_get(engine, Thing, {"name": "none"}, {"$inc": {"count": 2}})
    made = await atomic.update_and_get(
        engine, Thing, {"name": "new"}, {"$inc": {"count": 2}}, upsert=True
    )

    assert changed is not None
    assert made is not None
    assert (changed.count, none, made.count, made.name) == (3, None, 2, "new")


async def test_all_that_fit_are_updated(engine: AIOEngine) -> None:
    """Every fitting document changes; those that were so already are not counted."""
    for at in range(4):
        await atomic.insert(engine, _thing(name=f"{at}", room="a", count=at))

    assert (
        await atomic.update_all(engine, Thing, {"count": {"$gt": 0}}, {"$set": {"count": 3}}) == 2
    )
    assert await atomic.update_all(engine, Thing, {"room": "b"}, {"$set": {"count": 9}}) == 0
    assert await atomic.count(engine, Thing, {"count": 3}) == 3


async def test_each_update_has_its_own_change(engine: AIOEngine) -> None:
    """Several updates run in order, and make what is missing only where that is asked for."""
    await atomic.insert(engine, _thing(name="one"))
    changes = [
        ({"name": "one"}, {"$set": {"count": 1}}),
        ({"name": "two"}, {"$set": {"count": 2}}),
        ({"name": "one"}, {"$inc": {"count": 10}}),
    ]
    await atomic.update_each(engine, Thing, [])
    await atomic.update_each(engine, Thing, changes)
    assert await _names(engine) == ["one"]
    await atomic.update_each(engine, Thing, changes, upsert=True)
    found = {each.name: each.count for each in await engine.find(Thing)}

    assert found == {"one": 11, "two": 2}


async def test_a_projection_is_a_part(engine: AIOEngine) -> None:
    """Only the fields that were asked for come, with the id, sorted and cut as asked."""
    for at in (2, 3, 1):
        await atomic.insert(engine, _thing(name=f"{at}", count=at, tags=["x"]))
    found = await atomic.project(engine, Thing, {"count": {"$gt": 1}}, ["name"], sort="-count")
    first = await atomic.project(engine, Thing, {}, ["count"], sort="count", limit=1)

    assert [{"_id", "name"}] * 2 == [set(each) for each in found]
    assert [each["name"] for each in found] == ["3", "2"]
    assert [each["count"] for each in first] == [1]


async def test_a_count_may_end_early(engine: AIOEngine) -> None:
    """A count counts all that fits, or no further than its limit."""
    for at in range(5):
        await atomic.insert(engine, _thing(name=f"{at}"))

    assert await atomic.count(engine, Thing, {}) == 5
    assert await atomic.count(engine, Thing, {}, limit=3) == 3
    assert await atomic.count(engine, Thing, {"name": "9"}, limit=3) == 0
