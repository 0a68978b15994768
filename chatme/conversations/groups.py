"""The rules for groups: who comes, who goes, who decides; see `changes` for how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Literal

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import Clock, new_id
from chatme.conversations.changes import Change, Decision, GroupChanges, Preparation
from chatme.conversations.events import (
    ConversationCreated,
    ConversationRemoved,
    ConversationUpdated,
    MemberAdded,
    MemberRemoved,
)
from chatme.conversations.models import Conversation, Member
from chatme.conversations.service import ConversationService, nothing
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
from chatme.errors import Code, Conflict, Forbidden, Invalid, NotFound
from chatme.ports import Tellers
from chatme.storage.errands import Errand
from chatme.users.service import UserService


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
        self._clock = clock
        self._users = users
        self._conversations = conversations
        self._changes = GroupChanges(engine, conversations)
        self._views = views
        self._facts = facts
        self._tellers = tellers

    async def make(self, caller: ObjectId, wanted: GroupWanted) -> ConversationView:
        """A new group with the caller as its admin; see `ConversationService.group`."""
        whole = True

        async def follow(made: Conversation, errand: Errand) -> None:
            nonlocal whole
            others = [member.user for member in made.members if member.user != caller]
            whole = await self._welcome(caller, made, others, errand)

        view = await self._conversations.group(caller, wanted, follow)
        return view if whole else await self._view_again(caller, view.id)

    async def add(
        self, caller: ObjectId, conversation_id: ObjectId, wanted: Sequence[ObjectId]
    ) -> ConversationView:
        """Adds members; those who are in it already stay as they are.

        Raises `NotFound`, `Forbidden` for who is no admin or at odds with a new member, `Invalid`
        for unknown users and over 1,024 members.
        """
        now, whole = self._clock.now(), True
        async with AsyncExitStack() as turn:
            await turn.enter_async_context(self._conversations.turn(conversation_id))
            found = await self._changes.visible(caller, conversation_id)
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

            async def follow(after: Conversation, errand: Errand) -> None:
                nonlocal whole
                await errand.surely(lambda: self._announce_added(after, fresh))
                whole = await self._welcome(caller, after, fresh, errand)

            change = Change(with_them, follow)
            made = self._changes.begin(caller, conversation_id, change, turn.pop_all())
        after = await made
        if not whole:
            return await self._view_again(caller, conversation_id)
        return await self._view(caller, after)

    async def remove(self, caller: ObjectId, conversation_id: ObjectId, user_id: ObjectId) -> None:
        """Takes a member out: an admin anybody, everybody themselves.

        When the last admin goes, the longest-standing member becomes admin. Raises `NotFound`,
        `Forbidden`.
        """

        await self._changes.make(caller, conversation_id, self._removal(caller, user_id))

    async def leave_all(self, user_id: ObjectId) -> None:
        """Takes a user who is no more out of every group. Safe to repeat."""
        for conversation_id in await self._conversations.ids_of(user_id):
            try:
                await self.remove(user_id, conversation_id, user_id)
            except (NotFound, Forbidden):
                continue  # gone meanwhile, or a direct conversation, which stays

    def _removal(self, caller: ObjectId, user_id: ObjectId) -> Change:
        admins = set[ObjectId]()

        def without_them(conversation: Conversation) -> dict[str, object]:
            nonlocal admins
            if user_id != caller:
                _require_admin(conversation, caller)
            admins = _admins(conversation)
            return {"members": _without(conversation, user_id)}

        async def follow(after: Conversation, errand: Errand) -> None:
            self._announce_removed(after, user_id)
            if _admins(after) - admins:
                await errand.surely(lambda: self._announce_updated(after))
            if user_id != caller:
                await self._notify("group_removed", after, caller, [user_id], errand)

        return Change(without_them, follow)

    async def _welcome(
        self, caller: ObjectId, group: Conversation, users: Sequence[ObjectId], errand: Errand
    ) -> bool:
        """Notifies who was added; whether all of them stay.

        Who was erased or shut out meanwhile is taken out again: an erasure first marks the user
        and then leaves their groups, so it either sees the new membership, or is seen by this look
        after the write.
        """
        here = await errand.surely(lambda: self._users.existing(users))
        gone = [each for each in users if each not in here]
        for each in gone:
            removal = self._removal(each, each)
            leave = partial(self._changes.see_through, each, group.id, removal, errand)
            with suppress(NotFound):
                await errand.patiently(leave)
        stay = [each for each in users if each in here]
        await self._notify("group_added", group, caller, stay, errand)
        return not gone

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
        about_to: Preparation = nothing,
    ) -> ConversationView:
        """Changes a group as an admin of it may, and tells its members.

        ``about_to`` is awaited before each write with the group as it then stands. Raises
        `NotFound`, `Forbidden`.
        """

        def decided(conversation: Conversation) -> dict[str, object]:
            _require_admin(conversation, caller)
            return decide(conversation)

        async def follow(after: Conversation, errand: Errand) -> None:
            await errand.surely(lambda: self._announce_updated(after))

        change = Change(decided, follow, about_to)
        return await self._view(caller, await self._changes.make(caller, conversation_id, change))

    async def as_admin(self, caller: ObjectId, conversation_id: ObjectId) -> Conversation:
        """The group, for an admin of it; raises `NotFound`, `Forbidden`."""
        found = await self._changes.visible(caller, conversation_id)
        _require_admin(found, caller)
        return found

    async def _announce_added(self, after: Conversation, fresh: Sequence[ObjectId]) -> None:
        """All is read before anything is told, so that this is safe to repeat where it was cut."""
        everybody = [member.user for member in after.members]
        users = await self._users.views(fresh)
        here = self._tellers.presence.connected(fresh)
        views = await self._views.build_each(here, after)
        for each in fresh:
            data = MemberAddedData(conversation_id=after.id, user=users[each], role="member")
            self._tellers.announcer.publish(MemberAdded(data), everybody)
        for viewer, view in views.items():
            self._tellers.announcer.publish(ConversationCreated(view), [viewer])

    def _announce_removed(self, after: Conversation, user_id: ObjectId) -> None:
        gone = MemberNamed(conversation_id=after.id, user_id=user_id)
        rest = [member.user for member in after.members]
        self._tellers.announcer.publish(MemberRemoved(gone), rest)
        named = ConversationNamed(conversation_id=after.id)
        self._tellers.announcer.publish(ConversationRemoved(named), [user_id])

    async def _announce_updated(self, after: Conversation) -> None:
        here = self._tellers.presence.connected([member.user for member in after.members])
        for viewer, view in (await self._views.build_each(here, after)).items():
            self._tellers.announcer.publish(ConversationUpdated(view), [viewer])

    async def _notify(
        self,
        kind: Literal["group_added", "group_removed"],
        group: Conversation,
        caller: ObjectId,
        users: Sequence[ObjectId],
        errand: Errand,
    ) -> None:
        by = await errand.surely(lambda: self._users.view(caller))
        told = {user: new_id() for user in users}
        await errand.surely(
            lambda: self._tellers.notifier.group_changed(
                type=kind,
                conversation_id=group.id,
                name=group.name or "",
                by_id=caller,
                by_name=by.display_name,
                users=told,
            )
        )

    async def _view_again(self, caller: ObjectId, conversation_id: ObjectId) -> ConversationView:
        return await self._view(caller, await self._changes.visible(caller, conversation_id))

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
