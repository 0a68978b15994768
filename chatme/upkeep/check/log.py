"""What must be true of messages, alone and as the log of their conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine

from chatme.conversations.models import Conversation
from chatme.messages.models import KEPT_REVS, Message
from chatme.storage import atomic
from chatme.upkeep.check.findings import Finding, existing, people
from chatme.upkeep.check.uploads import Shown, without_upload
from chatme.uploads.models import Use

_PAGE = 1000


async def messages(engine: AIOEngine, page: Sequence[Message]) -> list[Finding]:
    """A message is somebody's, in a conversation; its revisions ascend to the present one; what it
    shows is there."""
    senders = await people(engine, [each.sender for each in page])
    here = await existing(engine, Conversation, [each.conversation for each in page])
    wanted = [each.reply_to for each in page if each.reply_to is not None]
    answered = {
        each["_id"]: each.get("conversation")
        for each in await atomic.project(
            engine, Message, {"_id": {"$in": wanted}}, ["conversation"]
        )
    }
    found = []
    for each in page:
        faults = list(_faults(each))
        if each.conversation not in here:
            faults.append(f"its conversation {each.conversation} is not there")
        if each.sender not in senders:
            faults.append(f"its sender {each.sender} is not there")
        if each.reply_to and answered.get(each.reply_to) != each.conversation:
            faults.append(f"it answers {each.reply_to}, which is not in its conversation")
        found += [Finding(f"message {each.id}: {words}") for words in faults]
    shown = [
        Shown(f"message {each.id}", Use("message", each.id), attachment.public_id)
        for each in page
        for attachment in each.attachments
    ]
    return found + await without_upload(engine, shown)


def _faults(message: Message) -> list[str]:
    """What a message says of itself that cannot be."""
    revs, rev = message.revs, message.rev
    found = []
    if not revs or revs[-1] != rev or revs != sorted(set(revs)) or len(revs) > KEPT_REVS:
        found.append(f"its revisions {revs[-3:]} do not ascend to {rev}")
    elif revs[0] < message.first_rev or (len(revs) < KEPT_REVS and revs[0] != message.first_rev):
        found.append(f"its revisions do not begin with its first, {message.first_rev}")
    if message.seq < 1 or message.first_rev < message.seq:
        found.append(f"it has number {message.seq} and first revision {message.first_rev}")
    if message.is_deleted and (message.content or message.attachments or message.reactions):
        found.append("it is deleted and not empty")
    users = [each.user for each in message.reactions]
    if len(users) != len(set(users)):
        found.append("somebody has two reactions at it")
    return found


async def log_of(engine: AIOEngine, conversation_id: ObjectId) -> tuple[list[Finding], Any]:
    """What is wrong with the numbers of a conversation, and its last message, if there is one."""
    where, found = f"conversation {conversation_id}", []
    last: Any = None
    before, first_rev = 0, 0
    fields = ["seq", "first_rev", "created_at"]
    async for row in _rows(engine, conversation_id, "seq", fields):
        if row["seq"] != before + 1:
            found.append(Finding(f"{where}: after number {before} comes {row['seq']}"))
        came = row.get("first_rev", first_rev + 1)
        if came <= first_rev:
            words = f"number {row['seq']} came with revision {came}"
            found.append(Finding(f"{where}: {words}, after {first_rev}"))
        before, first_rev, last = row["seq"], came, row
    rev = 0
    async for row in _rows(engine, conversation_id, "rev", ["rev"]):
        if row["rev"] <= rev:
            found.append(Finding(f"{where}: revision {row['rev']} is there twice"))
        rev = row["rev"]
    return found, last


async def _rows(
    engine: AIOEngine, conversation_id: ObjectId, by: str, fields: Sequence[str]
) -> AsyncIterator[dict[str, Any]]:
    """A conversation's messages in an order, a page at a time."""
    # One that has the number of the page's last is read with it, or it would be passed over.
    last, seen = 0, set[ObjectId]()
    while True:
        where = {"conversation": conversation_id, by: {"$gte": last}}
        page = await atomic.project(engine, Message, where, fields, sort=by, limit=_PAGE)
        fresh = [row for row in page if row["_id"] not in seen]
        if not fresh:
            return
        for row in fresh:
            yield row
        last = fresh[-1][by]
        seen = {row["_id"] for row in page if row[by] == last}
