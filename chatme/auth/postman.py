"""Letters written and sent behind the answers: no answer's time tells what was sent to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog

from chatme.errors import Unavailable
from chatme.ports import Letter, Mailer, Undeliverable
from chatme.users.models import User

log = structlog.stdlib.get_logger("chatme.auth")

AT_ONCE = 4
MAX_WAITING = 1000
CLOSING = timedelta(seconds=10)

CHANGED_TEXT = """\
The {what} of your ChatMe account was changed just now. If it was you, do nothing.

If it was not you: ask for a new password on the sign-in page, which signs everybody else out.
"""

Writer = Callable[[], Awaitable[Letter | None]]


class Postman:
    """Lives as long as the app; holds the letters on their way; close it."""

    def __init__(
        self, mailer: Mailer, max_waiting: int = MAX_WAITING, closing: timedelta = CLOSING
    ) -> None:
        self._mailer = mailer
        self._max_waiting = max_waiting
        self._closing = closing
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        """Sends what waits, within ten seconds; the rest is let go of."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._closing.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            if late:
                log.warning("mail was let go of", letters=len(late))

    def check(self) -> None:
        """Raises `Unavailable` where no mail can be sent at all."""
        self._mailer.check()

    def send(self, write: Writer) -> None:
        """Has a letter written and sent, if there is one to write; never waits, never fails.

        Over a thousand are dropped, and the caller is not told: who waits for a letter and who
        does not would show in it.
        """
        if len(self._tasks) >= self._max_waiting:
            log.warning("too much mail waits: a letter is dropped")
            return
        task = asyncio.create_task(self._send(write))
        self._tasks.add(task)
        task.add_done_callback(self._sent)

    def warn(self, user: User, what: str) -> None:
        """Tells a user that what guards their account has changed: "password", "second factor".

        Only to an address that is known to be theirs, and only where mail can be sent.
        """
        if not user.is_verified:
            return
        with suppress(Unavailable):
            self.check()
            letter = Letter(user.email, f"Your {what} was changed", CHANGED_TEXT.format(what=what))
            self.send(partial(_written, letter))

    async def _send(self, write: Writer) -> None:
        async with self._at_once:
            letter = await write()
            if letter is not None:
                await self._mailer.send(letter)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Undeliverable):
            log.warning("a letter was not sent", reason=str(error))
        elif error is not None:
            log.error("a letter was not sent", exc_info=error)


async def _written(letter: Letter) -> Letter:
    return letter
