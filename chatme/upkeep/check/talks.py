"""What must be true of conversations: their members, and what repeats or counts their messages.

Unread counts are stored nowhere: they follow from the messages and the watermarks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine

from chatme.accounts.models import Erasure
from chatme.clock import SystemClock, new_id
from chatme.conversations.models import (
    Activity,
    Conversation,
    Member,
    Watermark,
    direct_key,
)
from chatme.messages.models import Message
from chatme.messages.receipts import MAX_READ_AHEAD
from chatme.storage import atomic
from chatme.upkeep.check.findings import (
    Finding,
    Mend,
    existing,
    is_erased,
    people,
    removing,
    setting,
)
from chatme.upkeep.check.log import log_of
from chatme.upkeep.check.uploads import Shown, without_upload
from chatme.uploads.models import Use


async def conversations(engine: AIOEngine, page: Sequence[Conversation]) -> list[Finding]:
    """Members are users with a watermark each; the activity is that of the last message; the
    picture is there."""
    ids = [each.id for each in page]
    rows = await atomic.project(
        engine, Watermark, {"conversation": {"$in": ids}}, ["conversation", "user"]
    )
    marked = defaultdict(set)
    for row in rows:
        marked[row["conversation"]].add(row.get("user"))
    known = await people(engine, [member.user for each in page for member in each.members])
    found = []
    for each in page:
        faults, last = await log_of(engine, each.id)
        found += faults
        found += _kind_faults(each)
        for member in each.members:
            found += _member_faults(each, member, known, 0 if last is None else last["seq"])
            if member.user not in marked[each.id]:
                words = f"conversation {each.id}: member {member.user} has no watermark"
                found.append(Finding(words, _marking(each.id, member)))
        found += await _activity_faults(engine, each, last)
    worn = [
        Shown(f"conversation {each.id}", Use("group", each.id), each.avatar_id)
        for each in page
        if each.avatar_id is not None
    ]
    return found + await without_upload(engine, worn)


def _kind_faults(conversation: Conversation) -> list[Finding]:
    """What a conversation says of itself that cannot be; a crash leaves none of it."""
    where, users = f"conversation {conversation.id}", [each.user for each in conversation.members]
    found = []
    if len(users) != len(set(users)):
        found.append(f"{where}: somebody is a member twice")
    if any(each.role not in ("admin", "member") for each in conversation.members):
        found.append(f"{where}: a member has no known role")
    if conversation.type == "direct":
        if len(users) != 2 or conversation.direct_key != direct_key(users[0], users[1]):
            found.append(f"{where}: its key {conversation.direct_key} is not that of its pair")
    elif conversation.type != "group" or conversation.direct_key is not None:
        found.append(f"{where}: it is neither a group nor of two")
    elif users and all(each.role != "admin" for each in conversation.members):
        found.append(f"{where}: the group has no admin")
    return [Finding(words) for words in found]


def _member_faults(
    conversation: Conversation, member: Member, known: dict[ObjectId, Any], last: int
) -> list[Finding]:
    where, found = f"conversation {conversation.id}: member {member.user}", []
    user = known.get(member.user)
    if user is None:
        found.append(Finding(f"{where} is no user"))
    elif is_erased(user) and conversation.type == "group":
        found.append(Finding(f"{where} is erased", _erasing(member.user)))
    if not 0 <= member.joined_seq <= last:
        words = f"{where} joined after number {member.joined_seq}, and {last} is the last"
        found.append(Finding(words, _joining(conversation, member, last)))
    return found


async def _activity_faults(
    engine: AIOEngine, conversation: Conversation, last: Any
) -> list[Finding]:
    """The activity repeats the last message; it is read after the log, and not behind it."""
    where = f"conversation {conversation.id}"
    activity = await engine.find_one(Activity, Activity.id == conversation.id)
    seq = 0 if last is None else last["seq"]
    message = None if last is None else last["_id"]
    at: datetime = (
        conversation.created_at if last is None else last.get("created_at", conversation.created_at)
    )
    if activity is None:
        made = Activity(id=conversation.id, seq=seq, last_message=message, last_at=at)

        async def mend(engine: AIOEngine) -> None:
            await atomic.insert_missing(engine, [made])

        return [Finding(f"{where}: it has no activity", mend)]
    if (activity.seq, activity.last_message) == (seq, message) and (
        last is None or activity.last_at == at
    ):
        return []
    words = f"{where}: its activity says {activity.seq}, {activity.last_message}"
    fields = {"seq": seq, "last_message": message, "last_at": at}
    was = {"seq": activity.seq, "last_message": activity.last_message}
    return [
        Finding(
            f"{words}, and the last message is {seq}, {message}",
            setting(Activity, activity.id, was, fields),
        )
    ]


async def activities(engine: AIOEngine, page: Sequence[Activity]) -> list[Finding]:
    """An activity is of a conversation."""
    here = await existing(engine, Conversation, [each.id for each in page])
    return [
        Finding(
            f"activity {each.id}: it is of no conversation", _removing(Activity, each.id, each.id)
        )
        for each in page
        if each.id not in here
    ]


async def watermarks(engine: AIOEngine, page: Sequence[Watermark]) -> list[Finding]:
    """A watermark is of a user in a conversation, and not above its last message."""
    here = await existing(engine, Conversation, [each.conversation for each in page])
    known = await people(engine, [each.user for each in page])
    tails = {each: await _last_number(engine, each) for each in here}
    found = []
    for row in page:
        where = f"watermark {row.id}"
        if row.conversation not in here:
            words = f"{where}: it is of no conversation"
            found.append(Finding(words, _removing(Watermark, row.id, row.conversation)))
        elif row.user not in known:
            found.append(Finding(f"{where}: its user {row.user} is not there"))
        else:
            found += _bounds(row, tails[row.conversation])
    return found


def _bounds(row: Watermark, last: int) -> list[Finding]:
    found = []
    for name, least in (("delivered_seq", 0), ("read_seq", 0), ("cleared_seq", -1)):
        value = getattr(row, name)
        bounded = min(max(value, least), max(last, least))
        if value != bounded:
            words = f"watermark {row.id}: {name} is {value}, of {last} messages"
            mend = setting(Watermark, row.id, {name: value}, {name: bounded})
            found.append(Finding(words, mend))
    outside = [seq for seq in row.read_ahead if not row.read_seq < seq <= last]
    if outside or len(row.read_ahead) > MAX_READ_AHEAD:
        words = f"watermark {row.id}: of {last} messages, {row.read_seq} read, it has "
        words += f"{outside[:3]} read ahead, and {len(row.read_ahead)} in all"
        found.append(Finding(words, _pulling(row, last) if outside else None))
    return found


async def _last_number(engine: AIOEngine, conversation_id: ObjectId) -> int:
    where = {"conversation": conversation_id}
    found = await atomic.project(engine, Message, where, ["seq"], sort="-seq", limit=1)
    return int(found[0]["seq"]) if found else 0


def _pulling(row: Watermark, last: int) -> Mend:
    async def mend(engine: AIOEngine) -> None:
        for bounds in ({"$lte": row.read_seq}, {"$gt": last}):
            await atomic.update(
                engine,
                Watermark,
                {"_id": row.id, "read_ahead": {"$in": row.read_ahead}},
                {"$pull": {"read_ahead": bounds}},
            )

    return mend


def _marking(conversation_id: ObjectId, member: Member) -> Mend:
    async def mend(engine: AIOEngine) -> None:
        joined = member.joined_seq
        row = Watermark(
            id=new_id(),
            conversation=conversation_id,
            user=member.user,
            delivered_seq=joined,
            read_seq=joined,
        )
        await atomic.insert_missing(engine, [row])

    return mend


def _joining(conversation: Conversation, member: Member, last: int) -> Mend:
    async def mend(engine: AIOEngine) -> None:
        fits = {"_id": conversation.id, "members.user": member.user}
        await atomic.update(
            engine,
            Conversation,
            {**fits, "version": conversation.version},
            {"$set": {"members.$.joined_seq": last}, "$inc": {"version": 1}},
        )

    return mend


def _erasing(user_id: ObjectId) -> Mend:
    """An erasure that left something behind is begun again; a server finishes it."""

    async def mend(engine: AIOEngine) -> None:
        begun = Erasure(id=user_id, begun_at=SystemClock().now())
        await atomic.insert_missing(engine, [begun])

    return mend


def _removing(model: type[Activity | Watermark], id_: ObjectId, conversation_id: ObjectId) -> Mend:
    """Removes what a conversation that was never made has left, unless somebody spoke in it."""

    async def mend(engine: AIOEngine) -> None:
        spoken = await atomic.count(engine, Message, {"conversation": conversation_id}, limit=1)
        made = await atomic.count(engine, Conversation, {"_id": conversation_id}, limit=1)
        if not spoken and not made:
            await removing(model, id_)(engine)

    return mend
