"""Deliveries to live sockets, written down in batches behind the sends.

A send does not wait for them. What a batch holds is written by one update for each number that
its recipients reached, then announced to the senders: one frame for all who got the same. A crash
before that loses nothing that matters: who is not marked yet is so when they connect again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from bson import ObjectId
from odmantic import AIOEngine

from chatme.conversations.models import Roster, Watermark
from chatme.conversations.service import ConversationService
from chatme.errors import NotFound, Unavailable
from chatme.messages.events import MessagesDelivered
from chatme.messages.models import Message
from chatme.messages.wire import MAX_LISTED_IDS, DeliveredData
from chatme.ports import Lifeline, Tellers
from chatme.storage import atomic
from chatme.storage.engine import DatabaseError
from chatme.turns import Turns

log = structlog.stdlib.get_logger("chatme.messages")

LARGE = 16
PAUSE = timedelta(milliseconds=100)
RETRY = timedelta(seconds=1)
CLOSING = timedelta(seconds=5)


@dataclass(slots=True)
class _Arrival:
    """A message on its way, and who has read it before its delivery was written."""

    message: Message
    has_read: set[ObjectId] = field(default_factory=set)


class Deliveries:
    """Lives as long as the app; holds what is not written yet; close it.

    In conversations of over 16 members a batch gathers for a tenth of a second: each one writes a
    row for every member that is here.
    """

    def __init__(
        self,
        engine: AIOEngine,
        lifeline: Lifeline,
        conversations: ConversationService,
        tellers: Tellers,
    ) -> None:
        self._engine = engine
        self._lifeline = lifeline
        self._conversations = conversations
        self._tellers = tellers
        self._turns = Turns()
        self._announcing: dict[ObjectId, _Arrival] = {}
        self._waiting: dict[ObjectId, list[_Arrival]] = {}
        self._writers: dict[ObjectId, asyncio.Task[None]] = {}

    async def aclose(self) -> None:
        """Writes what waits, within five seconds; what the database does not take is let go of."""
        if self._writers:
            _, late = await asyncio.wait(self._writers.values(), timeout=CLOSING.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def turn(self, conversation_id: ObjectId) -> AbstractAsyncContextManager[None]:
        """The turn in which a conversation's receipts are written and announced."""
        return self._turns.turn(conversation_id)

    @contextmanager
    def announcing(self, message: Message) -> Iterator[None]:
        """Around the announcement of a message that was written, inside its conversation's turn.

        Readers can know it before their sockets do: who reads it meanwhile has read it. In the end
        it waits for its delivery.
        """
        conversation_id, arrival = message.conversation, _Arrival(message)
        self._announcing[conversation_id] = arrival
        try:
            yield
        finally:
            del self._announcing[conversation_id]
        self._waiting.setdefault(conversation_id, []).append(arrival)
        if conversation_id not in self._writers:
            task = asyncio.create_task(self._write(conversation_id))
            self._writers[conversation_id] = task

    def has_read(
        self, user_id: ObjectId, conversation_id: ObjectId, seq: int, *, alone: bool = False
    ) -> None:
        """A user has read up to a number (or that number alone): its delivery needs no telling."""
        arrivals = list(self._waiting.get(conversation_id, ()))
        if conversation_id in self._announcing:
            arrivals.append(self._announcing[conversation_id])
        for arrival in arrivals:
            number = arrival.message.seq
            if number == seq or (number < seq and not alone):
                arrival.has_read.add(user_id)

    async def _write(self, conversation_id: ObjectId) -> None:
        """Writes batch after batch until nothing waits."""
        try:
            while self._waiting.get(conversation_id):
                try:
                    async with self._lifeline.guard():
                        await self._write_next(conversation_id)
                except (DatabaseError, Unavailable):
                    log.warning("deliveries wait for the database", conversation=conversation_id)
                    await asyncio.sleep(RETRY.total_seconds())
                    await self._lifeline.wait()
        except NotFound:
            self._waiting.pop(conversation_id, None)
        finally:
            del self._writers[conversation_id]

    async def _write_next(self, conversation_id: ObjectId) -> None:
        roster = await self._conversations.members(conversation_id)
        if len(roster.members) > LARGE:
            await asyncio.sleep(PAUSE.total_seconds())
        async with self._turns.turn(conversation_id):
            await self._write_batch(roster)

    async def _write_batch(self, roster: Roster) -> None:
        batch = list(self._waiting.get(roster.conversation_id, ()))
        got = [(arrival.message, self._recipients(arrival, roster)) for arrival in batch]
        reached: dict[ObjectId, int] = {}
        for message, recipients in got:
            reached |= dict.fromkeys(recipients, message.seq)
        users_at = defaultdict(list)
        for user_id, seq in reached.items():
            users_at[seq].append(user_id)
        for seq, users in users_at.items():
            await atomic.update_all(
                self._engine,
                Watermark,
                {"conversation": roster.conversation_id, "user": {"$in": users}},
                {"$max": {"delivered_seq": seq}},
            )
        # Only now do they leave the line: a write that failed is tried again.
        del self._waiting[roster.conversation_id][: len(batch)]
        if not self._waiting[roster.conversation_id]:
            del self._waiting[roster.conversation_id]
        self._announce(roster, got)

    def _recipients(self, arrival: _Arrival, roster: Roster) -> frozenset[ObjectId]:
        message = arrival.message
        members = roster.user_ids.difference(
            message.withheld_from, [message.sender], arrival.has_read
        )
        return frozenset(
            user
            for user in self._tellers.presence.connected(members)
            if roster.members[user].joined_seq < message.seq
        )

    def _announce(self, roster: Roster, got: list[tuple[Message, frozenset[ObjectId]]]) -> None:
        frames: dict[tuple[ObjectId, frozenset[ObjectId]], list[ObjectId]] = defaultdict(list)
        for message, recipients in got:
            if recipients and message.sender in roster.members:
                frames[message.sender, recipients].append(message.id)
        for (sender, recipients), ids in frames.items():
            for at in range(0, len(ids), MAX_LISTED_IDS):
                data = DeliveredData(
                    conversation_id=roster.conversation_id,
                    message_ids=ids[at : at + MAX_LISTED_IDS],
                    up_to_seq=None,
                    recipient_ids=sorted(recipients),
                )
                self._tellers.announcer.publish(MessagesDelivered(data), [sender])
