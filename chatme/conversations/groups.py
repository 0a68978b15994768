"""The rules for groups: who comes, who goes, who decides.

Members and roles are in one document, so every change is one atomic write under a version: who
reads, decides and writes too late reads again. The conversation's turn is held from the write to
the last announcement, so that no message in between reaches who is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Literal

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import Clock
from chatme.conversations.events import (
    ConversationCreated,
    ConversationRemoved,
    ConversationUpdated,
    MemberAdded,
    MemberRemoved,
)
from chatme.conversations.models import Conversation, Member
from chatme.conversations.service import ConversationService
from chatme.conversations.views import ConversationViews, MessageFacts
from chatme.conversations.wire import (
    MAX_MEMBERS,
    ConversationNamed,
    ConversationView,
    GroupWanted,
    MemberAddedData,
    MemberNamed,
    Role,
)
from chatme.errors import Code, Conflict, Forbidden, Invalid, NotFound, Unavailable
from chatme.ports import Tellers
from chatme.storage import atomic
from chatme.users.service import UserService

ATTEMPTS = 20

Decision = Callable[[Conversation], dict[str, object]]
Preparation = Callable[[Conversation], Awaitable[None]]


class GroupService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(
        self,
        engine: AIOEngine,
        clock: Clock,
        users: UserService,
        conversations: ConversationService,
        views: ConversationViews,
        facts: MessageFacts,
        tellers: Tellers,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._users = users
        self._conversations = conversations
        self._views = views
        self._facts = facts
        self._tellers = tellers

    async def make(self, caller: ObjectId, wanted: GroupWanted) -> ConversationView:
        """A new group with the caller as its admin; see `ConversationService.group`."""
        view, others = await self._conversations.group(caller, wanted)
        stay = await self._without_gone(view.id, others)
        await self._notify("group_added", view.id, view.name, caller, stay)
        if stay == others:
            return view
        return await self._view(caller, await self._visible(caller, view.id))

    async def add(
        self, caller: ObjectId, conversation_id: ObjectId, wanted: Sequence[ObjectId]
    ) -> ConversationView:
        """Adds members; those who are in it already stay as they are.

        Raises `NotFound`, `Forbidden` for who is no admin or at odds with a new member, `Invalid`
        for unknown users and over 1,024 members.
        """
        now = self._clock.now()
        async with self._conversations.turn(conversation_id):
            found = await self._visible(caller, conversation_id)
            _require_admin(found, caller)
            present = {member.user for member in found.members}
            fresh = [each for each in dict.fromkeys(wanted) if each not in present]
            if not fresh:
                return await self._view(caller, found)
            await self._conversations.require_users(fresh)
            await self._conversations.refuse_blocked(caller, fresh)
            last, _ = (await self._facts.tails([conversation_id]))[conversation_id]
            await self._conversations.add_marks(conversation_id, fresh, last)

            def with_them(conversation: Conversation) -> dict[str, object]:
                _require_admin(conversation, caller)
                here = {member.user for member in conversation.members}
                joined = [
                    Member(user=each, role="member", joined_at=now, joined_seq=last)
                    for each in fresh
                    if each not in here
                ]
                members = [*conversation.members, *joined]
                if len(members) > MAX_MEMBERS:
                    raise Invalid.field("memberIds", f"a group has at most {MAX_MEMBERS} members")
                return {"members": members}

            after = await self._change(caller, conversation_id, with_them)
            await self._announce_added(after, fresh)
        stay = await self._without_gone(after.id, fresh)
        await self._notify("group_added", after.id, after.name, caller, stay)
        if stay != fresh:
            after = await self._visible(caller, conversation_id)
        return await self._view(caller, after)

    async def remove(self, caller: ObjectId, conversation_id: ObjectId, user_id: ObjectId) -> None:
        """Takes a member out: an admin anybody, everybody themselves.

        When the last admin goes, the longest-standing member becomes admin. Raises `NotFound`,
        `Forbidden`.
        """

        def without_them(conversation: Conversation) -> dict[str, object]:
            if user_id != caller:
                _require_admin(conversation, caller)
            return {"members": _without(conversation, user_id)}

        async with self._conversations.turn(conversation_id):
            before = await self._visible(caller, conversation_id)
            after = await self._change(caller, conversation_id, without_them)
            announcer = self._tellers.announcer
            rest = [member.user for member in after.members]
            gone = MemberNamed(conversation_id=conversation_id, user_id=user_id)
            announcer.publish(MemberRemoved(gone), rest)
            named = ConversationNamed(conversation_id=conversation_id)
            announcer.publish(ConversationRemoved(named), [user_id])
            if _admins(after) - _admins(before):
                await self._announce_updated(after)
        if user_id != caller:
            await self._notify("group_removed", after.id, after.name, caller, [user_id])

    async def leave_all(self, user_id: ObjectId) -> None:
        """Takes a user who is no more out of every group. Safe to repeat."""
        for conversation_id in await self._conversations.ids_of(user_id):
            try:
                await self.remove(user_id, conversation_id, user_id)
            except (NotFound, Forbidden):
                continue  # gone meanwhile, or a direct conversation, which stays

    async def _without_gone(
        self, conversation_id: ObjectId, users: Sequence[ObjectId]
    ) -> list[ObjectId]:
        """Takes out again who was erased or shut out while they were being added; who stays.

        An erasure first marks the user and then leaves their groups: it either sees the new
        membership, or is seen by this look after the write.
        """
        here = await self._users.existing(users)
        for each in users:
            if each not in here:
                with suppress(NotFound):
                    await self.remove(each, conversation_id, each)
        return [each for each in users if each in here]

    async def rename(
        self, caller: ObjectId, conversation_id: ObjectId, name: str | None
    ) -> ConversationView:
        """Gives a group another name; raises `NotFound`, `Forbidden`."""

        def renamed(conversation: Conversation) -> dict[str, object]:
            return {"name": conversation.name if name is None else name}

        return await self.update(caller, conversation_id, renamed)

    async def set_role(
        self, caller: ObjectId, conversation_id: ObjectId, user_id: ObjectId, role: Role
    ) -> ConversationView:
        """Makes a member an admin, or an admin a member.

        Raises `NotFound`, `Forbidden`, and `Conflict` (`last_admin`): a group keeps one.
        """

        def with_role(conversation: Conversation) -> dict[str, object]:
            members = [member.model_copy() for member in conversation.members]
            target = next((member for member in members if member.user == user_id), None)
            if target is None:
                raise NotFound
            target.role = role
            if all(member.role != "admin" for member in members):
                raise Conflict("A group keeps at least one admin.", code=Code.LAST_ADMIN)
            return {"members": members}

        return await self.update(caller, conversation_id, with_role)

    async def update(
        self,
        caller: ObjectId,
        conversation_id: ObjectId,
        decide: Decision,
        about_to: Preparation | None = None,
    ) -> ConversationView:
        """Changes a group as an admin of it may, and tells its members.

        ``about_to`` is awaited before each write with the group as it then stands. Raises
        `NotFound`, `Forbidden`.
        """

        def decided(conversation: Conversation) -> dict[str, object]:
            _require_admin(conversation, caller)
            return decide(conversation)

        async with self._conversations.turn(conversation_id):
            after = await self._change(caller, conversation_id, decided, about_to)
            await self._announce_updated(after)
        return await self._view(caller, after)

    async def as_admin(self, caller: ObjectId, conversation_id: ObjectId) -> Conversation:
        """The group, for an admin of it; raises `NotFound`, `Forbidden`."""
        found = await self._visible(caller, conversation_id)
        _require_admin(found, caller)
        return found

    async def _change(
        self,
        caller: ObjectId,
        conversation_id: ObjectId,
        decide: Decision,
        about_to: Preparation | None = None,
    ) -> Conversation:
        """Reads, decides and writes until nobody wrote in between."""
        for _ in range(ATTEMPTS):
            found = await self._visible(caller, conversation_id)
            fields = decide(found)
            if about_to is not None:
                await about_to(found)
            if "members" in fields:
                members = fields["members"]
                assert isinstance(members, list)  # noqa: S101 -- for the type checker
                fields["members"] = [member.model_dump_doc() for member in members]
            after = await atomic.update_and_get(
                self._engine,
                Conversation,
                {"_id": conversation_id, "version": found.version},
                {"$set": {**fields, "version": found.version + 1}},
            )
            if after is not None:
                self._conversations.forget(conversation_id)
                return after
        raise Unavailable(retry_after=1)

    async def _visible(self, caller: ObjectId, conversation_id: ObjectId) -> Conversation:
        found = await self._engine.find_one(Conversation, Conversation.id == conversation_id)
        if found is None or all(member.user != caller for member in found.members):
            raise NotFound
        if found.type == "direct":
            raise Forbidden("This is no group.")
        return found

    async def _announce_added(self, after: Conversation, fresh: Sequence[ObjectId]) -> None:
        everybody = [member.user for member in after.members]
        views = await self._users.views(fresh)
        for each in fresh:
            data = MemberAddedData(conversation_id=after.id, user=views[each], role="member")
            self._tellers.announcer.publish(MemberAdded(data), everybody)
        here = self._tellers.presence.connected(fresh)
        for viewer, view in (await self._views.build_each(here, after)).items():
            self._tellers.announcer.publish(ConversationCreated(view), [viewer])

    async def _announce_updated(self, after: Conversation) -> None:
        here = self._tellers.presence.connected([member.user for member in after.members])
        for viewer, view in (await self._views.build_each(here, after)).items():
            self._tellers.announcer.publish(ConversationUpdated(view), [viewer])

    async def _notify(
        self,
        kind: Literal["group_added", "group_removed"],
        conversation_id: ObjectId,
        name: str | None,
        caller: ObjectId,
        users: Sequence[ObjectId],
    ) -> None:
        by = await self._users.view(caller)
        await self._tellers.notifier.group_changed(
            type=kind,
            conversation_id=conversation_id,
            name=name or "",
            by_id=caller,
            by_name=by.display_name,
            users=users,
        )

    async def _view(self, caller: ObjectId, conversation: Conversation) -> ConversationView:
        (view,) = await self._views.build(caller, [conversation])
        return view


def _admins(conversation: Conversation) -> set[ObjectId]:
    return {member.user for member in conversation.members if member.role == "admin"}


def _require_admin(conversation: Conversation, user_id: ObjectId) -> None:
    if user_id not in _admins(conversation):
        raise Forbidden("Only an admin of the group may do this.")


def _without(conversation: Conversation, user_id: ObjectId) -> list[Member]:
    """The members without one; the first of them is admin where nobody else is."""
    rest = [member.model_copy() for member in conversation.members if member.user != user_id]
    if len(rest) == len(conversation.members):
        raise NotFound
    if rest and all(member.role != "admin" for member in rest):
        rest[0].role = "admin"
    return rest
