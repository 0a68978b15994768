"""What others said in a part of a conversation, and which of them are here to hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from bson import ObjectId
from odmantic import AIOEngine

from chatme.messages.models import Message
from chatme.messages.wire import MAX_LISTED_IDS
from chatme.storage import atomic


@dataclass(frozen=True, slots=True)
class Span:
    """The messages of a conversation after one number, up to and with another."""

    conversation_id: ObjectId
    after: int
    last: int


@dataclass(frozen=True, slots=True)
class Others:
    """The newest 500 at most of what others said, oldest first, and who of them is here."""

    message_ids: list[ObjectId]
    senders: frozenset[ObjectId]


async def others_in(
    engine: AIOEngine,
    span: Span,
    user_id: ObjectId,
    known: set[int],
    here: Collection[ObjectId],
    blocked: Collection[ObjectId],
) -> Others:
    """What others said in a span, without what was withheld from the user and what those said
    whom they blocked; and which of the others are ``here``.

    ``known`` are numbers that need no telling. Costs one query, and where the span is longer than
    what is listed one more for each that is here and not among the listed.
    """
    rows = await atomic.project(
        engine,
        Message,
        {
            "conversation": span.conversation_id,
            "seq": {"$gt": span.after, "$lte": span.last},
            "sender": {"$ne": user_id},
        },
        ["seq", "sender", "withheld_from"],
        sort="-seq",
        limit=MAX_LISTED_IDS,
    )
    told = [
        row
        for row in reversed(rows)
        if row["seq"] not in known
        and row["sender"] not in blocked
        and user_id not in row.get("withheld_from", ())
    ]
    senders = {row["sender"] for row in told}.intersection(here)
    if len(rows) == MAX_LISTED_IDS:
        earlier = Span(span.conversation_id, span.after, rows[-1]["seq"] - 1)
        rest = [each for each in here if each not in senders]
        spoke = await asyncio.gather(*(_spoke(engine, earlier, each) for each in rest))
        senders |= {each for each, did in zip(rest, spoke, strict=True) if did}
    return Others([row["_id"] for row in told], frozenset(senders))


async def _spoke(engine: AIOEngine, span: Span, sender: ObjectId) -> bool:
    where = {
        "conversation": span.conversation_id,
        "sender": sender,
        "seq": {"$gt": span.after, "$lte": span.last},
    }
    return await atomic.count(engine, Message, where, limit=1) > 0
