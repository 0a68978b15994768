"""What is held of one user's memberships, for the user to take along."""

from __future__ import annotations

from collections.abc import AsyncIterator

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import in_

from chatme.conversations.models import Conversation, Watermark
from chatme.conversations.wire import HeldMembership

PAGE = 200


class HeldMemberships:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine) -> None:
        self._engine = engine

    async def of(self, user_id: ObjectId) -> AsyncIterator[HeldMembership]:
        """Every conversation that the user is or ever was in, and how far they have read it."""
        rows = await self._engine.find(Watermark, Watermark.user == user_id)
        for at in range(0, len(rows), PAGE):
            part = rows[at : at + PAGE]
            found = await self._engine.find(
                Conversation, in_(Conversation.id, [row.conversation for row in part])
            )
            conversations = {each.id: each for each in found}
            for row in part:
                if row.conversation in conversations:
                    yield _held(conversations[row.conversation], row)


def _held(conversation: Conversation, row: Watermark) -> HeldMembership:
    """What has become of a group since somebody left it is not theirs to know."""
    member = next((each for each in conversation.members if each.user == row.user), None)
    return HeldMembership(
        conversation_id=conversation.id,
        type="direct" if conversation.type == "direct" else "group",
        name=conversation.name if member else None,
        role=None if member is None else "admin" if member.role == "admin" else "member",
        joined_at=member.joined_at if member else None,
        delivered_seq=row.delivered_seq,
        read_seq=row.read_seq,
    )
