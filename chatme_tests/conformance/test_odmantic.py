"""ODMantic's engine works on it unmodified."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

import pytest
from bson import ObjectId
from odmantic import AIOEngine, EmbeddedModel, Field, Index, Model, query
from odmantic.exceptions import DocumentNotFoundError, DuplicateKeyError
from pymongo import IndexModel
from pymongo.errors import OperationFailure


class Member(EmbeddedModel):
    """One of a room's members."""

    user: ObjectId
    role: str = "member"


def indexes() -> Iterator[Any]:
    """A compound index, and one as pymongo makes it."""
    yield Index(Room.name, query.desc(Room.seq), unique=True)
    yield IndexModel([("members.user", 1)], name="by_member")


class Room(Model):
    """A document with embedded ones."""

    name: str
    seq: int = 0
    at: datetime = datetime(2026, 1, 1)
    tags: list[str] = Field(default_factory=list)
    members: list[Member] = Field(default_factory=list)

    model_config: ClassVar[Any] = {"collection": "rooms", "indexes": indexes}


def a_room(**fields: Any) -> Room:
    """A room with an id of its own."""
    return Room(**fields)


@pytest.fixture
async def engine(client: Any, database: Any) -> AIOEngine:
    """An engine on the test's database."""
    made = AIOEngine(client=client, database=database.name)
    await made.configure_database([Room])
    return made


async def test_save_and_find(engine: AIOEngine) -> None:
    """What is saved is found, whole."""
    me = ObjectId()
    room = a_room(name="a", seq=1, tags=["x"], members=[Member(user=me)])
    await engine.save(room)

    assert room == await engine.find_one(Room, Room.name == "a")
    assert room == await engine.find_one(Room, {"members.user": me})
    assert None is await engine.find_one(Room, Room.name == "b")


async def test_save_again(engine: AIOEngine) -> None:
    """Saving again updates what changed."""
    room = await engine.save(a_room(name="a"))
    room.seq = 5
    await engine.save(room)

    assert [room] == await engine.find(Room)


async def test_find_sorted(engine: AIOEngine) -> None:
    """Queries combine, sort, skip and limit."""
    await engine.save_all([a_room(name=f"r{n}", seq=n) for n in range(10)])

    found = await engine.find(
        Room, Room.seq > 2, query.or_(Room.seq < 6, Room.name == "r9"), sort=query.desc(Room.seq)
    )
    assert [each.name for each in found] == ["r9", "r5", "r4", "r3"]
    some = [each.seq async for each in engine.find(Room, sort=Room.seq, skip=2, limit=3)]
    assert some == [2, 3, 4]
    assert await engine.count(Room, query.in_(Room.name, ["r1", "r2", "r3"])) == 3
    assert await engine.count(Room, query.match(Room.name, "^r1$")) == 1


async def test_duplicates(engine: AIOEngine) -> None:
    """A broken unique index is ODMantic's own error."""
    await engine.save(a_room(name="a", seq=1))

    with pytest.raises(DuplicateKeyError):
        await engine.save(a_room(name="a", seq=1))


async def test_delete(engine: AIOEngine) -> None:
    """What is deleted is gone, and deleting it again is an error."""
    room = await engine.save(a_room(name="a"))
    await engine.delete(room)

    with pytest.raises(DocumentNotFoundError):
        await engine.delete(room)
    assert await engine.remove(Room, Room.name == "a") == 0


async def test_sessions(engine: AIOEngine) -> None:
    """A session's operations see one another."""
    async with engine.session() as session:
        room = await session.save(a_room(name="a"))
        assert room == await session.find_one(Room, Room.id == room.id)
        assert await session.count(Room) == 1


async def test_configured_again(engine: AIOEngine) -> None:
    """Configuring twice is no error, and a changed index is replaced where asked for."""
    await engine.configure_database([Room])
    collection = engine.get_collection(Room)
    await collection.drop_index("by_member")
    await collection.create_index([("members.role", 1)], name="by_member")

    with pytest.raises(OperationFailure):
        await engine.configure_database([Room])
    await engine.configure_database([Room], update_existing_indexes=True)

    information = await collection.index_information()
    assert information["by_member"]["key"] == [("members.user", 1)]
