"""What the tests of messages do over and over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bson import ObjectId

from chatme.clock import new_id, to_epoch
from chatme.conversations.models import Watermark
from chatme.messages.models import Message
from chatme.messages.wire import MessageView
from chatme.messages.words import keys
from chatme.storage import atomic
from chatme_tests.conversations.world import Node, World
from chatme_tests.fakes import SOMETIME


def made(conversation: ObjectId, sender: ObjectId, seq: int = 0, **more: Any) -> Message:
    """A message with a number, not stored."""
    who = {"id": new_id(), "conversation": conversation, "sender": sender}
    revs = {"rev": seq, "first_rev": seq, "revs": [seq]}
    return Message(**{**who, "seq": seq, **revs, "created_at": SOMETIME, **more})


async def fill(world: World, conversation: ObjectId, sender: ObjectId, count: int) -> None:
    """So many messages from one sender, at once, after those that are there."""
    last = (await world.node().log.tail(conversation))[0]
    messages = [
        made(conversation, sender, seq, content=str(seq))
        for seq in range(last + 1, last + count + 1)
    ]
    await atomic.insert_missing(world.engine, messages)


async def write(
    world: World,
    conversation: ObjectId,
    sender: ObjectId,
    contents: Sequence[str],
    *,
    apart: int = 0,
    **more: Any,
) -> list[ObjectId]:
    """Messages with these words, found as if they had been sent; their ids, oldest first.

    They are so many seconds apart, the last one now; all within one second where that is 0.
    """
    last = (await world.node().log.tail(conversation))[0]
    now = int(to_epoch(world.clock.now()))
    found = []
    for place, content in enumerate(contents):
        second = now - apart * (len(contents) - 1 - place)
        id_ = ObjectId(second.to_bytes(4, "big") + new_id().binary[4:])
        message = made(conversation, sender, last + place + 1, id=id_, content=content, **more)
        found.append({**message.model_dump_doc(), "words": keys(content)})
    await world.engine.get_collection(Message).insert_many(found)
    return [each["_id"] for each in found]


async def row_of(world: World, user: ObjectId, conversation: ObjectId) -> Watermark:
    """A member's watermark as it is stored."""
    row = await world.engine.find_one(
        Watermark, Watermark.user == user, Watermark.conversation == conversation
    )
    assert row is not None
    return row


async def statuses(world: World, user: ObjectId, conversation: ObjectId) -> list[str]:
    """How far one recipient is with each message of a direct conversation."""
    (other,) = (await world.core.members(conversation)).user_ids - {user}
    shown = await world.history(other, conversation)
    rows = [{each.user_id: each.status for each in view.receipts} for view in shown]
    return [row.get(user, "-") for row in rows]


async def read(node: Node, user: ObjectId, message: MessageView, how: str) -> None:
    """Reads a message, with all before it or alone."""
    if how == "all":
        await node.receipts.read_all(user, message.conversation_id, None)
    else:
        await node.read(user, message)
