"""The rules for coming back: exactly what a client missed, as it stands now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import desc

from chatme.conversations.models import Marks, Roster
from chatme.conversations.service import ConversationService
from chatme.messages.events import MessageUpdated, NewMessage
from chatme.messages.log import MessageLog, Tail
from chatme.messages.models import Message
from chatme.messages.service import MessageService
from chatme.messages.views import MessageViews
from chatme.messages.wire import Resumed
from chatme.ports import Event
from chatme.shapes import parse_id

MAX_CONVERSATIONS = 50
MAX_CHANGES = 200
FIRST_PAGE = 30


@dataclass(frozen=True, slots=True)
class Missed:
    """What one conversation has for a client that comes back: events by ``rev``, and the end."""

    conversation_id: ObjectId
    events: list[Event]
    resumed: Resumed


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: conversations with news, at most 50, the rest being up to date or left."""

    behind: list[ObjectId]
    current: dict[ObjectId, int]
    complete: bool


class ResumeService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(
        self,
        engine: AIOEngine,
        conversations: ConversationService,
        messages: MessageService,
        log: MessageLog,
        views: MessageViews,
    ) -> None:
        self._engine = engine
        self._conversations = conversations
        self._messages = messages
        self._log = log
        self._views = views

    async def plan(self, caller: ObjectId, known: Mapping[ObjectId, int]) -> Plan:
        """Which of the caller's conversations have news for them, as membership is now."""
        ids = await self._conversations.ids_of(caller)
        tails = await self._log.tails(ids)
        current: dict[ObjectId, int] = {}
        behind: list[ObjectId] = []
        for each in ids:
            _, rev = tails[each]
            if known.get(each, 0 if rev == 0 else -1) >= rev:
                current[each] = rev
            else:
                behind.append(each)
        return Plan(behind[:MAX_CONVERSATIONS], current, len(behind) <= MAX_CONVERSATIONS)

    @staticmethod
    def up_to_date(rev: int) -> Resumed:
        """What is said of a conversation without news."""
        return Resumed(rev=rev, limited=False)

    async def missed(
        self, caller: ObjectId, behind: list[ObjectId], known: Mapping[ObjectId, int]
    ) -> list[Missed]:
        """What these conversations have above the revisions that the client knows."""
        rosters = await self._conversations.rosters(behind)
        marks = await self._conversations.marks(*rosters.values())
        return [
            await self._of(caller, rosters[each], marks[each], known.get(each))
            for each in behind
            if each in rosters and caller in rosters[each].members
        ]

    async def _of(
        self, caller: ObjectId, roster: Roster, marks: Mapping[ObjectId, Marks], known: int | None
    ) -> Missed:
        conversation_id = roster.conversation_id
        # Read before the messages: whatever has a lower revision can be seen by then.
        tail = await self._log.tail(conversation_id)
        sight = await self._messages.sight(caller, roster, marks[caller])
        conditions = {
            "conversation": conversation_id,
            "seq": {"$gt": sight.cleared_seq},
            **sight.conditions(by_seq=known is None),
        }
        if known is None:
            found = await self._engine.find(
                Message, conditions, sort=desc(Message.seq), limit=FIRST_PAGE + 1
            )
            limit = FIRST_PAGE
        else:
            conditions["rev"] = {"$gt": known}
            found = await self._engine.find(
                Message, conditions, sort=desc(Message.rev), limit=MAX_CHANGES + 1
            )
            limit = MAX_CHANGES
        shown = sorted(found[:limit], key=lambda message: message.rev)
        views = await self._views.build(shown, {conversation_id: marks}, {conversation_id: sight})
        events: list[Event] = [
            NewMessage(view) if known is None or message.first_rev > known else MessageUpdated(view)
            for message, view in zip(shown, views, strict=True)
        ]
        resumed = Resumed(rev=_end(tail, shown, known or 0), limited=len(found) > limit)
        return Missed(conversation_id, events, resumed)


def known_revs(named: Mapping[str, int]) -> dict[ObjectId, int]:
    """What a client says it knows; names that are no ids name nothing."""
    return {found: rev for name, rev in named.items() if (found := parse_id(name)) is not None}


def _end(tail: Tail, shown: Iterable[Message], known: int) -> int:
    return max([tail[1], *(message.rev for message in shown)], default=known)
