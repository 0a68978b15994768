"""The rules for searching messages: what the caller may see and has every wanted word, newest
first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from bson import ObjectId
from odmantic import AIOEngine
from pydantic import TypeAdapter

from chatme.conversations.service import ConversationService
from chatme.errors import Invalid
from chatme.http.paging import decode_cursor, encode_cursor
from chatme.messages.candidates import Candidates, Findings
from chatme.messages.log import MessageLog
from chatme.messages.models import Message
from chatme.messages.sight import Sight
from chatme.messages.views import MessageViews
from chatme.messages.wire import FoundMessage, FoundPage, Highlight, MessageView, WordsWanted
from chatme.messages.words import Word, highlights, matches, words
from chatme.shapes import Id
from chatme.users.service import UserService

MAX_WORDS = 10
MAX_HIGHLIGHTS = 50
_CURSOR = TypeAdapter(tuple[Id])


class SearchService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(
        self,
        engine: AIOEngine,
        users: UserService,
        conversations: ConversationService,
        log: MessageLog,
        views: MessageViews,
        candidates: Candidates,
    ) -> None:
        self._engine = engine
        self._users = users
        self._conversations = conversations
        self._log = log
        self._views = views
        self._candidates = candidates

    async def in_one(
        self, caller: ObjectId, conversation_id: ObjectId, query: WordsWanted
    ) -> FoundPage:
        """A page of what is found in a conversation; raises `NotFound`, `Invalid`."""
        roster = await self._conversations.roster(conversation_id, caller)
        wanted, below = _parsed(query)
        own = await self._conversations.own_marks(roster, caller)
        blocked = await self._users.blocks.blocked_by(caller)
        sight = Sight(caller, roster.direct, own.cleared_seq, blocked)
        findings = Findings(wanted, {conversation_id: sight}, query.limit)
        if wanted:
            await self._candidates.of_one(findings, conversation_id, below)
        return await self._page(caller, findings)

    async def in_all(self, caller: ObjectId, query: WordsWanted) -> FoundPage:
        """A page of what is found in all the caller's conversations; raises `Invalid`."""
        wanted, below = _parsed(query)
        findings = Findings(wanted, await self._sights(caller), query.limit)
        if wanted and findings.sights:
            await self._candidates.of_all(findings, below)
        return await self._page(caller, findings)

    async def _sights(self, caller: ObjectId) -> Mapping[ObjectId, Sight]:
        """What the caller sees of each conversation that has something to see."""
        reaches = await self._conversations.reaches(caller)
        blocked = await self._users.blocks.blocked_by(caller)
        cleared = [id_ for id_, each in reaches.items() if each.cleared_seq >= 0]
        tails = await self._log.tails(cleared)
        return {
            id_: Sight(caller, each.direct, each.cleared_seq, blocked)
            for id_, each in reaches.items()
            if id_ not in tails or tails[id_][0] > each.cleared_seq
        }

    async def _page(self, caller: ObjectId, findings: Findings) -> FoundPage:
        """What was found as it stands now, which may not be as it was found."""
        below = findings.rest_below
        rest = None if below is None else encode_cursor([str(below)])
        if not findings.shown:
            return FoundPage(items=[], next=rest)
        found = await self._engine.find(Message, {"_id": {"$in": findings.shown}})
        rosters = await self._conversations.rosters(list({each.conversation for each in found}))
        marks = await self._conversations.marks(*rosters.values())
        shown = []
        for each in sorted(found, key=lambda message: message.id, reverse=True):
            await asyncio.sleep(0)  # a hundred long texts at once would hold up everybody
            if (
                caller in marks.get(each.conversation, ())
                and findings.sights[each.conversation].shows(each)
                and matches(each.content, findings.wanted)
            ):
                shown.append(each)
        items = []
        for view in await self._views.build(shown, marks, findings.sights):
            await asyncio.sleep(0)
            items.append(_found(view, findings.wanted))
        return FoundPage(items=items, next=rest)


def _parsed(query: WordsWanted) -> tuple[list[Word], ObjectId | None]:
    wanted = words(query.q)
    if len(wanted) > MAX_WORDS:
        raise Invalid.field("q", f"must have at most {MAX_WORDS} words")
    if query.cursor is None:
        return wanted, None
    (below,) = decode_cursor(query.cursor, _CURSOR)
    return wanted, below


def _found(view: MessageView, wanted: Sequence[Word]) -> FoundMessage:
    content = view.content
    parts = highlights(content, wanted, MAX_HIGHLIGHTS)
    return FoundMessage(
        **dict(view),
        highlights=[
            Highlight(start=_units(content[:start]), end=_units(content[:end]))
            for start, end in parts
        ],
    )


def _units(text: str) -> int:
    """How many UTF-16 code units a text has."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
