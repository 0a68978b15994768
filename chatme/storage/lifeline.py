"""The way to the database: whether it can be used, and what becomes of work while it cannot.

::

    OPENING ──made ready──► READY ──a failure, and then a ping without answer──► LOST
                              ▲                                                   │
                              └──────────────────── a ping is answered ───────────┘

While the database is lost nothing is asked of it but pings: work is refused before it begins, and
what had begun is ended, so that nobody waits for a time-out of their own and nothing piles up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import structlog
from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError, WTimeoutError

from chatme.errors import Unavailable

AWAY: Final = (ConnectionFailure, ExecutionTimeout, WTimeoutError)
"""A connection that fails or cannot be had, an answer that does not come in time, a primary that
steps down, a disk that refuses. All of them pass. Whether a write that was cut took place is not
known: whoever asked repeats it, as every write may be."""

Step = Callable[[], Awaitable[None]]

log = structlog.stdlib.get_logger("chatme.storage")


class Patience(NamedTuple):
    """Seconds between two tries, and after which a ping counts as not answered."""

    pause: float = 0.5
    ping: float = 1.0


USUAL: Final = Patience()


class Lifeline:
    """Lives as long as the app; `aclose` it.

    Args:
        make_ready: makes an empty or older database ready; safe to repeat wherever it was cut.
        ping: asks the database for a sign of life. None where each failure speaks for itself
            alone, as the embedded database's do: on a full disk it still reads.
    """

    def __init__(
        self, make_ready: Step, ping: Step | None = None, patience: Patience = USUAL
    ) -> None:
        self._make_ready = make_ready
        self._ping = ping
        self._patience = patience
        self._ready = asyncio.Event()
        self._working: set[asyncio.Timeout] = set()
        self._probing: asyncio.Task[None] | None = None

    def is_ready(self) -> bool:
        """Whether the database can be used."""
        return self._ready.is_set()

    async def wait(self) -> None:
        """Returns when the database can be used."""
        await self._ready.wait()

    async def prepare(self) -> None:
        """Makes the database ready; raises what it raises."""
        await self._make_ready()
        self._ready.set()

    async def prepare_patiently(self) -> None:
        """Makes the database ready, however long it is away; raises what does not pass."""
        while not self.is_ready():
            try:
                await self.prepare()
            except AWAY as error:
                log.warning("waiting for the database", reason=str(error))
                await asyncio.sleep(self._patience.pause)

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Around work that needs the database.

        Raises `Unavailable`: at once where the database is lost, in the middle where it gets lost,
        and in place of what the driver raises while it is away.
        """
        if not self.is_ready():
            raise Unavailable.briefly()
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._working.add(limit)
                try:
                    yield
                finally:
                    self._working.discard(limit)
        except AWAY as error:
            log.warning("the database is away", reason=str(error))
            self._doubt(error)
            raise Unavailable.briefly() from error
        except TimeoutError:
            if limit.expired():
                raise Unavailable.briefly() from None
            raise

    async def aclose(self) -> None:
        """Ends the pings."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    def _doubt(self, error: Exception) -> None:
        """One failure may be its own fault: a ping tells."""
        lost = isinstance(error, ConnectionFailure)
        if lost and self._ping is not None and self._probing is None:
            self._probing = asyncio.create_task(self._probe(self._ping))

    async def _probe(self, ping: Step) -> None:
        try:
            while not await self._answers(ping):
                self._lose()
                await asyncio.sleep(self._patience.pause)
            if not self.is_ready():
                log.info("the database is back")
                self._ready.set()
        finally:
            self._probing = None

    def _lose(self) -> None:
        if self.is_ready():
            log.error("the database is lost", working=len(self._working))
            self._ready.clear()
        now = asyncio.get_running_loop().time()
        for limit in self._working:
            limit.reschedule(now)
        self._working.clear()

    async def _answers(self, ping: Step) -> bool:
        try:
            await asyncio.wait_for(ping(), self._patience.ping)
        except (PyMongoError, TimeoutError):
            # Whatever it says instead, as a server does that has not read its users yet: no work
            # can be done, and only a later ping tells when it can.
            return False
        return True
