"""Which conversations a user sees, and in what order; deleting one for oneself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import desc
from pydantic import Field, TypeAdapter

from chatme.clock import from_epoch, to_epoch
from chatme.conversations.events import ConversationRemoved
from chatme.conversations.models import Activity, Conversation, Watermark
from chatme.conversations.service import ConversationService
from chatme.conversations.views import ConversationViews, MessageFacts
from chatme.conversations.wire import (
    MAX_MEMBERS,
    ConversationNamed,
    ConversationPage,
    ConversationView,
    MemberPage,
    NameQuery,
    PageQuery,
)
from chatme.errors import NotFound
from chatme.http.paging import decode_cursor, encode_cursor
from chatme.ports import Announcer, Notifier
from chatme.shapes import Id
from chatme.storage import atomic
from chatme.users.service import UserService

_LAST_MILLISECOND = 253402300799999  # of the year 9999, where datetime ends
_LIST_CURSOR = TypeAdapter(tuple[Annotated[int, Field(ge=0, le=_LAST_MILLISECOND)], Id])
_MEMBER_CURSOR = TypeAdapter(tuple[Annotated[int, Field(ge=0, le=MAX_MEMBERS)]])


class ListingService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(
        self,
        engine: AIOEngine,
        conversations: ConversationService,
        views: ConversationViews,
        facts: MessageFacts,
        users: UserService,
        announcer: Announcer,
        notifier: Notifier,
    ) -> None:
        self._engine = engine
        self._conversations = conversations
        self._views = views
        self._facts = facts
        self._users = users
        self._announcer = announcer
        self._notifier = notifier

    async def one(self, caller: ObjectId, conversation_id: ObjectId) -> ConversationView:
        """One conversation of the caller's; raises `NotFound`."""
        (view,) = await self._views.build(caller, [await self._visible(conversation_id, caller)])
        return view

    async def page(self, caller: ObjectId, query: PageQuery) -> ConversationPage:
        """The caller's conversations, newest activity first."""
        return await self._page_of(caller, await self._listed(caller), query)

    async def search(self, caller: ObjectId, query: NameQuery) -> ConversationPage:
        """The caller's conversations whose name holds the text, newest activity first.

        A group goes by its name, a direct conversation by the other's display name. Under two
        characters none is found.
        """
        folded = query.q.casefold()
        if len(folded) < 2:
            return await self._page_of(caller, [], query)
        listed = await self._listed(caller)
        rows = await atomic.project(
            self._engine,
            Conversation,
            {"_id": {"$in": listed}},
            ["type", "name", "members.user"],
        )
        partners = {
            member["user"] for row in rows if row["type"] == "direct" for member in row["members"]
        }
        names = await self._users.known_views(partners - {caller})

        def name_of(row: dict[str, Any]) -> str:
            if row["type"] == "group":
                return str(row["name"])
            others = [names.get(member["user"]) for member in row["members"]]
            return "".join(other.display_name for other in others if other is not None)

        found = [row["_id"] for row in rows if folded in name_of(row).casefold()]
        return await self._page_of(caller, found, query)

    async def members(
        self, caller: ObjectId, conversation_id: ObjectId, query: PageQuery
    ) -> MemberPage:
        """The members of a conversation, longest-standing first; raises `NotFound`."""
        conversation = await self._visible(conversation_id, caller)
        start = 0
        if query.cursor is not None:
            (start,) = decode_cursor(query.cursor, _MEMBER_CURSOR)
        stop = start + query.limit
        more = stop < len(conversation.members)
        return MemberPage(
            items=await self._views.members(conversation, start, stop),
            next=encode_cursor([stop]) if more else None,
        )

    async def clear(self, caller: ObjectId, conversation_id: ObjectId) -> None:
        """Deletes a conversation for the caller alone; raises `NotFound`.

        What was said up to now is never shown to them again, and counts as read by nobody: the
        receipts stay as they are. It comes back with the next message.
        """
        async with self._conversations.turn(conversation_id):
            await self._conversations.roster(conversation_id, caller)
            tails = await self._facts.tails([conversation_id])
            await atomic.upsert(
                self._engine,
                Watermark,
                {"conversation": conversation_id, "user": caller},
                {"$max": {"cleared_seq": tails[conversation_id][0]}},
            )
            named = ConversationNamed(conversation_id=conversation_id)
            self._announcer.publish(ConversationRemoved(named), [caller])
        await self._notifier.conversation_cleared(caller, conversation_id)

    async def _page_of(
        self, caller: ObjectId, ids: Sequence[ObjectId], query: PageQuery
    ) -> ConversationPage:
        conditions: dict[str, object] = {"_id": {"$in": list(ids)}}
        if query.cursor is not None:
            milliseconds, last_id = decode_cursor(query.cursor, _LIST_CURSOR)
            moment = from_epoch(milliseconds / 1000)
            conditions["$or"] = [
                {"last_at": {"$lt": moment}},
                {"last_at": moment, "_id": {"$lt": last_id}},
            ]
        activities = await self._engine.find(
            Activity,
            conditions,
            sort=(desc(Activity.last_at), desc(Activity.id)),
            limit=query.limit + 1,
        )
        shown = activities[: query.limit]
        items = await self._ordered(caller, [activity.id for activity in shown])
        more = len(activities) > query.limit
        return ConversationPage(items=items, next=_list_cursor(shown[-1]) if more else None)

    async def _visible(self, conversation_id: ObjectId, user_id: ObjectId) -> Conversation:
        found = await self._engine.find_one(Conversation, Conversation.id == conversation_id)
        if found is None or all(member.user != user_id for member in found.members):
            raise NotFound
        return found

    async def _listed(self, caller: ObjectId) -> list[ObjectId]:
        """The ids of the caller's conversations, without those deleted since their last message."""
        found = await self._conversations.ids_of(caller)
        rows = await atomic.project(
            self._engine,
            Watermark,
            {"user": caller, "cleared_seq": {"$gte": 0}},
            ["conversation", "cleared_seq", "withheld"],
        )
        cleared = {row["conversation"]: row for row in rows}
        hidden: set[ObjectId] = set()
        if cleared:
            activities = await self._engine.find(Activity, {"_id": {"$in": list(cleared)}})
            hidden = {each.id for each in activities if each.seq <= cleared[each.id]["cleared_seq"]}
            # Messages of somebody whom the caller blocked bring nothing back.
            doubtful = [each for each in cleared.keys() - hidden if cleared[each].get("withheld")]
            views = await self._ordered(caller, doubtful)
            hidden |= {view.id for view in views if view.last_message is None}
        return [each for each in found if each not in hidden]

    async def _ordered(self, caller: ObjectId, ids: Sequence[ObjectId]) -> list[ConversationView]:
        if not ids:
            return []
        found = await self._engine.find(Conversation, {"_id": {"$in": list(ids)}})
        place = {each: at for at, each in enumerate(ids)}
        found.sort(key=lambda conversation: place[conversation.id])
        return await self._views.build(caller, found)


def _list_cursor(activity: Activity) -> str:
    return encode_cursor([round(to_epoch(activity.last_at) * 1000), str(activity.id)])
