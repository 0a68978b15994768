"""Who listens to a presence tracker in its tests, at a speed that the test sets."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from bson import ObjectId

from chatme.realtime.presence import PresenceTracker
from chatme_tests.fakes import FrozenClock

SHORT = timedelta(milliseconds=20)

Told = tuple[ObjectId, datetime | None]


class Audience:
    """A tracker, and what it told: a user and None for online, or since when they are away."""

    def __init__(self, grace: timedelta = SHORT) -> None:
        self.clock = FrozenClock()
        self.tracker = PresenceTracker(self._hear, self._hear, self.clock, grace, timedelta())
        self.told: list[Told] = []
        self.heard = asyncio.Condition()
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.listening: set[ObjectId] = set()
        self.errors: list[Exception] = []

    async def _hear(self, user: ObjectId, since: datetime | None = None) -> None:
        assert user not in self.listening, "one thing at a time is told of a user"
        self.listening.add(user)
        async with self.heard:
            self.told.append((user, since))
            self.heard.notify_all()
        await self.let_go.wait()
        self.listening.remove(user)
        if self.errors:
            raise self.errors.pop()

    async def until(self, *told: Told) -> None:
        """Waits until this, and only this, was told, in this order."""
        async with asyncio.timeout(5), self.heard:
            await self.heard.wait_for(lambda: len(self.told) >= len(told))
        assert list(told) == self.told


async def settle() -> None:
    """Lets every task that is ready run, several times over."""
    for _ in range(10):
        await asyncio.sleep(0)
