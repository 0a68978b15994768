"""Messages as one member sees them, put together for a whole page at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import desc

from chatme.conversations.models import Excerpt, Marks
from chatme.messages.log import MessageLog, Tail
from chatme.messages.models import Message
from chatme.messages.sight import Sight
from chatme.messages.wire import (
    MAX_RECEIPT_ROWS,
    PREVIEW,
    MessageView,
    ReactionView,
    Receipt,
    ReceiptCounts,
    ReplyView,
    Status,
    attachment_view,
)
from chatme.storage import atomic
from chatme.users.models import DELETED_USER
from chatme.users.service import UserService
from chatme.users.wire import UserView

MarksById = Mapping[ObjectId, Mapping[ObjectId, Marks]]


class MessageViews:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, users: UserService, log: MessageLog) -> None:
        self._engine = engine
        self._users = users
        self._log = log

    async def build(
        self,
        messages: Sequence[Message],
        marks: MarksById,
        sights: Mapping[ObjectId, Sight] | None = None,
    ) -> list[MessageView]:
        """The views, in the order given; ``marks`` are all members', by conversation and user.

        With ``sights``, by conversation, an answer to what the viewer may not see shows nothing of
        it.
        """
        replied = {each.reply_to for each in messages if each.reply_to is not None}
        users, replies = await asyncio.gather(
            self._users.known_views({each.sender for each in messages}), self._replies(replied)
        )
        return [
            message_view(
                each,
                users.get(each.sender) or _nobody(each.sender),
                _seen(replies, each, sights),
                marks[each.conversation],
            )
            for each in messages
        ]

    async def tails(self, conversation_ids: Sequence[ObjectId]) -> dict[ObjectId, Tail]:
        """The last number and the last revision of each conversation."""
        return await self._log.tails(conversation_ids)

    async def last_messages(
        self, viewer: ObjectId, excerpts: Sequence[Excerpt]
    ) -> dict[ObjectId, MessageView]:
        """The newest message of each conversation that the viewer may see.

        The one that the conversation remembers is taken where it is the newest and may be seen;
        else the newest one is looked up.
        """
        remembered = [each.last_message for each in excerpts if each.last_message is not None]
        found = await self._engine.find(Message, {"_id": {"$in": remembered}}) if remembered else []
        by_conversation = {each.conversation: each for each in found}
        chosen = []
        sights = {}
        for excerpt in excerpts:
            last = by_conversation.get(excerpt.conversation_id)
            sight = sights[excerpt.conversation_id] = await self._sight(viewer, excerpt)
            fits = last is not None and last.seq == excerpt.last_seq and sight.shows(last)
            if not fits and excerpt.last_seq > 0:
                last = await self._last_visible(excerpt, sight)
            if last is not None:
                chosen.append(last)
        marks = {excerpt.conversation_id: excerpt.marks for excerpt in excerpts}
        views = await self.build(chosen, marks, sights)
        return {view.conversation_id: view for view in views}

    async def unread_counts(
        self, viewer: ObjectId, excerpts: Sequence[Excerpt]
    ) -> dict[ObjectId, int]:
        """How many messages of others the viewer may see and has not read.

        Numbers have no holes, so what is unread follows from them; only what does not count in
        between is counted, in the index: the viewer's own, and what is hidden from them.
        """
        behind = [each for each in excerpts if each.last_seq > each.own.floor]
        counts = await asyncio.gather(*(self._unread(viewer, each) for each in behind))
        return {each.conversation_id: count for each, count in zip(behind, counts, strict=True)}

    async def _unread(self, viewer: ObjectId, excerpt: Excerpt) -> int:
        floor, own = excerpt.own.floor, excerpt.own
        sight = await self._sight(viewer, excerpt)
        ahead = [seq for seq in own.read_ahead if floor < seq <= excerpt.last_seq]
        part = {"$gt": floor, "$lte": excerpt.last_seq}
        where = {"conversation": excerpt.conversation_id}
        uncounted = await self._count({**where, "sender": viewer, "seq": part})
        hidden: dict[str, object] = {**part, "$nin": ahead} if ahead else dict(part)
        if sight.blocked:
            senders = {"$in": sorted(sight.blocked)}
            uncounted += await self._count({**where, "sender": senders, "seq": hidden})
        if own.withheld and excerpt.direct and not sight.blocked:
            uncounted += await self._count({"withheld_from": viewer, **where, "seq": hidden})
        return excerpt.last_seq - floor - uncounted - len(ahead)

    async def _count(self, where: dict[str, object]) -> int:
        return await atomic.count(self._engine, Message, where)

    async def _sight(self, viewer: ObjectId, excerpt: Excerpt) -> Sight:
        blocked = await self._users.blocks.blocked_by(viewer)
        cleared, members = excerpt.own.cleared_seq, excerpt.marks.keys()
        return Sight.of(viewer, excerpt.direct, cleared, blocked, members)

    async def _last_visible(self, excerpt: Excerpt, sight: Sight) -> Message | None:
        return await self._engine.find_one(
            Message,
            {
                "conversation": excerpt.conversation_id,
                "seq": {"$gt": sight.cleared_seq},
                **sight.conditions(),
            },
            sort=desc(Message.seq),
        )

    async def _replies(self, message_ids: set[ObjectId]) -> dict[ObjectId, Message]:
        if not message_ids:
            return {}
        found = await self._engine.find(Message, {"_id": {"$in": list(message_ids)}})
        return {message.id: message for message in found}


def message_view(
    message: Message, sender: UserView, reply: Message | None, marks: Mapping[ObjectId, Marks]
) -> MessageView:
    """A message as callers see it."""
    statuses = receipt_statuses(message, marks)
    return MessageView(
        id=message.id,
        conversation_id=message.conversation,
        seq=message.seq,
        rev=message.rev,
        client_id=message.client_id,
        sender=sender,
        type=message.type,
        content=message.content,
        attachment=attachment_view(message),
        reply_to=_reply_view(reply) if reply else None,
        receipts=[Receipt(user_id=user, status=status) for user, status in statuses.items()]
        if len(marks) <= MAX_RECEIPT_ROWS
        else [],
        receipt_counts=ReceiptCounts(
            recipients=len(statuses),
            delivered=sum(status != "sent" for status in statuses.values()),
            read=sum(status == "read" for status in statuses.values()),
        ),
        reactions=[ReactionView(user_id=each.user, emoji=each.emoji) for each in message.reactions],
        is_edited=message.edited_at is not None,
        edited_at=message.edited_at,
        is_deleted=message.is_deleted,
        created_at=message.created_at,
    )


def receipt_statuses(message: Message, marks: Mapping[ObjectId, Marks]) -> dict[ObjectId, Status]:
    """How far each recipient is: the members, other than the sender, that it was sent to."""
    return {
        user: _status(message, user, each)
        for user, each in marks.items()
        if user != message.sender and each.joined_seq < message.seq
    }


def _status(message: Message, user: ObjectId, marks: Marks) -> Status:
    if user in message.withheld_from:
        return "sent"
    if message.seq <= marks.read_seq or message.seq in marks.read_ahead:
        return "read"
    return "delivered" if message.seq <= marks.delivered_seq else "sent"


def _seen(
    replies: Mapping[ObjectId, Message],
    message: Message,
    sights: Mapping[ObjectId, Sight] | None,
) -> Message | None:
    """What a message answers, where the viewer may see it."""
    found = replies.get(message.reply_to) if message.reply_to else None
    if found is None or sights is None or sights[message.conversation].shows(found):
        return found
    return None


def _reply_view(message: Message) -> ReplyView:
    return ReplyView(
        id=message.id,
        sender_id=message.sender,
        type=message.type,
        content="" if message.is_deleted else message.content[:PREVIEW],
    )


def _nobody(user_id: ObjectId) -> UserView:
    return UserView(id=user_id, display_name=DELETED_USER, avatar=None, bio="")
