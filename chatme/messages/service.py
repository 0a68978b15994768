"""The rules for messages: who may send what, who sees which."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import asc, desc

from chatme.conversations.models import Marks, Roster
from chatme.conversations.service import ConversationService
from chatme.errors import Invalid, NotFound, Unavailable
from chatme.messages.attachments import Attachments, check_draft
from chatme.messages.events import NewMessage
from chatme.messages.hidden import hidden_from
from chatme.messages.log import AlreadySent, MessageLog
from chatme.messages.models import Message
from chatme.messages.receipts import ReceiptService
from chatme.messages.sight import Sight
from chatme.messages.views import MessageViews
from chatme.messages.wire import HistoryQuery, MessageDraft, MessagePage, MessageView
from chatme.ports import Tellers
from chatme.storage.errands import Errand
from chatme.users.service import UserService


@dataclass(frozen=True, slots=True)
class _Sending:
    """A message that is not there yet, who is to have it, and the message that it answers."""

    message: Message
    roster: Roster
    answered: Message | None


class MessageService:
    """Lives as long as the app; holds no state of its own.

    ``attachments`` are the rules for what messages show.
    """

    def __init__(
        self,
        engine: AIOEngine,
        users: UserService,
        conversations: ConversationService,
        log: MessageLog,
        views: MessageViews,
        receipts: ReceiptService,
        tellers: Tellers,
        attachments: Attachments,
    ) -> None:
        self.attachments = attachments
        self._engine = engine
        self._users = users
        self._conversations = conversations
        self._log = log
        self._views = views
        self._receipts = receipts
        self._tellers = tellers

    async def send(
        self, caller: ObjectId, conversation_id: ObjectId, draft: MessageDraft
    ) -> MessageView:
        """Accepts a message: when this returns, it is in the database, journalled.

        The same ``client_id`` from the same sender is the same message, however often it comes,
        and even where the sender could not send it any more. Raises `NotFound` where the caller
        is no member or the answered message is not to be seen, `Invalid` for bad content.
        """
        try:
            async with AsyncExitStack() as turn:
                await turn.enter_async_context(self._conversations.turn(conversation_id))
                sending = await self._begin(caller, conversation_id, draft)
                append = partial(self._append, sending)
                sent = self._conversations.errands.begin(append, turn.pop_all())
            return await sent
        except (NotFound, Invalid, AlreadySent):
            before = await self._sent_before(caller, draft.client_id)
            if before is None:
                raise
            return await self._send_again(caller, before)

    async def _begin(
        self, caller: ObjectId, conversation_id: ObjectId, draft: MessageDraft
    ) -> _Sending:
        """All that is to be known and done before a message is there."""
        roster = await self._conversations.roster(conversation_id, caller)
        answered = await self._check(caller, roster, draft)
        blockers = await self._users.blocks.blockers_of(caller)
        withheld = sorted(roster.user_ids & blockers)
        if withheld:
            await self._receipts.withhold(conversation_id, withheld)
        message = await self.attachments.message(caller, conversation_id, draft, withheld)
        return _Sending(message, roster, answered)

    async def _append(self, sending: _Sending, errand: Errand) -> MessageView:
        """Writes and announces a message, inside its conversation's turn.

        Once it is written all the rest comes about, whether its sender waits for that or not. Its
        delivery is told only after all of this: the ack shows it as sent, and what is told of it
        afterwards must not be undone by an ack that comes later.
        """
        message, roster = await self._store(sending.message, errand), sending.roster
        audience = roster.user_ids.difference(message.withheld_from)
        with self._receipts.arriving(message):
            # Nobody has it yet, so its receipts are known without asking.
            fresh = {user: Marks(each.joined_seq) for user, each in roster.members.items()}
            marks = {message.conversation: fresh}
            (view,) = await errand.surely(lambda: self._views.build([message], marks))
            hidden = await errand.surely(lambda: self._hidden(sending.answered, roster))
            self._announce(view, audience, hidden)
            await errand.surely(lambda: self._record(message))
            name, others = view.sender.display_name, audience - {message.sender}
            await errand.surely(lambda: self._notify(message, name, others))
        return view

    async def _store(self, message: Message, errand: Errand) -> Message:
        """Gives a message its place in the log; raises `AlreadySent`, `Unavailable`.

        Where the answer to that is lost, the database is asked for it when it is back.
        """

        async def stored() -> Message | None:
            return await self._engine.find_one(Message, Message.id == message.id)

        try:
            await errand.once(lambda: self._log.append(message))
        except AlreadySent:
            await self.attachments.give_back(message)
            raise
        except Unavailable as error:
            found = await errand.look(error, stored)
            if found is None:
                raise
            return found
        return message

    async def _notify(
        self, message: Message, sender_name: str, users: Collection[ObjectId]
    ) -> None:
        await self._tellers.notifier.message_arrived(
            conversation_id=message.conversation,
            message_id=message.id,
            sender_id=message.sender,
            sender_name=sender_name,
            kind=message.type,
            content=message.content,
            users=users,
        )

    async def history(
        self, caller: ObjectId, conversation_id: ObjectId, query: HistoryQuery
    ) -> MessagePage:
        """A page of a conversation, newest first; raises `NotFound`.

        With ``after`` alone the page is the one right after that message, so that a reader can
        go on towards the present.
        """
        roster = await self._conversations.roster(conversation_id, caller)
        marks = (await self._conversations.marks(roster))[conversation_id]
        sight = await self.sight(caller, roster, marks[caller])
        seqs: dict[str, int] = {"$gt": sight.cleared_seq}
        if query.after is not None:
            after = await self._seen(sight, conversation_id, query.after)
            seqs["$gt"] = max(seqs["$gt"], after.seq)
        if query.before is not None:
            seqs["$lt"] = (await self._seen(sight, conversation_id, query.before)).seq
        forward = query.after is not None and query.before is None
        found = await self._engine.find(
            Message,
            {"conversation": conversation_id, "seq": seqs, **sight.conditions()},
            sort=asc(Message.seq) if forward else desc(Message.seq),
            limit=query.limit + 1,
        )
        shown = found[: query.limit]
        last = str(shown[-1].id) if len(found) > query.limit else None
        if forward:
            shown.reverse()
        items = await self._views.build(shown, {conversation_id: marks}, {conversation_id: sight})
        return MessagePage(items=items, next=last)

    async def sight(self, caller: ObjectId, roster: Roster, own: Marks) -> Sight:
        """What of a conversation the caller may see."""
        blocked = await self._users.blocks.blocked_by(caller)
        return Sight.of(caller, roster.direct, own.cleared_seq, blocked, roster.user_ids)

    async def _hidden(self, answered: Message | None, roster: Roster) -> frozenset[ObjectId]:
        """The members whom the answered message is hidden from."""
        if answered is None:
            return frozenset()
        return await hidden_from(self._engine, self._users, answered, roster)

    def _announce(
        self, view: MessageView, audience: frozenset[ObjectId], hidden: frozenset[ObjectId]
    ) -> None:
        """Tells the audience of a new message; whom the answered one is hidden from, without it."""
        hidden = audience & hidden - {view.sender.id}
        if hidden:
            bare = view.model_copy(update={"reply_to": None})
            self._tellers.announcer.publish(NewMessage(bare), hidden)
        self._tellers.announcer.publish(NewMessage(view), audience - hidden)

    async def _check(self, caller: ObjectId, roster: Roster, draft: MessageDraft) -> Message | None:
        """Raises what is wrong with a draft; returns the message that it answers."""
        check_draft(draft)
        if draft.reply_to is None:
            return None
        own = await self._conversations.own_marks(roster, caller)
        sight = await self.sight(caller, roster, own)
        return await self._seen(sight, roster.conversation_id, draft.reply_to)

    async def _seen(self, sight: Sight, conversation_id: ObjectId, message_id: ObjectId) -> Message:
        """A conversation's message that can be seen; raises `NotFound`."""
        found = await self._engine.find_one(Message, Message.id == message_id)
        if found is None or found.conversation != conversation_id or not sight.shows(found):
            raise NotFound
        return found

    async def _sent_before(self, caller: ObjectId, client_id: str | None) -> Message | None:
        if client_id is None:
            return None
        return await self._engine.find_one(
            Message, Message.sender == caller, Message.client_id == client_id
        )

    async def _send_again(self, caller: ObjectId, message: Message) -> MessageView:
        """Answers with a message that is there, and makes up for what a crash may have cut."""
        await self._record(message)
        view = await self._view_again(caller, message)
        async with self._conversations.turn(message.conversation):
            await self._remind(message, view.sender.display_name)
        return view

    async def _remind(self, message: Message, sender_name: str) -> None:
        """Notifies who was away when a message came, and has not had it since.

        Who has been told of it already is not told again.
        """
        current = await self._engine.find_one(Message, Message.id == message.id)
        if current is None or current.is_deleted:
            return
        roster = await self._conversations.members(message.conversation)
        marks = (await self._conversations.marks(roster))[message.conversation]
        behind = {
            user
            for user, own in marks.items()
            if max(own.delivered_seq, own.floor) < current.seq and current.seq not in own.read_ahead
        }
        blockers = await self._users.blocks.blockers_of(message.sender)
        behind.difference_update([message.sender], message.withheld_from, blockers)
        behind -= self._tellers.presence.connected(behind)
        if behind:
            await self._notify(current, sender_name, behind)

    async def _record(self, message: Message) -> None:
        await self._conversations.record_message(
            message.conversation, message.id, message.seq, message.created_at
        )

    async def _view_again(self, caller: ObjectId, message: Message) -> MessageView:
        conversation_id = message.conversation
        try:
            roster = await self._conversations.roster(conversation_id, caller)
        except NotFound:
            # The sender has left since: the words are still theirs, what others did is not.
            (view,) = await self._views.build([message], {conversation_id: {}})
            return view.model_copy(update={"reply_to": None, "reactions": []})
        marks = await self._conversations.marks(roster)
        sight = await self.sight(caller, roster, marks[conversation_id][caller])
        (view,) = await self._views.build([message], marks, {conversation_id: sight})
        return view
