"""The rules for receipts: how far each member of a conversation has got and read.

Watermarks only go up, each by one atomic write. What happens to one conversation's receipts is
written and announced in turns, so that nobody hears of a delivery after the reading.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager, suppress

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import Clock
from chatme.conversations.models import Roster, Watermark
from chatme.conversations.service import ConversationService
from chatme.errors import Conflict, NotFound
from chatme.messages.deliveries import Deliveries
from chatme.messages.events import MessagesDelivered, MessagesRead
from chatme.messages.log import MessageLog
from chatme.messages.models import Message
from chatme.messages.spans import Others, Span, others_in
from chatme.messages.wire import DeliveredData, ReadData
from chatme.ports import Tellers
from chatme.storage import atomic
from chatme.users.service import UserService

MAX_READ_AHEAD = 1000
"""How many messages one may have read alone, above the first that is not read."""


class ReceiptService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(
        self,
        engine: AIOEngine,
        clock: Clock,
        users: UserService,
        conversations: ConversationService,
        log: MessageLog,
        deliveries: Deliveries,
        tellers: Tellers,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._users = users
        self._conversations = conversations
        self._log = log
        self._deliveries = deliveries
        self._tellers = tellers

    def arriving(self, message: Message) -> AbstractContextManager[None]:
        """Around the announcement of a message: its delivery is written down soon after."""
        return self._deliveries.announcing(message)

    async def withhold(self, conversation_id: ObjectId, users: Collection[ObjectId]) -> None:
        """From now on "all up to" is never said of these users' receipts here: something in
        between will never be delivered to them."""
        await atomic.update_all(
            self._engine,
            Watermark,
            {"conversation": conversation_id, "user": {"$in": list(users)}, "withheld": False},
            {"$set": {"withheld": True}},
        )

    async def connected(self, user_id: ObjectId) -> None:
        """A user's socket opened: what waited for them is delivered."""
        ids = await self._conversations.ids_of(user_id)
        tails = await self._log.tails(ids)
        rows = await self._engine.find(Watermark, Watermark.user == user_id)
        reached = {row.conversation: max(row.delivered_seq, row.read_seq) for row in rows}
        for conversation_id in ids:
            if reached.get(conversation_id, 0) < tails[conversation_id][0]:
                with suppress(NotFound):  # they have left meanwhile
                    await self._catch_up(user_id, conversation_id)

    async def read_all(
        self, caller: ObjectId, conversation_id: ObjectId, socket_id: str | None
    ) -> int:
        """All of a conversation is read by a member; the number up to which it is.

        One watermark is written, however much was unread. Of a direct conversation with somebody
        whom the caller blocks nothing is read: the other would see it. Raises `NotFound`.
        """
        async with self._deliveries.turn(conversation_id):
            roster = await self._conversations.roster(conversation_id, caller)
            blocked = await self._users.blocks.blocked_by(caller)
            if roster.direct and roster.user_ids & blocked:
                last = (await self._conversations.own_marks(roster, caller)).read_seq
            else:
                last = await self._read_up(roster, caller, socket_id)
        await self._tellers.notifier.conversation_read(caller, conversation_id)
        return last

    async def _read_up(self, roster: Roster, caller: ObjectId, socket_id: str | None) -> int:
        """All of it; told to the senders, and to the reader's other sockets."""
        conversation_id = roster.conversation_id
        last = await self._last_announced(conversation_id)
        before = await self._raise(
            roster,
            caller,
            {
                "$max": {"read_seq": last, "delivered_seq": last},
                "$pull": {"read_ahead": {"$lte": last}},
            },
        )
        self._deliveries.has_read(caller, conversation_id, last)
        span = Span(conversation_id, max(before.read_seq, _joined(roster, caller)), last)
        if last <= span.after:
            return last
        found = await self._others_in(span, caller, roster, set(before.read_ahead))
        data = ReadData(
            conversation_id=conversation_id,
            message_ids=found.message_ids,
            up_to_seq=None if before.withheld else last,
            read_by=caller,
            read_at=self._clock.now(),
        )
        announcer = self._tellers.announcer
        if before.withheld and not roster.direct:
            # What was withheld may show by now, and is read: but only the reader may know.
            own = data.model_copy(update={"up_to_seq": last})
            announcer.publish(MessagesRead(own), [caller], without=socket_id)
            announcer.publish(MessagesRead(data), found.senders)
        elif found.message_ids:
            announcer.publish(MessagesRead(data), found.senders | {caller}, without=socket_id)
        return last

    async def read_one(self, caller: ObjectId, message: Message, socket_id: str | None) -> None:
        """One message alone is read; one's own, and one that is read already, change nothing.

        Raises `NotFound`, and `Conflict` where too many were read out of order.
        """
        conversation_id, seq = message.conversation, message.seq
        async with self._deliveries.turn(conversation_id):
            roster = await self._conversations.roster(conversation_id, caller)
            if message.sender == caller or seq <= _joined(roster, caller):
                return
            await self._last_announced(conversation_id)
            unread = {
                "conversation": conversation_id,
                "user": caller,
                "read_seq": {"$lt": seq},
                "read_ahead": {"$ne": seq},
            }
            row = await atomic.update_and_get(
                self._engine,
                Watermark,
                {**unread, f"read_ahead.{MAX_READ_AHEAD - 1}": {"$exists": False}},
                {"$push": {"read_ahead": seq}},
            )
            if row is None:
                if await atomic.count(self._engine, Watermark, unread, limit=1):
                    raise Conflict("Too many messages were read out of order: open it instead.")
                return
            self._deliveries.has_read(caller, conversation_id, seq, alone=True)
            await self._settle(row, caller, _joined(roster, caller))
            blocked = await self._users.blocks.blocked_by(caller)
            data = ReadData(
                conversation_id=conversation_id,
                message_ids=[message.id],
                up_to_seq=None,
                read_by=caller,
                read_at=self._clock.now(),
            )
            audience = ({message.sender} & roster.user_ids) - blocked | {caller}
            if caller in message.withheld_from:
                audience = {caller}  # to the sender it is sent for good
            self._tellers.announcer.publish(MessagesRead(data), audience, without=socket_id)

    async def _catch_up(self, user_id: ObjectId, conversation_id: ObjectId) -> None:
        """Marks one conversation as delivered, and tells the senders that are here."""
        async with self._deliveries.turn(conversation_id):
            roster = await self._conversations.roster(conversation_id, user_id)
            blocked = await self._users.blocks.blocked_by(user_id)
            if roster.direct and roster.user_ids & blocked:
                return  # nothing of whom one blocks is ever delivered
            last = await self._last_announced(conversation_id)
            before = await self._raise(roster, user_id, {"$max": {"delivered_seq": last}})
            self._deliveries.has_read(user_id, conversation_id, last)  # what is told here is told
            reached = max(before.delivered_seq, before.read_seq, _joined(roster, user_id))
            if last <= reached or not self._tellers.presence.connected(roster.user_ids - {user_id}):
                return
            span = Span(conversation_id, reached, last)
            found = await self._others_in(span, user_id, roster, set(before.read_ahead))
            if found.senders:
                data = DeliveredData(
                    conversation_id=conversation_id,
                    message_ids=found.message_ids,
                    up_to_seq=None if before.withheld else last,
                    recipient_ids=[user_id],
                )
                self._tellers.announcer.publish(MessagesDelivered(data), found.senders)

    async def _last_announced(self, conversation_id: ObjectId) -> int:
        """The number of the last message whose sender has the ack: what is told of it later is
        not undone by its announcement or by the ack, which show it as sent."""
        async with self._conversations.turn(conversation_id):
            return (await self._log.tail(conversation_id))[0]

    async def _others_in(
        self, span: Span, user_id: ObjectId, roster: Roster, known: set[int]
    ) -> Others:
        blocked = await self._users.blocks.blocked_by(user_id)
        here = self._tellers.presence.connected(roster.user_ids - blocked - {user_id})
        return await others_in(self._engine, span, user_id, known, here, blocked)

    async def _raise(
        self, roster: Roster, user_id: ObjectId, change: dict[str, object]
    ) -> Watermark:
        """Raises a member's watermark, and returns it as it was before."""
        where = {"conversation": roster.conversation_id, "user": user_id}
        before = await atomic.get_and_update(self._engine, Watermark, where, change)
        if before is None:
            # A row that a crash kept from being made, between a group's row and its members'.
            joined = _joined(roster, user_id)
            await self._conversations.add_marks(roster.conversation_id, [user_id], joined)
            before = await atomic.get_and_update(self._engine, Watermark, where, change)
        if before is None:
            raise Conflict("The conversation is being changed; try again.", retry_after=1)
        return before

    async def _settle(self, row: Watermark, user_id: ObjectId, joined: int) -> None:
        """Moves the watermark over what is read ahead without a gap, one's own included.

        So numbers read ahead stay few. Cut before it, nothing is lost: it is done next time.
        """
        ahead = set(row.read_ahead)
        floor, top = max(row.read_seq, joined), max(ahead)
        own = await atomic.project(
            self._engine,
            Message,
            {
                "conversation": row.conversation,
                "sender": user_id,
                "seq": {"$gt": floor, "$lt": top},
            },
            ["seq"],
            sort="seq",
            limit=MAX_READ_AHEAD,
        )
        passed = ahead | {each["seq"] for each in own}
        seq = floor
        while seq + 1 in passed:
            seq += 1
        if seq > floor:
            await atomic.update(
                self._engine,
                Watermark,
                {"_id": row.id},
                {"$max": {"read_seq": seq}, "$pull": {"read_ahead": {"$lte": seq}}},
            )


def _joined(roster: Roster, user_id: ObjectId) -> int:
    return roster.members[user_id].joined_seq
