"""What is held of one user's messages and reactions, for the user to take along."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import asc

from chatme.conversations.service import ConversationService
from chatme.messages.models import Message
from chatme.messages.wire import HeldMessage, HeldReaction, attachment_view
from chatme.storage import atomic

PAGE = 200


class HeldMessages:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, conversations: ConversationService) -> None:
        self._engine = engine
        self._conversations = conversations

    async def sent(self, user_id: ObjectId) -> AsyncIterator[HeldMessage]:
        """What the user sent, one conversation after the other, those left long ago included."""
        for conversation_id in await self._conversations.ever_in(user_id):
            async for each in self._sent_to(conversation_id, user_id):
                yield each

    async def reactions(self, user_id: ObjectId) -> AsyncIterator[HeldReaction]:
        """What the user reacted to, and how."""
        last: ObjectId | None = None
        while found := await atomic.project(
            self._engine,
            Message,
            {"reactions.user": user_id, **({"_id": {"$gt": last}} if last else {})},
            ["conversation", "reactions"],
            sort="_id",
            limit=PAGE,
        ):
            for each in found:
                for reaction in each["reactions"]:
                    if reaction["user"] == user_id:
                        yield HeldReaction(
                            conversation_id=each["conversation"],
                            message_id=each["_id"],
                            emoji=reaction["emoji"],
                        )
            last = found[-1]["_id"]

    async def _sent_to(
        self, conversation_id: ObjectId, user_id: ObjectId
    ) -> AsyncIterator[HeldMessage]:
        last = 0
        while found := await self._engine.find(
            Message,
            {"conversation": conversation_id, "sender": user_id, "seq": {"$gt": last}},
            sort=asc(Message.seq),
            limit=PAGE,
        ):
            for each in found:
                yield _held(each)
            last = found[-1].seq


def _held(message: Message) -> HeldMessage:
    return HeldMessage(
        id=message.id,
        conversation_id=message.conversation,
        seq=message.seq,
        client_id=message.client_id,
        type=message.type,
        content=message.content,
        attachment=attachment_view(message),
        reply_to_id=message.reply_to,
        is_deleted=message.is_deleted,
        edited_at=message.edited_at,
        created_at=message.created_at,
    )
