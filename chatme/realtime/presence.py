"""Who is online, debounced: a reconnect within the grace is no news.

::

    connected ──► online, told at once
    last disconnected ──► online for the grace ──► away, told with when the last socket closed

What is told of one user is told in order, one after the other. What changes while something is
being told is told afterwards as it then stands: a user who went and came back in that time never
went. So however fast they come and go, and however slow the telling, nothing piles up. What cannot
be told while the database is away is told when it is back, as it then stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from bson import ObjectId

from chatme.clock import Clock, from_epoch
from chatme.errors import Unavailable

GRACE: Final = timedelta(seconds=5)
RETRY: Final = timedelta(seconds=1)
_LONG_AGO: Final = from_epoch(0)
_UNSURE: Final = from_epoch(-1)
"""What was told last may have reached all, some or nobody."""

log = structlog.stdlib.get_logger("chatme.realtime")


@dataclass(slots=True)
class _Presence:
    """One user's: ``away_since`` is None while online, ``told_since`` what was last told."""

    sockets: int = 0
    away_since: datetime | None = _LONG_AGO
    told_since: datetime | None = _LONG_AGO
    timer: asyncio.TimerHandle | None = None
    telling: asyncio.Task[None] | None = None

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class PresenceTracker:
    """Lives as long as the app; `aclose` it.

    ``on_online`` is called at a user's first socket, ``on_offline`` when the grace after the last
    one is over, with the moment at which that one closed. Where they raise `Unavailable` they are
    called again after ``retry``; anything else that they raise is logged.
    """

    def __init__(
        self,
        on_online: Callable[[ObjectId], Awaitable[None]],
        on_offline: Callable[[ObjectId, datetime], Awaitable[None]],
        clock: Clock,
        grace: timedelta = GRACE,
        retry: timedelta = RETRY,
    ) -> None:
        self._on_online = on_online
        self._on_offline = on_offline
        self._clock = clock
        self._grace = grace.total_seconds()
        self._retry = retry.total_seconds()
        self._users: dict[ObjectId, _Presence] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._users)

    def connected(self, user_id: ObjectId) -> None:
        """A socket of the user opened."""
        presence = self._users.setdefault(user_id, _Presence())
        presence.sockets += 1
        presence.stop_timer()
        presence.away_since = None
        self._tell(user_id, presence)

    def disconnected(self, user_id: ObjectId) -> None:
        """A socket of the user closed; one that was never here is no error."""
        presence = self._users.get(user_id)
        if presence is None or not presence.sockets:
            return
        presence.sockets -= 1
        if not presence.sockets and not self._closed:
            loop = asyncio.get_running_loop()
            now = self._clock.now()
            presence.timer = loop.call_later(self._grace, self._leave, user_id, presence, now)

    def is_online(self, user_id: ObjectId) -> bool:
        """Whether the user has a socket, or had one within the grace."""
        presence = self._users.get(user_id)
        return presence is not None and presence.away_since is None

    def online_among(self, users: Collection[ObjectId]) -> set[ObjectId]:
        """Those of the users that are online."""
        return {user for user in users if self.is_online(user)}

    async def aclose(self) -> None:
        """Whoever is in their grace stays untold; waits until all other news is told."""
        self._closed = True
        telling = []
        for presence in self._users.values():
            presence.stop_timer()
            if presence.telling is not None:
                telling.append(presence.telling)
        if telling:
            await asyncio.wait(telling)

    def _leave(self, user_id: ObjectId, presence: _Presence, since: datetime) -> None:
        presence.timer = None
        presence.away_since = since
        self._tell(user_id, presence)

    def _tell(self, user_id: ObjectId, presence: _Presence) -> None:
        news = presence.away_since != presence.told_since
        if news and presence.telling is None and not self._closed:
            presence.telling = asyncio.create_task(self._tell_all(user_id, presence))

    async def _tell_all(self, user_id: ObjectId, presence: _Presence) -> None:
        while presence.away_since != presence.told_since:
            presence.told_since = presence.away_since
            telling = self._tell_one(user_id, presence.told_since)
            (outcome,) = await asyncio.gather(telling, return_exceptions=True)
            if isinstance(outcome, Unavailable) and not self._closed:
                presence.told_since = _UNSURE
                await asyncio.sleep(self._retry)
            elif isinstance(outcome, BaseException):
                log.error("telling a presence failed", user=str(user_id), exc_info=outcome)
        presence.telling = None
        if presence.away_since is not None:
            del self._users[user_id]

    async def _tell_one(self, user_id: ObjectId, away_since: datetime | None) -> None:
        if away_since is None:
            await self._on_online(user_id)
        else:
            await self._on_offline(user_id, away_since)
