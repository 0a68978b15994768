"""The rules for blocks: who wants nothing of whom. No answer here is for the blocked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine
from typing import Any

from bson import ObjectId
from odmantic import AIOEngine
from odmantic.query import desc, in_

from chatme.clock import Clock
from chatme.errors import BadRequest, Invalid, NotFound
from chatme.memo import Memo
from chatme.storage import atomic
from chatme.users.models import Block, User, new_block
from chatme.users.wire import UserView, user_view

MAX_BLOCKS = 10_000
"""How many users one user may block."""
_REMEMBERED = 10_000


class BlockService:
    """Lives as long as the app; remembers who blocks whom, and is told of each change by itself.

    What it remembers is never older than the last change of this process.
    """

    def __init__(self, engine: AIOEngine, clock: Clock, limit: int = MAX_BLOCKS) -> None:
        self._engine = engine
        self._clock = clock
        self._limit = limit
        self._blocked = Memo(self._load_blocked, _REMEMBERED)
        self._blockers = Memo(self._load_blockers, _REMEMBERED)
        self._writes: set[asyncio.Task[None]] = set()

    async def block(self, caller: ObjectId, other: ObjectId) -> None:
        """The caller blocks another user, if they do not already.

        Raises `BadRequest` for oneself, `NotFound`, and `Invalid` for one too many.
        """
        if caller == other:
            raise BadRequest("You cannot block yourself.")
        await self._require(other)
        new = new_block(caller, other, self._clock.now())
        try:
            await self._write(caller, other, atomic.insert(self._engine, new))
        except atomic.Duplicate:
            return
        # Counted after the write: of two at once that are one too many, none slips through.
        if len(await self.blocked_by(caller)) > self._limit:
            await self._write(caller, other, self._engine.remove(Block, Block.id == new.id))
            raise Invalid(f"You may block at most {self._limit:,} users.")

    async def unblock(self, caller: ObjectId, other: ObjectId) -> None:
        """The caller's block of another user ends, if there is one; raises `NotFound`."""
        await self._require(other)
        await self._write(caller, other, self._remove(caller, other))

    async def blocked_by(self, user: ObjectId) -> frozenset[ObjectId]:
        """Whom the user blocked."""
        return await self._blocked.get(user)

    async def blockers_of(self, user: ObjectId) -> frozenset[ObjectId]:
        """Who blocked the user."""
        return await self._blockers.get(user)

    async def related(self, one: ObjectId, others: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the others who blocked the one, or whom the one blocked."""
        blocked = await self.blocked_by(one)
        blockers = await self.blockers_of(one)
        return {other for other in others if other in blocked or other in blockers}

    async def listed(self, caller: ObjectId) -> list[UserView]:
        """Whom the caller blocked, as others see them, the newest block first."""
        blocks = await self._engine.find(
            Block,
            Block.blocker == caller,
            sort=(desc(Block.created_at), desc(Block.id)),
            limit=self._limit,
        )
        if not blocks:
            return []
        users = await self._engine.find(User, in_(User.id, [each.blocked for each in blocks]))
        views = {user.id: user_view(user) for user in users}
        return [views[each.blocked] for each in blocks if each.blocked in views]

    async def erase(self, user: ObjectId) -> None:
        """Removes a user's blocks, and those of them. Safe to repeat."""
        for other in await self.blocked_by(user):
            await self._write(user, other, self._remove(user, other))
        for other in await self.blockers_of(user):
            await self._write(other, user, self._remove(other, user))

    async def held(self, user: ObjectId) -> AsyncIterator[UserView]:
        """Whom the user blocked, one by one."""
        for view in await self.listed(user):
            yield view

    async def _remove(self, blocker: ObjectId, blocked: ObjectId) -> None:
        await self._engine.remove(Block, Block.blocker == blocker, Block.blocked == blocked)

    async def _require(self, user: ObjectId) -> None:
        if not await atomic.count(self._engine, User, {"_id": user}, limit=1):
            raise NotFound

    async def _write(
        self, blocker: ObjectId, blocked: ObjectId, write: Coroutine[Any, Any, object]
    ) -> None:
        """Writes and then forgets, to the end, even where the caller goes away in between."""
        task = asyncio.create_task(self._write_and_forget(blocker, blocked, write))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        await asyncio.shield(task)

    async def _write_and_forget(
        self, blocker: ObjectId, blocked: ObjectId, write: Coroutine[Any, Any, object]
    ) -> None:
        try:
            await write
        finally:  # what failed may be written all the same
            self._blocked.forget(blocker)
            self._blockers.forget(blocked)

    async def _load_blocked(self, user: ObjectId) -> frozenset[ObjectId]:
        rows = await atomic.project(self._engine, Block, {"blocker": user}, ["blocked"])
        return frozenset(row["blocked"] for row in rows)

    async def _load_blockers(self, user: ObjectId) -> frozenset[ObjectId]:
        rows = await atomic.project(self._engine, Block, {"blocked": user}, ["blocker"])
        return frozenset(row["blocker"] for row in rows)
