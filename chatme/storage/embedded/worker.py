"""The two threads that touch SQLite: one writes, one reads; both serve their queue in groups.

The writer puts everything that waits into one transaction and commits once: many writes share one
fsync, and no future resolves before the commit that holds its write. The reader answers everything
that waits from one snapshot. Either way a group goes back to the event loop in one call.

What an operation raises is handed to its caller, whatever it is: a fault of one operation must
neither end the thread nor leave a caller waiting. Hence `Outcome`, which catches like asyncio's
tasks do.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from pymongo.errors import InvalidOperation

from chatme.storage.embedded.errors import QueueFullError, StorageFailureError
from chatme.storage.embedded.store import Store

Operation = Callable[[Store], Any]
Item = tuple[Operation, asyncio.Future[Any], float]
Watch = Callable[[Operation, float], None]
"""Told of every operation and the seconds from its call to its answer; on the event loop."""

# Operations that may wait in one queue; a caller beyond them is told so at once.
QUEUE_LIMIT: Final = 20_000
_GROUP_LIMIT = 512
_GROUP_SECONDS = 0.05


class Outcome:
    """What became of one operation: its value or its exception, caught in a `with`."""

    __slots__ = ("error", "future", "item", "value")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.future = item[1]
        self.value: Any = None
        self.error: BaseException | None = None

    def __enter__(self) -> Outcome:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.error = error
        return True

    def settle(self) -> None:
        """Resolve the future; on the event loop."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)


class Worker(ABC):
    """A thread with its own connection, from `start` to `stop`.

    Args:
        name: the thread's name.
        store: the connection, which is the thread's from now on, to its closing.
        loop: the event loop on which futures resolve.
        limit: operations that may wait.
        watch: told how long each took.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        loop: asyncio.AbstractEventLoop,
        *,
        limit: int = QUEUE_LIMIT,
        watch: Watch | None = None,
    ) -> None:
        self.commits = 0
        self._watch = watch
        self._loop = loop
        self._limit = limit
        self._waiting = 0
        self._stopping = False
        self._store = store
        # `submit` refuses beyond the limit: the deque never drops anything.
        self._queue: deque[Item] = deque(maxlen=limit)
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def waiting(self) -> int:
        """Operations that were not answered yet."""
        return self._waiting

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, operation: Operation) -> asyncio.Future[Any]:
        """Queue an operation; the future resolves when it is done (for a write: on the disk).

        Raises:
            InvalidOperation: the worker was stopped.
            QueueFullError: as many operations wait as may.
        """
        if self._stopping:
            raise InvalidOperation("Cannot use the client after close")
        if self._waiting >= self._limit:
            raise QueueFullError(f"{self._limit} operations wait for the database already")
        self._waiting += 1
        future = self._loop.create_future()
        self._queue.append((operation, future, time.perf_counter()))
        if not self._awake.is_set():
            self._awake.set()
        return future

    def stop(self) -> None:
        """Let the thread end after all that was queued."""
        self._stopping = True
        self._awake.set()

    def join(self) -> None:
        """Wait for the thread's end."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while group := self._next_group():
                self._serve(self._store, group)
        finally:
            self._store.close()

    def _next_group(self) -> list[Item]:
        """What waits, at least one; nothing only after the last."""
        while not self._queue:
            if self._stopping:
                return []
            self._awake.wait()
            # Cleared before looking again: what comes after that sets it once more.
            self._awake.clear()
        return [self._queue.popleft() for _ in range(min(_GROUP_LIMIT, len(self._queue)))]

    def _serve(self, store: Store, group: list[Item]) -> None:
        rest = group
        while rest:
            outcomes: list[Outcome] = []
            whole = Outcome(rest[0])
            with whole:
                self._transact(store, rest, outcomes)
            if whole.error is not None:
                outcomes = self._undone(store, rest, outcomes, whole.error)
            rest = rest[len(outcomes) :]
            self._deliver(outcomes)

    @abstractmethod
    def _transact(
        self,
        store: Store,
        group: list[Item],
        outcomes: list[Outcome],
    ) -> None:
        """Works a group in one transaction, an outcome for each operation begun."""

    def _undone(
        self,
        store: Store,
        group: list[Item],
        outcomes: list[Outcome],
        error: BaseException,
    ) -> list[Outcome]:
        """The transaction failed: nothing of it is there, so none of its group succeeded."""
        with Outcome(group[0]):
            store.rollback()
        failed = []
        for place in range(max(1, len(outcomes))):
            outcome = Outcome(group[place])
            # Also where it was refused: what it clashed with may be what is undone here.
            outcome.error = _as_failure(error)
            failed.append(outcome)
        return failed

    def _deliver(self, outcomes: list[Outcome]) -> None:
        with Outcome(outcomes[0].item) as told:
            self._loop.call_soon_threadsafe(self._settle, outcomes)
        if told.error is not None and not self._loop.is_closed():
            raise told.error

    def _settle(self, outcomes: list[Outcome]) -> None:
        self._waiting -= len(outcomes)
        for outcome in outcomes:
            outcome.settle()
        if self._watch is not None:
            now = time.perf_counter()
            for outcome in outcomes:
                self._watch(outcome.item[0], now - outcome.item[2])


def _as_failure(error: BaseException) -> BaseException:
    if isinstance(error, sqlite3.Error):
        failure = StorageFailureError(f"the database could not be read or written: {error}")
        failure.__cause__ = error
        return failure
    return error


class Writer(Worker):
    """Commits a whole group at once; `commits` counts them."""

    def _transact(
        self,
        store: Store,
        group: list[Item],
        outcomes: list[Outcome],
    ) -> None:
        store.begin(write=True)
        until = time.monotonic() + _GROUP_SECONDS
        for item in group:
            with Outcome(item) as outcome:
                outcome.value = item[0](store)
            outcomes.append(outcome)
            if isinstance(outcome.error, sqlite3.Error):
                raise outcome.error
            if time.monotonic() > until:
                break
        store.commit()
        self.commits += 1


class Reader(Worker):
    """Answers a group from one snapshot."""

    def _transact(
        self,
        store: Store,
        group: list[Item],
        outcomes: list[Outcome],
    ) -> None:
        store.begin()
        until = time.monotonic() + _GROUP_SECONDS
        for item in group:
            with Outcome(item) as outcome:
                outcome.value = item[0](store)
            outcomes.append(outcome)
            if isinstance(outcome.error, sqlite3.Error):
                outcome.error = _as_failure(outcome.error)
            if time.monotonic() > until:
                break
        store.commit()
