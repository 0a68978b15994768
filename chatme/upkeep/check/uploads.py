"""What must be true of uploads: they know who shows them, and who shows one finds it.

The sweeper looks at each upload when it is due and mends what it finds half done: so nothing that
it will come to is a fault. Only what it would never look at is one, or could not read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

from bson import ObjectId
from odmantic import AIOEngine, Model

from chatme.clock import SystemClock
from chatme.conversations.models import Conversation
from chatme.messages.models import Message
from chatme.storage import atomic
from chatme.upkeep.check.findings import Finding, Mend, people, setting
from chatme.uploads.models import UNUSED_LIFE, Upload, Use, UseKind
from chatme.users.models import User

# What shows uploads, and the field that names them.
_SHOWING: Mapping[UseKind, tuple[type[Model], str]] = {
    "message": (Message, "attachments.public_id"),
    "user": (User, "avatar_id"),
    "group": (Conversation, "avatar_id"),
}


class Shown(NamedTuple):
    """An upload that is shown: by what, in words and as a use, and the upload's public id."""

    words: str
    use: Use
    public_id: str


async def uploads(engine: AIOEngine, page: Sequence[Upload]) -> list[Finding]:
    """An upload is somebody's; where nobody will look at it again, it is there and in use."""
    owners = await people(engine, [each.owner for each in page])
    settled = [each for each in page if each.due_at is None and each.state == "ready"]
    real = await _real_uses(engine, settled)
    found = []
    for each in page:
        where = f"upload {each.id}"
        if each.owner not in owners:
            found.append(Finding(f"{where}: its owner {each.owner} is not there"))
        if each.state == "ready" and not each.url:
            found.append(Finding(f"{where}: it is ready, and has no address"))
        strange = [use for use in each.uses if _parsed(use) is None]
        if strange:
            words = f"{where}: {len(strange)} of its uses are of nothing"
            found.append(Finding(words, _pulling(each.id, strange)))
        if each.due_at is not None:
            continue
        if each.state != "ready":
            words = f"{where}: it is {each.state}, and nobody will look at it again"
            found.append(Finding(words, _looking(each)))
        elif not each.uses or set(each.uses) - real[each.id]:
            words = f"{where}: not all its uses are real, and nobody will look at it again"
            found.append(Finding(words, _looking(each)))
    return found


async def without_upload(engine: AIOEngine, shown: Sequence[Shown]) -> list[Finding]:
    """Those of what is shown that are not there, or do not know that they are shown."""
    wanted = {"public_id": {"$in": [each.public_id for each in shown]}}
    rows = await atomic.project(engine, Upload, wanted, ["public_id", "state", "uses"])
    known = {row["public_id"]: row for row in rows}
    found = []
    for each in shown:
        row = known.get(each.public_id)
        if row is None or row.get("state") != "ready":
            found.append(Finding(f"{each.words}: the upload {each.public_id} is not there"))
        elif each.use.key not in row.get("uses", ()):
            words = f"{each.words}: the upload {each.public_id} does not know that it is shown"
            found.append(Finding(words, _claiming(each)))
    return found


def _parsed(use: str) -> tuple[UseKind, ObjectId] | None:
    """The kind and the id in a use's key."""
    for kind in get_args(UseKind):
        id_ = use.removeprefix(f"{kind}:")
        if id_ != use and ObjectId.is_valid(id_):
            return kind, ObjectId(id_)
    return None


async def _real_uses(engine: AIOEngine, page: Sequence[Upload]) -> dict[ObjectId, set[str]]:
    """The uses of each upload that are as it says."""
    real: dict[ObjectId, set[str]] = {each.id: set() for each in page}
    by_public_id = {each.public_id: each for each in page}
    ids = defaultdict[UseKind, list[ObjectId]](list)
    for kind, id_ in filter(None, (_parsed(use) for each in page for use in each.uses)):
        ids[kind].append(id_)
    for kind, of_kind in ids.items():
        model, field = _SHOWING[kind]
        where = {"_id": {"$in": of_kind}, field: {"$in": list(by_public_id)}}
        for row in await atomic.project(engine, model, where, [field]):
            names = (
                [each["public_id"] for each in row["attachments"]]
                if kind == "message"
                else [row["avatar_id"]]
            )
            for upload in filter(None, map(by_public_id.get, names)):
                real[upload.id].add(Use(kind, row["_id"]).key)
    return real


def _looking(upload: Upload) -> Mend:
    """The sweeper is to look at an upload, and decides."""
    was = {"due_at": None, "state": upload.state}
    return setting(Upload, upload.id, was, {"due_at": SystemClock().now()})


def _pulling(upload_id: ObjectId, uses: Sequence[str]) -> Mend:
    async def mend(engine: AIOEngine) -> None:
        change = {"$pull": {"uses": {"$in": list(uses)}}}
        await atomic.update(engine, Upload, {"_id": upload_id}, change)

    return mend


def _claiming(shown: Shown) -> Mend:
    """The use is written down as if it began now: where it is none, the sweeper sees that."""

    async def mend(engine: AIOEngine) -> None:
        change = {
            "$addToSet": {"uses": shown.use.key},
            "$set": {"due_at": SystemClock().now() + UNUSED_LIFE},
        }
        fits = {"public_id": shown.public_id, "state": "ready"}
        await atomic.update(engine, Upload, fits, change)

    return mend
