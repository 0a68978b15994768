"""The log of a conversation: where messages get their numbers and changes their revisions.

See `models` for why the write itself allocates them. Call `append` and `change` inside the
conversation's turn, so that the writers of this process do not clash with each other; writers in
other processes are met at the unique indexes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine

from chatme.errors import NotFound, Unavailable
from chatme.memo import Memo
from chatme.messages.models import KEPT_REVS, Message
from chatme.messages.words import keys
from chatme.ports import UNMETERED, Meter
from chatme.storage import atomic

ATTEMPTS = 50
_KEPT_TAILS = 10_000
_PAUSE = 0.002
_LONGEST_PAUSE = 0.15

Tail = tuple[int, int]
Decision = Callable[[Message], Mapping[str, Any] | None]


class AlreadySent(Exception):
    """The sender has sent a message with this client id before."""


class MessageLog:
    """Lives as long as the app; remembers the last numbers of the conversations in use."""

    def __init__(self, engine: AIOEngine, meter: Meter = UNMETERED) -> None:
        self._engine = engine
        self._meter = meter
        self._tails = Memo(self._load_tail, _KEPT_TAILS)

    async def tail(self, conversation_id: ObjectId) -> Tail:
        """The last number and the last revision; (0, 0) where there is no message."""
        return await self._tails.get(conversation_id)

    async def tails(self, conversation_ids: Sequence[ObjectId]) -> dict[ObjectId, Tail]:
        """The same for several conversations."""
        found = await asyncio.gather(*(self._tails.get(each) for each in conversation_ids))
        return dict(zip(conversation_ids, found, strict=True))

    async def append(self, message: Message) -> None:
        """Gives a message the conversation's next numbers and inserts it.

        Raises `AlreadySent` where the sender's client id is taken, `Unavailable` where other
        processes kept taking the next number.
        """
        for attempt in range(ATTEMPTS):
            seq, rev = await self.tail(message.conversation)
            message.seq, message.rev = seq + 1, rev + 1
            message.first_rev, message.revs = rev + 1, [rev + 1]
            self._tails.forget(message.conversation)
            try:
                await atomic.insert(self._engine, message, _found_by(message.content))
            except atomic.Duplicate as duplicate:
                if "client_id" in duplicate.fields:
                    raise AlreadySent from None
                await _pause(attempt)
                continue
            finally:  # what failed may be written all the same
                self._tails.forget(message.conversation)
            self._tails.put(message.conversation, (seq + 1, rev + 1))
            self._meter.stored(message.type)
            return
        raise Unavailable(retry_after=1)

    async def change(self, message_id: ObjectId, decide: Decision) -> tuple[Message, bool]:
        """Changes a message under the conversation's next revision; and whether it did.

        ``decide`` is shown the message as it stands and returns the fields to set, or None to
        leave it; it may raise. It is asked again where somebody else was faster.
        """
        for attempt in range(ATTEMPTS):
            found = await self._engine.find_one(Message, Message.id == message_id)
            if found is None:
                raise NotFound
            fields = decide(found)
            if fields is None:
                return found, False
            if "content" in fields:
                fields = {**fields, **_found_by(fields["content"])}
            seq, rev = await self.tail(found.conversation)
            if rev < found.rev:
                # A tail of before the message's own last change would give it the same one again.
                self._tails.forget(found.conversation)
                seq, rev = await self.tail(found.conversation)
            self._tails.forget(found.conversation)
            try:
                changed = await atomic.update_and_get(
                    self._engine,
                    Message,
                    {"_id": message_id, "rev": found.rev},
                    {
                        "$set": {**fields, "rev": rev + 1},
                        "$push": {"revs": {"$each": [rev + 1], "$slice": -KEPT_REVS}},
                    },
                )
            except atomic.Duplicate:
                changed = None
            finally:  # what failed may be written all the same
                self._tails.forget(found.conversation)
            if changed is not None:
                self._tails.put(found.conversation, (seq, rev + 1))
                return changed, True
            await _pause(attempt)
        raise Unavailable(retry_after=1)

    async def _load_tail(self, conversation_id: ObjectId) -> Tail:
        where = {"conversation": conversation_id}
        newest, latest = await asyncio.gather(
            atomic.project(self._engine, Message, where, ["seq"], sort="-seq", limit=1),
            atomic.project(self._engine, Message, where, ["rev"], sort="-rev", limit=1),
        )
        if not newest or not latest:
            return 0, 0
        return newest[0]["seq"], latest[0]["rev"]


def _found_by(content: str) -> dict[str, Any]:
    """What a search finds a message by: written with its words, and gone with them."""
    return {"words": keys(content)}


async def _pause(attempt: int) -> None:
    # It grows faster than the crowd can be: however slow the machine, some soon find themselves
    # alone, and nobody is beaten every time.
    longest = min(_PAUSE * attempt**2, _LONGEST_PAUSE)
    await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 -- no secret, a pause
