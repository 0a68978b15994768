"""Engines over the real one that watch, fail or wait at each operation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

from odmantic import AIOEngine, Model
from pymongo.errors import AutoReconnect

WRITES = frozenset(
    {
        "insert_one",
        "insert_many",
        "update_one",
        "update_many",
        "find_one_and_update",
        "bulk_write",
        "delete_one",
        "delete_many",
    }
)


class Crash(Exception):
    """The process dies here."""


class _Collection:
    """A collection whose writes go through a gate."""

    def __init__(self, collection: Any, engine: GatedEngine) -> None:
        self._collection = collection
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._collection, name)
        if name not in WRITES:
            return method

        async def write(*args: Any, **options: Any) -> Any:
            place = f"{self._collection.name}.{name}"
            await self._engine.before(place)
            result = await method(*args, **options)
            await self._engine.after(place)
            return result

        return write


class GatedEngine(AIOEngine):
    """An engine that does something before and after each write."""

    def __init__(self, engine: AIOEngine) -> None:
        super().__init__(engine.client, engine.database_name)

    def get_collection(self, model: type[Model]) -> Any:
        """The collection, behind the gate."""
        return _Collection(super().get_collection(model), self)

    async def before(self, place: str) -> None:
        """A write is about to be made."""

    async def after(self, place: str) -> None:
        """A write was made, and its caller does not know yet."""


class DyingEngine(GatedEngine):
    """An engine that fails at one write, counted from 0, and at all that come after it.

    Where ``late``, that one write is made, and only its answer is lost.
    """

    def __init__(self, engine: AIOEngine, at: int, *, late: bool = False) -> None:
        super().__init__(engine)
        self.at = at
        self.late = late
        self.made: list[str] = []

    @property
    def dead(self) -> bool:
        """Whether it came to the write."""
        return len(self.made) > self.at

    async def before(self, place: str) -> None:
        """Counts, and fails."""
        dead = self.dead
        self.made.append(place)
        if dead or (self.dead and not self.late):
            raise Crash(place)

    async def after(self, place: str) -> None:
        """Fails late."""
        if self.dead:
            raise Crash(place)


class CutEngine(GatedEngine):
    """An engine whose database is away at some writes, counted from 0, and there again after them.

    Where ``late``, each of these is made, and only its answer is lost.
    """

    def __init__(self, engine: AIOEngine, *at: int, late: bool = False) -> None:
        super().__init__(engine)
        self.at = at
        self.late = late
        self.made: list[str] = []

    async def before(self, place: str) -> None:
        """Counts, and fails."""
        self.made.append(place)
        if not self.late:
            self._fail(place)

    async def after(self, place: str) -> None:
        """Fails late."""
        if self.late:
            self._fail(place)

    def _fail(self, place: str) -> None:
        if len(self.made) - 1 in self.at:
            raise AutoReconnect(place)


class ScopedEngine(GatedEngine):
    """An engine whose writes go through a gate of the task that makes them, and of its children."""

    def __init__(self, engine: AIOEngine) -> None:
        super().__init__(engine)
        self.gate: ContextVar[GatedEngine | None] = ContextVar("gate", default=None)

    async def before(self, place: str) -> None:
        """As the task's gate, if it has one."""
        gate = self.gate.get()
        if gate is not None:
            await gate.before(place)

    async def after(self, place: str) -> None:
        """As the task's gate, if it has one."""
        gate = self.gate.get()
        if gate is not None:
            await gate.after(place)


class HeldEngine(GatedEngine):
    """An engine whose writes at one place wait until they are let go."""

    def __init__(self, engine: AIOEngine, place: str, *, late: bool = False) -> None:
        super().__init__(engine)
        self.place = place
        self.late = late
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def before(self, place: str) -> None:
        """Waits with the write."""
        if place == self.place and not self.late:
            await self._wait()

    async def after(self, place: str) -> None:
        """Waits with its answer."""
        if place == self.place and self.late:
            await self._wait()

    async def _wait(self) -> None:
        self.begun.set()
        await self.go.wait()


class CountingEngine(GatedEngine):
    """An engine that keeps the places of its writes."""

    def __init__(self, engine: AIOEngine) -> None:
        super().__init__(engine)
        self.made: list[str] = []

    async def before(self, place: str) -> None:
        """Counts."""
        self.made.append(place)


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked of a collection: the method, the filter and the order."""

    model: type[Model]
    method: str
    filter: dict[str, Any]
    sort: tuple[tuple[str, int], ...] = ()


class _Asked:
    """A collection whose questions are kept."""

    def __init__(
        self, collection: Any, model: type[Model], keep: Callable[[Question], None]
    ) -> None:
        self._collection = collection
        self._model = model
        self._keep = keep

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._collection, name)
        if name.startswith("insert") or not callable(method):
            return method

        def call(first: Any, *args: Any, **options: Any) -> Any:
            filter_, sort = dict[str, Any](), tuple[tuple[str, int], ...]()
            if name == "aggregate":
                stages = {key: value for stage in first for key, value in stage.items()}
                filter_, sort = dict(stages["$match"]), tuple(stages.get("$sort", {}).items())
            else:
                filter_ = dict(first)
            question = Question(self._model, name, filter_, sort)
            if name != "find":
                self._keep(question)
                return method(first, *args, **options)
            return _Cursor(method(first, *args, **options), question, self._keep)

        return call


class _Cursor:
    """A cursor that says how it was sorted once it is read."""

    def __init__(self, cursor: Any, question: Question, keep: Callable[[Question], None]) -> None:
        self._cursor = cursor
        self._question = question
        self._keep = keep

    def sort(self, order: list[tuple[str, int]]) -> _Cursor:
        """The same in an order."""
        question = self._question
        sorted_ = Question(question.model, question.method, question.filter, tuple(order))
        return _Cursor(self._cursor.sort(order), sorted_, self._keep)

    def limit(self, limit: int) -> _Cursor:
        """The first of them."""
        return _Cursor(self._cursor.limit(limit), self._question, self._keep)

    async def to_list(self, length: int | None) -> Any:
        """All of them."""
        self._keep(self._question)
        return await self._cursor.to_list(length)


class AskedEngine(AIOEngine):
    """An engine that keeps what its collections were asked."""

    def __init__(self, engine: AIOEngine) -> None:
        super().__init__(engine.client, engine.database_name)
        self.asked: list[Question] = []

    def get_collection(self, model: type[Model]) -> Any:
        """The collection, watched."""
        return _Asked(cast("Any", super().get_collection(model)), model, self.asked.append)
