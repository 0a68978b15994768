"""A mark on a database of which only a part is in its place: no server takes it for whole."""

from __future__ import annotations

from odmantic import AIOEngine
from pymongo.errors import PyMongoError

MOVES = "moves"
_ID = "move"


class UnfinishedMove(PyMongoError):
    """Something was being moved into the database, and not all of it is there."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the database is not whole: a {what} was cut; run it again")


async def move_of(engine: AIOEngine) -> str | None:
    """What is being moved into the database, in words; None where it is whole."""
    found = await engine.database[MOVES].find_one({"_id": _ID})
    return None if found is None else str(found["what"])


async def begin_move(engine: AIOEngine, what: str) -> None:
    """From now on the database is not whole."""
    await engine.database[MOVES].update_one({"_id": _ID}, {"$set": {"what": what}}, upsert=True)


async def end_move(engine: AIOEngine) -> None:
    """The database is whole."""
    await engine.database[MOVES].delete_one({"_id": _ID})


async def refuse_unfinished(engine: AIOEngine) -> None:
    """Raises `UnfinishedMove` unless the database is whole."""
    what = await move_of(engine)
    if what is not None:
        raise UnfinishedMove(what)


async def put_in_place(engine: AIOEngine, draft: str, name: str) -> None:
    """Gives a collection another one's name and place, indexes included; for MongoDB alone.

    A draft into which nothing was ever put is not there, and then there is nothing in its place.
    """
    database = engine.database
    if draft in await database.list_collection_names():
        await database[draft].rename(name, dropTarget=True)
    else:
        await database.drop_collection(name)
