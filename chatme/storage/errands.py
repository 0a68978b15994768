"""Errands: work that is done to its end, whoever waits for it, and however long the database is
away in between.

What was begun by one write is not over with it: others have to hear of it. Who asked for it may be
cut off by then, for a caller is never kept waiting for the database. The errand goes on without
them, asks nothing of a database that is away, and takes up where it was when that is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from chatme.errors import ChatMeError, Unavailable
from chatme.ports import Lifeline

log = structlog.stdlib.get_logger("chatme.storage")

T = TypeVar("T")

PAUSE: Final = 0.5
"""Seconds between two tries."""
LOOKS: Final = 2
CLOSING: Final = 5.0
"""Seconds that what is under way has at the end."""


class Errand:
    """One piece of work, as it asks the database. ``answer`` is what its caller waits for."""

    def __init__(self, lifeline: Lifeline, answer: asyncio.Future[Any], pause: float) -> None:
        self.answer = answer
        self._lifeline = lifeline
        self._pause = pause

    async def once(self, step: Callable[[], Awaitable[T]]) -> T:
        """Does a step; raises `Unavailable` where nobody knows whether it took place."""
        async with self._lifeline.guard():
            return await step()

    async def surely(self, step: Callable[[], Awaitable[T]]) -> T:
        """Does a step that is safe to repeat, again and again until the database takes it."""
        return await self.patiently(lambda: self.once(step))

    async def patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """As `surely`, for work of several steps that it does on this errand."""
        while True:
            try:
                return await work()
            except Unavailable as error:
                await self._wait(error)

    async def look(self, error: Unavailable, step: Callable[[], Awaitable[T | None]]) -> T | None:
        """What a write of unknown outcome has left, or nothing, as soon as that can be known.

        It is asked for twice: what was still on its way may arrive just after the first time.
        """
        for _ in range(LOOKS):
            await self._wait(error)
            found = await self.surely(step)
            if found is not None:
                return found
        return None

    async def _wait(self, error: Unavailable) -> None:
        """Tells the caller that the database is away, and returns a moment after it is back."""
        if not self.answer.done():
            self.answer.set_exception(error)
        await self._lifeline.wait()
        await asyncio.sleep(self._pause)


class Errands:
    """Lives as long as the app; close it."""

    def __init__(self, lifeline: Lifeline, pause: float = PAUSE, closing: float = CLOSING) -> None:
        self._lifeline = lifeline
        self._pause = pause
        self._closing = closing
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(
        self, work: Callable[[Errand], Coroutine[Any, Any, T]], held: AsyncExitStack
    ) -> asyncio.Future[T]:
        """Begins a piece of work, which keeps what is held until its end.

        To be awaited is its result, what it raises, or `Unavailable` at once where the database is
        away; who stops waiting stops nothing.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        errand = Errand(self._lifeline, answer, self._pause)
        task = asyncio.create_task(_run(work(errand), held))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, answer))
        return answer

    async def aclose(self) -> None:
        """Lets what is under way end, within five seconds; the rest is cut, as by a crash."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._closing)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, answer: asyncio.Future[T], task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        error = Unavailable.briefly() if task.cancelled() else task.exception()
        if answer.done():
            if error is not None and not isinstance(error, ChatMeError):
                log.error("what a caller no longer waited for has failed", exc_info=error)
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(task.result())


async def _run(work: Coroutine[Any, Any, T], held: AsyncExitStack) -> T:
    async with held:
        return await work
