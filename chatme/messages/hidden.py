"""Whom one message of a conversation is hidden from: `sight` from the message's side."""

from __future__ import annotations

from bson import ObjectId
from odmantic import AIOEngine

from chatme.conversations.models import Roster, Watermark
from chatme.messages.models import Message
from chatme.storage import atomic
from chatme.users.service import UserService


async def hidden_from(
    engine: AIOEngine, users: UserService, message: Message, roster: Roster
) -> frozenset[ObjectId]:
    """The members who may not see a message: who blocks its sender, who cleared it, and in a
    direct conversation whom it was withheld from."""
    where = {"conversation": message.conversation, "cleared_seq": {"$gte": message.seq}}
    cleared = await atomic.project(engine, Watermark, where, ["user"])
    hidden = await users.blocks.blockers_of(message.sender) | {each["user"] for each in cleared}
    if roster.direct:
        hidden = hidden.union(message.withheld_from)
    return roster.user_ids & hidden
