"""What the rules of all features ask of conversations: who is in one, how far each has read."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from functools import partial

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import Clock, new_id
from chatme.conversations.events import ConversationCreated
from chatme.conversations.models import (
    Activity,
    Conversation,
    Marks,
    Member,
    Reach,
    Roster,
    Watermark,
    direct_key,
    marks_of,
    roster_of,
)
from chatme.conversations.views import ConversationViews
from chatme.conversations.wire import ConversationView, GroupWanted
from chatme.errors import BadRequest, Code, Forbidden, Invalid, NotFound, Unavailable
from chatme.memo import Memo
from chatme.ports import Announcer
from chatme.storage import atomic
from chatme.storage.errands import Errand, Errands
from chatme.turns import Turns
from chatme.users.service import UserService

KEPT_ROSTERS = 5_000

Follow = Callable[[Conversation, Errand], Awaitable[None]]
"""What is done once a conversation is written, inside its turn, on the errand that wrote it."""


async def nothing(*_: object) -> None:
    """Nothing else."""


class ConversationService:
    """Lives as long as the app; remembers rosters, which every change here outdates.

    ``errands`` go on with what happens in a conversation's turn, where its caller is cut off.
    """

    def __init__(
        self,
        engine: AIOEngine,
        clock: Clock,
        users: UserService,
        views: ConversationViews,
        announcer: Announcer,
        errands: Errands,
    ) -> None:
        self.errands = errands
        self._engine = engine
        self._clock = clock
        self._users = users
        self._views = views
        self._announcer = announcer
        self._turns = Turns()
        self._rosters = Memo(self._load_roster, KEPT_ROSTERS)

    def turn(self, conversation_id: ObjectId) -> AbstractAsyncContextManager[None]:
        """The conversation's turn: see `turns`."""
        return self._turns.turn(conversation_id)

    async def roster(self, conversation_id: ObjectId, user_id: ObjectId) -> Roster:
        """Who is in a conversation; raises `NotFound` unless the user is one of them.

        A stranger waits for the database even where the roster is remembered: otherwise the time
        would tell a foreign conversation from none.
        """
        roster = await self._rosters.get(conversation_id)
        if user_id not in roster.members:
            await self._load_roster(conversation_id)
            raise NotFound
        return roster

    async def members(self, conversation_id: ObjectId) -> Roster:
        """Who is in a conversation, whoever asks; raises `NotFound` where there is none."""
        return await self._rosters.get(conversation_id)

    async def own_marks(self, roster: Roster, user_id: ObjectId) -> Marks:
        """How far one member has got and read."""
        row = await self._engine.find_one(
            Watermark,
            Watermark.conversation == roster.conversation_id,
            Watermark.user == user_id,
        )
        return marks_of(roster, [row] if row else [])[user_id]

    def forget(self, conversation_id: ObjectId) -> None:
        """The roster has changed in the database."""
        self._rosters.forget(conversation_id)

    async def ids_of(self, user_id: ObjectId) -> list[ObjectId]:
        """The ids of all the user's conversations."""
        found = await atomic.project(self._engine, Conversation, {"members.user": user_id}, ["_id"])
        return [each["_id"] for each in found]

    async def reaches(self, user_id: ObjectId) -> dict[ObjectId, Reach]:
        """All the user's conversations, and what the user sees of each."""
        mine, cleared = await asyncio.gather(
            atomic.project(self._engine, Conversation, {"members.user": user_id}, ["type"]),
            atomic.project(
                self._engine,
                Watermark,
                {"user": user_id, "cleared_seq": {"$gte": 0}},
                ["conversation", "cleared_seq"],
            ),
        )
        seqs = {row["conversation"]: row["cleared_seq"] for row in cleared}
        return {
            each["_id"]: Reach(each["type"] == "direct", seqs.get(each["_id"], -1)) for each in mine
        }

    async def ever_in(self, user_id: ObjectId) -> list[ObjectId]:
        """The ids of all conversations that the user is or ever was in, the oldest first."""
        rows = await atomic.project(self._engine, Watermark, {"user": user_id}, ["conversation"])
        return sorted(row["conversation"] for row in rows)

    async def rosters(self, conversation_ids: Sequence[ObjectId]) -> dict[ObjectId, Roster]:
        """Several rosters; those not remembered are read in one query."""
        found = await self._engine.find(Conversation, {"_id": {"$in": list(conversation_ids)}})
        return {each.id: roster_of(each) for each in found}

    async def marks(self, *rosters: Roster) -> dict[ObjectId, dict[ObjectId, Marks]]:
        """How far each member has got and read, by conversation and user."""
        rows = defaultdict(list)
        ids = [roster.conversation_id for roster in rosters]
        for row in await self._engine.find(Watermark, {"conversation": {"$in": ids}}):
            rows[row.conversation].append(row)
        return {
            each.conversation_id: marks_of(each, rows[each.conversation_id]) for each in rosters
        }

    async def direct(self, caller: ObjectId, other: ObjectId) -> tuple[ConversationView, bool]:
        """The conversation of two users, and whether it was made just now.

        There is one for each pair, by a unique index over the pair's key. Raises `BadRequest` for
        oneself, `NotFound` for nobody, `Forbidden` (`blocked`) where either blocked the other.
        """
        if other == caller:
            raise BadRequest("A conversation with oneself makes no sense.")
        key = direct_key(caller, other)
        found = await self._engine.find_one(Conversation, Conversation.direct_key == key)
        if found is not None:
            return await self._view(caller, found), False
        if not await self._users.existing([other]):
            raise NotFound
        await self.refuse_blocked(caller, [other])
        now = self._clock.now()
        members = [Member(user=each, role="member", joined_at=now) for each in (caller, other)]
        wanted = Conversation(
            id=new_id(), type="direct", members=members, direct_key=key, created_at=now
        )
        try:
            return await self._make(caller, wanted), True
        except atomic.Duplicate:
            await self._engine.remove(Activity, Activity.id == wanted.id)
            await self._engine.remove(Watermark, Watermark.conversation == wanted.id)
        found = await self._engine.find_one(Conversation, Conversation.direct_key == key)
        if found is None:
            raise NotFound
        return await self._view(caller, found), False

    async def group(
        self, caller: ObjectId, wanted: GroupWanted, follow: Follow = nothing
    ) -> ConversationView:
        """A new group with the caller as its admin, and the others in it.

        ``follow`` comes after its announcement. Raises `Invalid` naming unknown members,
        `Forbidden` (`blocked`).
        """
        others = [each for each in dict.fromkeys(wanted.member_ids) if each != caller]
        if not others:
            raise Invalid.field("memberIds", "must name somebody besides yourself")
        await self.require_users(others)
        await self.refuse_blocked(caller, others)
        now = self._clock.now()
        members = [Member(user=caller, role="admin", joined_at=now)]
        members += [Member(user=each, role="member", joined_at=now) for each in others]
        made = Conversation(
            id=new_id(), type="group", name=wanted.name, members=members, created_at=now
        )
        return await self._make(caller, made, follow)

    async def record_message(
        self, conversation_id: ObjectId, message_id: ObjectId, seq: int, at: datetime
    ) -> None:
        """Repeats in the conversation's activity that a message came; safe to say twice."""
        await atomic.update(
            self._engine,
            Activity,
            {"_id": conversation_id, "seq": {"$lt": seq}},
            {"$set": {"seq": seq, "last_message": message_id, "last_at": at}},
        )

    async def add_marks(
        self, conversation_id: ObjectId, user_ids: Collection[ObjectId], seq: int
    ) -> None:
        """Makes sure that each user has a row; what was said up to ``seq`` is none of theirs."""
        await atomic.insert_missing(
            self._engine,
            [
                Watermark(
                    id=new_id(),
                    conversation=conversation_id,
                    user=each,
                    delivered_seq=seq,
                    read_seq=seq,
                )
                for each in user_ids
            ],
        )

    async def require_users(self, wanted: Sequence[ObjectId]) -> None:
        """Raises `Invalid` (``memberIds``) unless all are active users."""
        known = await self._users.existing(wanted)
        unknown = [str(each) for each in wanted if each not in known]
        if unknown:
            raise Invalid.field("memberIds", f"names unknown users: {', '.join(unknown[:5])}")

    async def refuse_blocked(self, caller: ObjectId, others: Sequence[ObjectId]) -> None:
        """Raises `Forbidden` (`blocked`) where the caller and one of the others are at odds."""
        if await self._users.blocks.related(caller, others):
            raise Forbidden("One of you has blocked the other.", code=Code.BLOCKED)

    async def _make(
        self, caller: ObjectId, conversation: Conversation, follow: Follow = nothing
    ) -> ConversationView:
        # What hangs on it first: without a conversation that is seen by nobody, while one
        # without it would be half there. The conversation's insert is what makes all of it real.
        users = [member.user for member in conversation.members]
        async with AsyncExitStack() as turn:
            await turn.enter_async_context(self.turn(conversation.id))
            await atomic.insert(
                self._engine, Activity(id=conversation.id, last_at=conversation.created_at)
            )
            await self.add_marks(conversation.id, users, 0)
            work = partial(self._see_made, caller, conversation, follow)
            made = self.errands.begin(work, turn.pop_all())
        return await made

    async def _see_made(
        self, caller: ObjectId, conversation: Conversation, follow: Follow, errand: Errand
    ) -> ConversationView:
        """Inserts a conversation and announces it, whether its caller waits for that or not.

        Where the answer to the insert is lost, the database is asked for it when it is back.
        """

        async def stored() -> Conversation | None:
            return await self._engine.find_one(Conversation, Conversation.id == conversation.id)

        try:
            await errand.once(lambda: atomic.insert(self._engine, conversation))
        except Unavailable as error:
            if await errand.look(error, stored) is None:
                raise
        (view,) = await errand.surely(lambda: self._views.build(caller, [conversation]))
        users = [member.user for member in conversation.members]
        self._announcer.publish(ConversationCreated(view), users)
        await follow(conversation, errand)
        return view

    async def _load_roster(self, conversation_id: ObjectId) -> Roster:
        found = await self._engine.find_one(Conversation, Conversation.id == conversation_id)
        if found is None:
            raise NotFound
        return roster_of(found)

    async def _view(self, caller: ObjectId, conversation: Conversation) -> ConversationView:
        (view,) = await self._views.build(caller, [conversation])
        return view
