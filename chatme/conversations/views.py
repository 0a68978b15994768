"""Conversations as one of their members sees them, put together for a whole page at a time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from bson import ObjectId
from odmantic import AIOEngine

from chatme.conversations.models import (
    Activity,
    Conversation,
    Excerpt,
    Marks,
    Member,
    Watermark,
    marks_of,
    roster_of,
)
from chatme.conversations.wire import (
    SHOWN_MEMBERS,
    ConversationView,
    MemberView,
    MessageInList,
)
from chatme.users.service import UserService
from chatme.users.wire import UserView


class MessageFacts(Protocol):
    """What conversations show of their messages; the messages' side keeps it."""

    async def tails(
        self, conversation_ids: Sequence[ObjectId]
    ) -> Mapping[ObjectId, tuple[int, int]]:
        """The last number and the last revision of each conversation; (0, 0) without messages."""
        ...

    async def last_messages(
        self, viewer: ObjectId, excerpts: Sequence[Excerpt]
    ) -> Mapping[ObjectId, MessageInList]:
        """The newest message of each conversation that the viewer may see, by conversation."""
        ...

    async def unread_counts(
        self, viewer: ObjectId, excerpts: Sequence[Excerpt]
    ) -> Mapping[ObjectId, int]:
        """How many messages of others the viewer may see and has not read, by conversation."""
        ...


class ConversationViews:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, users: UserService, facts: MessageFacts) -> None:
        self._engine = engine
        self._users = users
        self._facts = facts

    async def build(
        self, viewer: ObjectId, conversations: Sequence[Conversation]
    ) -> list[ConversationView]:
        """The views, in the order given, by a few queries for all of them."""
        ids = [each.id for each in conversations]
        user_ids = {m.user for each in conversations for m in each.members[:SHOWN_MEMBERS]}
        users, marks, activities, tails = await asyncio.gather(
            self._users.views(user_ids),
            self.marks(conversations),
            self._activities(ids),
            self._facts.tails(ids),
        )
        excerpts = [
            Excerpt(
                each.id,
                each.type == "direct",
                activities[each.id].last_message,
                tails[each.id][0],
                marks[each.id].get(viewer, Marks()),
                marks[each.id],
            )
            for each in conversations
        ]
        unread, last = await asyncio.gather(
            self._facts.unread_counts(viewer, excerpts),
            self._facts.last_messages(viewer, excerpts),
        )
        return [
            _view(
                each,
                tails[each.id],
                _member_views(each.members[:SHOWN_MEMBERS], users, marks[each.id]),
                unread.get(each.id, 0),
                last.get(each.id),
            )
            for each in conversations
        ]

    async def build_each(
        self, viewers: Collection[ObjectId], conversation: Conversation
    ) -> dict[ObjectId, ConversationView]:
        """One conversation as each of several members sees it."""
        views = await asyncio.gather(*(self.build(each, [conversation]) for each in viewers))
        return {viewer: view for viewer, (view,) in zip(viewers, views, strict=True)}

    async def members(self, conversation: Conversation, start: int, stop: int) -> list[MemberView]:
        """A slice of a conversation's members."""
        part = conversation.members[start:stop]
        users, marks = await asyncio.gather(
            self._users.views([member.user for member in part]), self.marks([conversation])
        )
        return _member_views(part, users, marks[conversation.id])

    async def marks(
        self, conversations: Sequence[Conversation]
    ) -> dict[ObjectId, dict[ObjectId, Marks]]:
        """All members' marks, by conversation and user."""
        ids = [each.id for each in conversations]
        rows = defaultdict(list)
        for row in await self._engine.find(Watermark, {"conversation": {"$in": ids}}):
            rows[row.conversation].append(row)
        return {each.id: marks_of(roster_of(each), rows[each.id]) for each in conversations}

    async def _activities(self, ids: Sequence[ObjectId]) -> dict[ObjectId, Activity]:
        found = await self._engine.find(Activity, {"_id": {"$in": list(ids)}})
        return {activity.id: activity for activity in found}


def _member_views(
    members: Sequence[Member],
    users: Mapping[ObjectId, UserView],
    marks: Mapping[ObjectId, Marks],
) -> list[MemberView]:
    """Members as callers see them; one whose user is gone is left out."""
    return [
        MemberView(
            user=users[member.user],
            role="admin" if member.role == "admin" else "member",
            delivered_seq=marks[member.user].delivered_seq,
            read_seq=marks[member.user].read_seq,
        )
        for member in members
        if member.user in users
    ]


def _view(
    conversation: Conversation,
    tail: tuple[int, int],
    members: list[MemberView],
    unread: int,
    last: MessageInList | None,
) -> ConversationView:
    return ConversationView(
        id=conversation.id,
        type="direct" if conversation.type == "direct" else "group",
        name=conversation.name,
        avatar=conversation.avatar,
        members=members,
        member_count=len(conversation.members),
        seq=tail[0],
        rev=tail[1],
        unread_count=unread,
        last_message=last,
        last_message_at=last.created_at if last is not None else None,
        created_at=conversation.created_at,
    )
