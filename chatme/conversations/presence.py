"""Who is here, told to those who may know."""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import Clock
from chatme.conversations.events import UserOffline, UserOnline
from chatme.conversations.models import Conversation
from chatme.conversations.service import ConversationService
from chatme.conversations.wire import PresenceView, UserNamed, WentOffline
from chatme.errors import NotFound
from chatme.ports import Event, OnlineBook, Tellers
from chatme.storage import atomic
from chatme.users.service import UserService


class PresenceService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(
        self,
        engine: AIOEngine,
        clock: Clock,
        users: UserService,
        conversations: ConversationService,
        tellers: Tellers,
        online: OnlineBook,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._users = users
        self._conversations = conversations
        self._tellers = tellers
        self._online = online

    async def came(self, user_id: ObjectId) -> None:
        """A user is here after having been away."""
        await self._users.saw(user_id, self._clock.now())
        await self._tell(user_id, UserOnline(UserNamed(user_id=user_id)))

    async def went(self, user_id: ObjectId, at: datetime) -> None:
        """A user is away, since some seconds ago."""
        await self._users.saw(user_id, at)
        await self._tell(user_id, UserOffline(WentOffline(user_id=user_id, last_seen_at=at)))

    async def view(self, caller: ObjectId, user_id: ObjectId) -> PresenceView:
        """Whether a user is here, as the caller may know it; raises `NotFound` for nobody.

        It is hidden from who shares no conversation with them, and from whom they blocked.
        """
        user = await self._users.by_id(user_id)
        if user is None:
            raise NotFound
        if caller != user_id:
            hidden = caller in await self._users.blocks.blocked_by(user_id)
            if hidden or not await self._share(caller, user_id):
                return PresenceView(is_online=False, last_seen_at=None)
        return PresenceView(
            is_online=self._online.is_online(user_id), last_seen_at=user.last_seen_at
        )

    async def _share(self, one: ObjectId, other: ObjectId) -> bool:
        both = {"members.user": {"$all": [one, other]}}
        return bool(await atomic.project(self._engine, Conversation, both, ["_id"], limit=1))

    async def _tell(self, user_id: ObjectId, event: Event) -> None:
        """To the partners of direct conversations, and to sockets that have a group open."""
        blocks = self._users.blocks
        hidden = await blocks.blockers_of(user_id) | await blocks.blocked_by(user_id) | {user_id}
        direct = await atomic.project(
            self._engine,
            Conversation,
            {"members.user": user_id, "type": "direct"},
            ["members.user"],
        )
        partners = {member["user"] for each in direct for member in each["members"]} - hidden
        announcer = self._tellers.announcer
        announcer.publish(event, partners)
        shown = self._tellers.presence.on_screens()
        groups = shown & set(await self._conversations.ids_of(user_id)) if shown else set()
        for group_id in groups:
            try:
                roster = await self._conversations.roster(group_id, user_id)
            except NotFound:
                continue  # they have left it meanwhile
            if not roster.direct:
                announcer.publish(event, roster.user_ids - hidden - partners, only_in=group_id)
