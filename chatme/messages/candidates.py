"""Where a search finds its candidates: messages by one key of their words, newest first.

A page looks at a bounded number of candidates, however common its words: then it ends early, and
the next one goes on from there. Order is that of the messages' ids, which are made inside their
conversation's turn and so ascend as the messages do, unless the clock is set back; what is sent
then is in another place, and still found once.

In one conversation the key is taken whose candidates lie furthest apart. Over all conversations a
key that is rare in them is fetched whole, by one question; a common one by spans of time, back from
the present, of such a length that each holds a handy number. Each question costs a look into
the index for each of the conversations, whatever is in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine

from chatme.clock import Clock, to_epoch
from chatme.messages.models import Message
from chatme.messages.sight import Sight
from chatme.messages.words import COMMON, Word, lookups, matches
from chatme.storage import atomic

MAX_LOOKED_AT = 2000
MAX_READ = 400_000
"""Messages, and characters of them, that one page looks at."""

CHUNK = 250
RARE = 200
MAX_SPANS = 40
"""Candidates that one question fetches, of one conversation and of all; questions of one page."""

_TRIED_KEYS = 4
_ASKED_AT_ONCE = 1000
_PAUSE_AFTER = 8_000
_DAY = 24 * 60 * 60
_STEP = 8
_FIELDS = ("conversation", "seq", "sender", "withheld_from", "content")

Rows = list[dict[str, Any]]
Span = tuple[ObjectId | None, ObjectId | None]


@dataclass(slots=True)
class Findings:
    """What one page has found so far of what is wanted, and what it cost.

    ``found`` has one more than the page holds where there is more.
    """

    wanted: Sequence[Word]
    sights: Mapping[ObjectId, Sight]
    limit: int
    found: list[ObjectId] = field(default_factory=list)
    last: ObjectId | None = None
    looked_at: int = 0
    read: int = 0
    is_over: bool = False

    @property
    def shown(self) -> list[ObjectId]:
        """The page's messages."""
        return self.found[: self.limit]

    @property
    def rest_below(self) -> ObjectId | None:
        """The id below which there may be more; None where all was looked at."""
        if len(self.found) > self.limit:
            return self.found[self.limit - 1]
        return self.last if self.is_over else None

    async def look(self, rows: Rows) -> None:
        """Takes of the candidates, newest first, what fits, until the page is over."""
        pause = self.read + _PAUSE_AFTER
        for row in rows:
            if self.is_over:
                return
            if self.read > pause:
                await asyncio.sleep(0)
                pause = self.read + _PAUSE_AFTER
            self._look_at(row)

    def stop_at(self, message_id: ObjectId | None) -> None:
        """Ends the page: what is older than this id was not looked at."""
        self.last, self.is_over = message_id, True

    def _look_at(self, row: Mapping[str, Any]) -> None:
        self.last = row["_id"]
        self.looked_at += 1
        if self.sights[row["conversation"]].shows_row(row):
            self.read += len(row["content"])
            if matches(row["content"], self.wanted):
                self.found.append(row["_id"])
        enough = len(self.found) > self.limit
        self.is_over = enough or self.looked_at >= MAX_LOOKED_AT or self.read >= MAX_READ


class Candidates:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def of_one(
        self, findings: Findings, conversation_id: ObjectId, below: ObjectId | None
    ) -> None:
        """Looks through one conversation, below an id."""
        ids, keys = [conversation_id], _keys(findings.wanted)
        size = CHUNK if len(keys) > 1 else min(CHUNK, findings.limit + 1)
        best, rows = keys[0], Rows()
        for key in keys:
            found = await self._hits(ids, key, (None, below), size, in_order=True)
            if not rows or len(found) < size or found[-1]["_id"] < rows[-1]["_id"]:
                best, rows = key, found
            if len(found) < size:
                break
        cleared_seq = findings.sights[conversation_id].cleared_seq
        while True:
            await findings.look(rows)
            if findings.is_over or len(rows) < size:
                return
            # Not by the last row alone: where the clock was set back, ids and numbers disagree.
            if size == CHUNK and all(row["seq"] <= cleared_seq for row in rows):
                return
            size, span = CHUNK, (None, rows[-1]["_id"])
            rows = await self._hits(ids, best, span, size, in_order=True)

    async def of_all(self, findings: Findings, below: ObjectId | None) -> None:
        """Looks through all conversations that there are sights of, below an id."""
        ids, keys = list(findings.sights), _keys(findings.wanted)
        for key in keys:
            rows = await self._hits(ids, key, (None, below), RARE + 1)
            if len(rows) <= RARE:
                await findings.look(_newest_first(rows))
                return
        await self._by_time(findings, keys[0], below)

    async def _by_time(self, findings: Findings, key: str, below: ObjectId | None) -> None:
        """Looks through spans of time: a full one is halved, after an empty one comes a longer."""
        ids = list(findings.sights)
        moment = self._clock.now() if below is None else below.generation_time
        second, width = int(to_epoch(moment)) + 1, _DAY
        full: int | None = None  # from here on there are more than a few
        for _ in range(MAX_SPANS):
            since = _first_id(second - width)
            rows = await self._hits(ids, key, (since, below), RARE + 1)
            if len(rows) > RARE and width > 1:
                full, width = second - width, width // 2
                continue
            if len(rows) > RARE:
                await self._crowded(findings, key, (since, below))
            else:
                await findings.look(_newest_first(rows))
            if findings.is_over or since is None:
                return
            second, below = second - width, since
            if rows or full is None:
                full, width = None, width * (_STEP if len(rows) <= RARE // _STEP else 1)
            else:  # what was full still is
                width = max(1, (second - full) // 2)
        findings.stop_at(below)

    async def _crowded(self, findings: Findings, key: str, span: Span) -> None:
        """Looks through one second that has too many candidates to take them all at once."""
        ids = list(findings.sights)
        since, below = span
        while not findings.is_over:
            rows = await self._hits(ids, key, (since, below), CHUNK, in_order=True)
            await findings.look(rows)
            if len(rows) < CHUNK:
                return
            below = rows[-1]["_id"]

    async def _hits(
        self, ids: Sequence[ObjectId], key: str, span: Span, limit: int, *, in_order: bool = False
    ) -> Rows:
        """So many messages at most that have a key: the newest, or any where there is no order."""
        bounds = {
            name: bound
            for name, bound in zip(("$gte", "$lt"), span, strict=True)
            if bound is not None
        }
        found: Rows = []
        for at in range(0, len(ids), _ASKED_AT_ONCE):
            part = list(ids[at : at + _ASKED_AT_ONCE])
            where: dict[str, Any] = {
                "conversation": part[0] if len(part) == 1 else {"$in": part},
                "words": key,
                **({"_id": bounds} if bounds else {}),
            }
            sort = "-_id" if in_order else None
            found += await atomic.project(
                self._engine, Message, where, _FIELDS, sort=sort, limit=limit
            )
            if len(found) >= limit and not in_order:
                break
        return (_newest_first(found) if in_order else found)[:limit]


def _keys(wanted: Sequence[Word]) -> list[str]:
    """Keys that all that is wanted has, the longest first: they are likely to be the rarest."""
    found = {key for word in wanted for key in lookups(word)}
    return sorted(found - {COMMON}, key=len, reverse=True)[:_TRIED_KEYS] or [COMMON]


def _newest_first(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: row["_id"], reverse=True)


def _first_id(second: int) -> ObjectId | None:
    """The least id of a second; None before the first of all."""
    return ObjectId(second.to_bytes(4, "big") + bytes(8)) if second > 0 else None
