"""Who is writing: told to the others, and over by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta

from bson import ObjectId

from chatme.conversations.events import UserStoppedTyping, UserTyping
from chatme.conversations.models import Roster
from chatme.conversations.service import ConversationService
from chatme.conversations.wire import MemberNamed
from chatme.errors import NotFound, Unavailable
from chatme.ports import Announcer, Lifeline
from chatme.storage.engine import DatabaseError
from chatme.users.service import UserService

TYPING_LASTS = timedelta(seconds=6)


class TypingService:
    """Lives as long as the app; holds a timer for each that is writing; close it."""

    def __init__(
        self,
        conversations: ConversationService,
        users: UserService,
        lifeline: Lifeline,
        announcer: Announcer,
        lasts: timedelta = TYPING_LASTS,
    ) -> None:
        self._conversations = conversations
        self._users = users
        self._lifeline = lifeline
        self._announcer = announcer
        self._lasts = lasts
        self._timers: dict[tuple[ObjectId, ObjectId], asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        """Cancels what runs; nobody listens any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def start(self, user_id: ObjectId, conversation_id: ObjectId) -> None:
        """The user writes, for 6 s from now; who writes on is announced once.

        Raises `NotFound`.
        """
        roster = await self._conversations.roster(conversation_id, user_id)
        others = await self._others(roster, user_id)
        key = (conversation_id, user_id)
        running = self._timers.pop(key, None)
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(self._lasts.total_seconds(), self._expire, key)
        if running is None:
            named = MemberNamed(conversation_id=conversation_id, user_id=user_id)
            self._announcer.publish(UserTyping(named), others)
        else:
            running.cancel()

    async def stop(self, user_id: ObjectId, conversation_id: ObjectId) -> None:
        """The user writes no more; told only where it was told that they did. Raises `NotFound`."""
        roster = await self._conversations.roster(conversation_id, user_id)
        timer = self._timers.pop((conversation_id, user_id), None)
        if timer is not None:
            timer.cancel()
            named = MemberNamed(conversation_id=conversation_id, user_id=user_id)
            others = await self._others(roster, user_id)
            self._announcer.publish(UserStoppedTyping(named), others)

    def _expire(self, key: tuple[ObjectId, ObjectId]) -> None:
        conversation_id, user_id = key
        task = asyncio.create_task(self._stop_quietly(user_id, conversation_id))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _stop_quietly(self, user_id: ObjectId, conversation_id: ObjectId) -> None:
        try:
            async with self._lifeline.guard():
                await self.stop(user_id, conversation_id)
        except (NotFound, DatabaseError, Unavailable):
            # They have left meanwhile, or nobody knows who is left to be told.
            self._timers.pop((conversation_id, user_id), None)

    async def _others(self, roster: Roster, user_id: ObjectId) -> Collection[ObjectId]:
        """Who may know: the other members, without those at odds with the user."""
        blocks = self._users.blocks
        return (
            roster.user_ids
            - {user_id}
            - await blocks.blockers_of(user_id)
            - await blocks.blocked_by(user_id)
        )
