"""What is wrong with a database, in words, and what would mend it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine, Model

from chatme.storage import atomic
from chatme.users.models import User

Mend = Callable[[AIOEngine], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. The words say all about it: two with the same words are the same.

    ``mend`` puts it right: by one atomic write that changes nothing where the fault is gone, or was
    another, so that it may run beside servers and again. It never touches what somebody said.
    """

    words: str
    mend: Mend | None = field(default=None, compare=False)


def setting(model: type[Model], id_: ObjectId, was: dict[str, Any], fields: dict[str, Any]) -> Mend:
    """Sets fields of a document that is still as it was."""

    async def mend(engine: AIOEngine) -> None:
        await atomic.update(engine, model, {"_id": id_, **was}, {"$set": fields})

    return mend


def removing(model: type[Model], id_: ObjectId) -> Mend:
    """Removes a document that is a cache, a hint, or a relation of what is no more."""

    async def mend(engine: AIOEngine) -> None:
        await engine.remove(model, {"_id": id_})

    return mend


def is_erased(user: dict[str, Any]) -> bool:
    """Whether a stored user is what an erasure leaves."""
    return bool(user.get("email") == f"{user['_id']}@deleted.invalid")


async def people(engine: AIOEngine, ids: Iterable[ObjectId]) -> dict[ObjectId, dict[str, Any]]:
    """The users of these ids that there are: address, and whether they are active."""
    wanted = {"_id": {"$in": list(set(ids))}}
    found = await atomic.project(engine, User, wanted, ["email", "is_active"])
    return {each["_id"]: each for each in found}


async def existing(
    engine: AIOEngine, model: type[Model], ids: Iterable[ObjectId | None]
) -> set[ObjectId]:
    """Those of the ids that there are documents of."""
    wanted = [each for each in set(ids) if each is not None]
    if not wanted:
        return set()
    found = await atomic.project(engine, model, {"_id": {"$in": wanted}}, ["_id"])
    return {each["_id"] for each in found}
