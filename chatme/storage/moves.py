"""A mark on a database of which only a part is in its place: no server takes it for whole."""

from __future__ import annotations

from odmantic import AIOEngine
from pymongo.errors import OperationFailure, PyMongoError

_COLLECTION = "moves"
_ID = "move"
_NO_SUCH_COLLECTION = 26


class UnfinishedMove(PyMongoError):
    """Something was being moved into the database, and not all of it is there."""


async def move_of(engine: AIOEngine) -> str | None:
    """What is being moved into the database, in words; None where it is whole."""
    found = await engine.database[_COLLECTION].find_one({"_id": _ID})
    return None if found is None else str(found["what"])


async def begin_move(engine: AIOEngine, what: str) -> None:
    """From now on the database is not whole."""
    await engine.database[_COLLECTION].update_one(
        {"_id": _ID}, {"$set": {"what": what}}, upsert=True
    )


async def end_move(engine: AIOEngine) -> None:
    """The database is whole."""
    await engine.database[_COLLECTION].delete_one({"_id": _ID})


async def refuse_unfinished(engine: AIOEngine) -> None:
    """Raises `UnfinishedMove` unless the database is whole."""
    what = await move_of(engine)
    if what is not None:
        raise UnfinishedMove(f"the database is not whole: run “chatme {what}” again, to its end")


async def put_in_place(engine: AIOEngine, draft: str, name: str) -> None:
    """Gives a collection another one's name and place, indexes included; for MongoDB alone.

    Safe to repeat: a draft that is not there any more has its place already.
    """
    database = engine.database
    try:
        await database[draft].rename(name, dropTarget=True)
    except OperationFailure as error:
        if error.code != _NO_SUCH_COLLECTION:
            raise
