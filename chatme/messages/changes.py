"""The rules for what happens to a message after it was sent: edits, deletion, reactions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import Clock, new_id
from chatme.conversations.models import Roster
from chatme.conversations.service import ConversationService
from chatme.errors import Forbidden, NotFound, Unavailable
from chatme.messages.events import (
    MessageDeleted,
    MessageEdited,
    ReactionAdded,
    ReactionRemoved,
)
from chatme.messages.hidden import hidden_from
from chatme.messages.log import Decision, MessageLog
from chatme.messages.models import Message
from chatme.messages.service import MessageService
from chatme.messages.views import MessageViews, receipt_statuses
from chatme.messages.wire import (
    DeletedData,
    EditedData,
    MessageNamed,
    MessageView,
    ReactionData,
    Receipt,
)
from chatme.ports import Event, Tellers
from chatme.storage.errands import Errand
from chatme.users.service import UserService


async def _nothing(*_: object) -> None:
    """Nothing else."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of a message, the event that tells of it, and what comes before and after."""

    decide: Decision
    event: Callable[[Message], Event]
    follow: Callable[[Message, frozenset[ObjectId]], Awaitable[None]] = _nothing
    prepare: Callable[[Roster], Awaitable[None]] = _nothing


class ChangeService:
    """Lives as long as the app; holds no state of its own.

    A change happens inside the conversation's turn: it is written, then announced to all members
    but those who block whoever made it and those whom the message is hidden from.
    """

    def __init__(
        self,
        engine: AIOEngine,
        clock: Clock,
        users: UserService,
        conversations: ConversationService,
        messages: MessageService,
        log: MessageLog,
        views: MessageViews,
        tellers: Tellers,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._users = users
        self._conversations = conversations
        self._messages = messages
        self._log = log
        self._views = views
        self._tellers = tellers

    async def edit(self, caller: ObjectId, named: MessageNamed, content: str) -> MessageView:
        """Gives an own text message other words; raises `NotFound`, `Forbidden`."""
        now = self._clock.now()

        def edited(message: Message) -> Mapping[str, Any]:
            if message.sender != caller or message.type != "text" or message.is_deleted:
                raise Forbidden("Only your own text messages can be edited.")
            return {"content": content, "edited_at": now}

        def event(message: Message) -> Event:
            data = EditedData(
                conversation_id=message.conversation,
                message_id=message.id,
                rev=message.rev,
                content=content,
                edited_at=now,
            )
            return MessageEdited(data)

        async def follow(message: Message, audience: frozenset[ObjectId]) -> None:
            await self._tellers.notifier.message_edited(message.id, message.type, content, audience)

        found = await self.find(caller, named)
        message, roster = await self._change(caller, found, _Change(edited, event, follow))
        return await self._view(caller, message, roster)

    async def delete(self, caller: ObjectId, named: MessageNamed) -> None:
        """Leaves only a tombstone of an own message, or of anybody's for a group's admin.

        Its file goes with it where nothing else shows it. Deleting it again changes nothing.
        Raises `NotFound`, `Forbidden`.
        """

        def event(message: Message) -> Event:
            data = DeletedData(
                conversation_id=message.conversation,
                message_id=message.id,
                rev=message.rev,
                deleted_by=caller,
            )
            return MessageDeleted(data)

        async def follow(message: Message, _: frozenset[ObjectId]) -> None:
            await self._tellers.notifier.message_deleted(message.id)

        async def prepare(roster: Roster) -> None:
            if found.sender != caller and not roster.is_admin(caller):
                raise Forbidden("Only your own messages can be deleted.")
            await self._messages.attachments.loosen(found)

        found = await self.find(caller, named)
        await self._change(caller, found, _Change(_deleted, event, follow, prepare))
        await self._messages.attachments.release(found)

    async def react(self, caller: ObjectId, named: MessageNamed, emoji: str) -> None:
        """Puts the caller's emoji at a message, in place of the one before.

        The same emoji again changes nothing. Raises `NotFound`, `Forbidden` at a tombstone.
        """

        def reacted(message: Message) -> Mapping[str, Any] | None:
            if message.is_deleted:
                raise Forbidden("The message was deleted.")
            if _emoji_of(message, caller) == emoji:
                return None
            return {"reactions": [*_without(message, caller), {"user": caller, "emoji": emoji}]}

        def event(message: Message) -> Event:
            return ReactionAdded(_reaction(message, caller, emoji))

        found = await self.find(caller, named)
        await self._change(caller, found, _Change(reacted, event))

    async def unreact(self, caller: ObjectId, named: MessageNamed) -> None:
        """Takes the caller's emoji away, if there is one; raises `NotFound`."""
        removed = ""

        def unreacted(message: Message) -> Mapping[str, Any] | None:
            nonlocal removed
            emoji = _emoji_of(message, caller)
            removed = emoji or removed
            return {"reactions": _without(message, caller)} if emoji else None

        def event(message: Message) -> Event:
            return ReactionRemoved(_reaction(message, caller, removed))

        found = await self.find(caller, named)
        await self._change(caller, found, _Change(unreacted, event))

    async def receipts(self, caller: ObjectId, named: MessageNamed) -> list[Receipt]:
        """How far every recipient of a message is; raises `NotFound`."""
        message = await self.find(caller, named)
        roster = await self._conversations.roster(message.conversation, caller)
        marks = await self._conversations.marks(roster)
        statuses = receipt_statuses(message, marks[message.conversation])
        return [Receipt(user_id=user, status=status) for user, status in statuses.items()]

    async def find(self, caller: ObjectId, named: MessageNamed) -> Message:
        """The message of that id, where the caller may see it; raises `NotFound`.

        What does not exist takes as many reads as what is foreign.
        """
        found = await self._engine.find_one(Message, Message.id == named.message_id)
        conversation_id = new_id() if found is None else found.conversation
        roster = await self._conversations.roster(conversation_id, caller)
        elsewhere = named.conversation_id not in (None, conversation_id)
        if found is None or elsewhere:
            raise NotFound
        own = await self._conversations.own_marks(roster, caller)
        if not (await self._messages.sight(caller, roster, own)).shows(found):
            raise NotFound
        return found

    async def _change(
        self, caller: ObjectId, found: Message, change: _Change
    ) -> tuple[Message, Roster]:
        """Makes a change inside the conversation's turn; once it is written it is announced,
        whether its caller waits for that or not."""
        async with AsyncExitStack() as turn:
            await turn.enter_async_context(self._conversations.turn(found.conversation))
            roster = await self._conversations.roster(found.conversation, caller)
            await change.prepare(roster)
            work = partial(self._see_through, caller, found.id, change, roster)
            changed = self._conversations.errands.begin(work, turn.pop_all())
        return await changed, roster

    async def _see_through(
        self,
        caller: ObjectId,
        message_id: ObjectId,
        change: _Change,
        roster: Roster,
        errand: Errand,
    ) -> Message:
        message, changed = await self._write(message_id, change.decide, errand)
        audience: frozenset[ObjectId] = frozenset()
        if changed:
            audience = await errand.surely(lambda: self._audience(caller, message, roster))
            self._tellers.announcer.publish(change.event(message), audience)
        await errand.surely(lambda: change.follow(message, audience))
        return message

    async def _write(
        self, message_id: ObjectId, decide: Decision, errand: Errand
    ) -> tuple[Message, bool]:
        """As `MessageLog.change`; where the answer to that is lost, the database is asked for it
        when it is back."""
        rev, wanted = 0, dict[str, Any]()

        def decided(message: Message) -> Mapping[str, Any] | None:
            nonlocal rev, wanted
            fields = decide(message)
            rev, wanted = message.rev, dict(fields or {})
            return fields

        async def written() -> Message | None:
            now = await self._engine.find_one(Message, Message.id == message_id)
            if now is None or now.rev == rev:
                return None
            is_ours = wanted == now.model_dump(include=set(wanted))
            return now if is_ours else None

        try:
            return await errand.once(lambda: self._log.change(message_id, decided))
        except Unavailable as error:
            found = await errand.look(error, written) if wanted else None
            if found is None:
                raise
            return found, True

    async def _audience(
        self, actor: ObjectId, message: Message, roster: Roster
    ) -> frozenset[ObjectId]:
        """Who may know of a change."""
        hidden = await hidden_from(self._engine, self._users, message, roster)
        hidden |= await self._users.blocks.blockers_of(actor)
        return roster.user_ids - (hidden - {actor})

    async def _view(self, caller: ObjectId, message: Message, roster: Roster) -> MessageView:
        marks = await self._conversations.marks(roster)
        own = marks[message.conversation][caller]
        sight = await self._messages.sight(caller, roster, own)
        (view,) = await self._views.build([message], marks, {message.conversation: sight})
        return view


def _deleted(message: Message) -> Mapping[str, Any] | None:
    if message.is_deleted:
        return None
    return {"is_deleted": True, "content": "", "attachments": [], "reactions": []}


def _emoji_of(message: Message, user_id: ObjectId) -> str | None:
    return next((each.emoji for each in message.reactions if each.user == user_id), None)


def _without(message: Message, user_id: ObjectId) -> list[dict[str, Any]]:
    return [
        {"user": each.user, "emoji": each.emoji}
        for each in message.reactions
        if each.user != user_id
    ]


def _reaction(message: Message, user_id: ObjectId, emoji: str) -> ReactionData:
    return ReactionData(
        conversation_id=message.conversation,
        message_id=message.id,
        rev=message.rev,
        user_id=user_id,
        emoji=emoji,
    )
