"""Changes of groups: each one atomic write under a version, and what follows from it.

Members and roles are in one document: who reads, decides and writes too late reads again. The
conversation's turn is held from the write to the last announcement, so that no message in between
reaches who is gone. Once it is written all that follows comes about, whether its caller waits for
that or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from bson import ObjectId
from odmantic import AIOEngine

from chatme.conversations.models import Conversation
from chatme.conversations.service import ConversationService, Follow, nothing
from chatme.errors import Forbidden, NotFound, Unavailable
from chatme.storage import atomic
from chatme.storage.errands import Errand

ATTEMPTS = 20

Decision = Callable[[Conversation], dict[str, object]]
Preparation = Callable[[Conversation], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a group as it stands, what follows, and what comes before each write."""

    decide: Decision
    follow: Follow
    about_to: Preparation = nothing


class GroupChanges:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, conversations: ConversationService) -> None:
        self._engine = engine
        self._conversations = conversations

    async def visible(self, caller: ObjectId, conversation_id: ObjectId) -> Conversation:
        """A group of the caller's; raises `NotFound`, `Forbidden` where it is no group."""
        found = await self._engine.find_one(Conversation, Conversation.id == conversation_id)
        if found is None or all(member.user != caller for member in found.members):
            raise NotFound
        if found.type == "direct":
            raise Forbidden("This is no group.")
        return found

    async def make(
        self, caller: ObjectId, conversation_id: ObjectId, change: Change
    ) -> Conversation:
        """Waits for the conversation's turn and changes it; the group as it then stands."""
        async with AsyncExitStack() as turn:
            await turn.enter_async_context(self._conversations.turn(conversation_id))
            made = self.begin(caller, conversation_id, change, turn.pop_all())
        return await made

    def begin(
        self,
        caller: ObjectId,
        conversation_id: ObjectId,
        change: Change,
        turn: AsyncExitStack,
    ) -> asyncio.Future[Conversation]:
        """As `make`, inside a turn that is held already."""
        work = partial(self.see_through, caller, conversation_id, change)
        return self._conversations.errands.begin(work, turn)

    async def see_through(
        self, caller: ObjectId, conversation_id: ObjectId, change: Change, errand: Errand
    ) -> Conversation:
        """Makes a change on an errand that holds the turn, and what follows from it."""
        try:
            after = await self._write(caller, conversation_id, change, errand)
        finally:
            self._conversations.forget(conversation_id)
        await change.follow(after, errand)
        return after

    async def _write(
        self, caller: ObjectId, conversation_id: ObjectId, change: Change, errand: Errand
    ) -> Conversation:
        """Reads, decides and writes until nobody wrote in between.

        Where the answer to a write is lost, the database is asked for it when it is back.
        """
        version, fields = 0, dict[str, object]()

        async def write() -> Conversation:
            nonlocal version, fields
            for _ in range(ATTEMPTS):
                fields = {}
                found = await self.visible(caller, conversation_id)
                decided = change.decide(found)
                await change.about_to(found)
                version, fields = found.version, _stored(found, decided)
                after = await self._replace(conversation_id, version, fields)
                if after is not None:
                    return after
            fields = {}
            raise Unavailable(retry_after=1)

        async def written() -> Conversation | None:
            now = await self._engine.find_one(Conversation, Conversation.id == conversation_id)
            if now is None or now.version == version:
                return None
            return now if fields == now.model_dump_doc(include=set(fields)) else None

        try:
            return await errand.once(write)
        except Unavailable as error:
            after = await errand.look(error, written) if fields else None
            if after is None:
                raise
            return after

    async def _replace(
        self, conversation_id: ObjectId, version: int, fields: dict[str, object]
    ) -> Conversation | None:
        return await atomic.update_and_get(
            self._engine,
            Conversation,
            {"_id": conversation_id, "version": version},
            {"$set": {**fields, "version": version + 1}},
        )


def _stored(found: Conversation, fields: dict[str, object]) -> dict[str, object]:
    """Decided fields as the database keeps them."""
    decided = found.model_copy(update=fields)
    return dict(decided.model_dump_doc(include=set(fields)))
