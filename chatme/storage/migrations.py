"""Changes of how documents are stored, each applied once, in order, before a server uses indexes.

One document says how far the database is, and who changes it. Whoever holds the claim counts it up
while they work; one that stands still longer than their patience is taken over by others, who wait
meanwhile. So nobody's clock is compared with another's. A process that was killed, or was so slow
that its claim was taken, may have done a part, or do it once more beside another: each migration is
safe to repeat from anywhere, and at any time.

A migration reads and writes plain documents, never models: those go on changing after it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from odmantic import AIOEngine
from pymongo.errors import DuplicateKeyError, PyMongoError

from chatme.clock import Clock, new_id

log = structlog.stdlib.get_logger("chatme.storage")

SCHEMA = "schema"
"""The collection that says how far a database is."""
_ID = "schema"


@dataclass(frozen=True, slots=True)
class Migration:
    """One change, by a name that stays; ``apply`` is safe to repeat from wherever it was cut."""

    name: str
    apply: Callable[[AIOEngine], Awaitable[object]]


# Only ever added to at the end: a database knows by their number which it has had.
MIGRATIONS: tuple[Migration, ...] = ()


class ForeignSchema(PyMongoError):
    """The database was changed by a newer program, or another one."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a claim is counted up and looked at, and how long it may stand still; seconds."""

    beat: float = 2.0
    look: float = 0.2
    patience: float = 15.0


def version_of(found: Mapping[str, Any] | None, migrations: Sequence[Migration]) -> int:
    """How many of the migrations a database has had, by its own word.

    Raises `ForeignSchema` where it has had others.
    """
    applied = [] if found is None else [each["name"] for each in found["applied"]]
    known = [each.name for each in migrations]
    if applied != known[: len(applied)]:
        raise ForeignSchema(
            f"the database is of a newer ChatMe: it has had {len(applied)} changes, the last “"
            f"{applied[-1]}”, and this program knows {len(known)}; use the newer program"
        )
    return len(applied)


async def version(engine: AIOEngine, migrations: Sequence[Migration]) -> int:
    """The same of an open database."""
    return version_of(await engine.database[SCHEMA].find_one({"_id": _ID}), migrations)


async def migrate(
    engine: AIOEngine,
    migrations: Sequence[Migration],
    clock: Clock,
    *,
    alone: bool,
    pace: Pace | None = None,
) -> None:
    """Returns when the database has had all migrations, whoever applied them.

    ``alone`` says that no other process can have the database open: a claim is of nobody alive.
    Raises `ForeignSchema`, and what a migration raises.
    """
    await _Node(engine, migrations, clock, pace or Pace(), alone=alone).run()


class _Node:
    """One process that brings the database up to date, or waits for another that does."""

    def __init__(
        self,
        engine: AIOEngine,
        migrations: Sequence[Migration],
        clock: Clock,
        pace: Pace,
        *,
        alone: bool,
    ) -> None:
        self._engine = engine
        self._schema = engine.database[SCHEMA]
        self._migrations = migrations
        self._clock = clock
        self._pace = pace
        self._alone = alone
        self._name = str(new_id())
        self._seen: tuple[object, ...] = ()
        self._seen_at = 0.0

    async def run(self) -> None:
        while True:
            found = await self._schema.find_one({"_id": _ID})
            done = version_of(found, self._migrations)
            if done == len(self._migrations):
                return
            if found is None:
                with suppress(DuplicateKeyError):  # another one made it
                    await self._schema.insert_one(
                        {"_id": _ID, "applied": [], "claim": None, "beats": 0}
                    )
            elif self._is_free(found) and await self._claim(found):
                await self._apply(self._migrations[done], done)
            else:
                await asyncio.sleep(self._pace.look)

    def _is_free(self, found: Mapping[str, Any]) -> bool:
        """Whether nobody holds the claim, or has not counted it up for too long."""
        now, seen = time.monotonic(), (found["claim"], found["beats"])
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        stale = now - self._seen_at > self._pace.patience
        return found["claim"] is None or self._alone or stale

    async def _claim(self, found: Mapping[str, Any]) -> bool:
        """Takes the claim as it was found; whether nobody was faster."""
        taken = await self._schema.update_one(
            {"_id": _ID, "claim": found["claim"], "beats": found["beats"]},
            {"$set": {"claim": self._name}, "$inc": {"beats": 1}},
        )
        return bool(taken.matched_count)

    async def _apply(self, migration: Migration, done: int) -> None:
        log.info("the database is being changed", change=migration.name)
        work = asyncio.ensure_future(migration.apply(self._engine))
        try:
            while not work.done():
                await asyncio.wait([work], timeout=self._pace.beat)
                if not work.done() and not await self._update({"$inc": {"beats": 1}}):
                    return  # somebody took it over
            await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            if work.cancelled() or work.exception() is not None:
                await self._update({"$set": {"claim": None}})
        applied = {"name": migration.name, "at": self._clock.now()}
        # Only once: under the claim, and after those before it.
        await self._update(
            {"$set": {"claim": None}, "$push": {"applied": applied}},
            {f"applied.{done}": {"$exists": False}},
        )
        log.info("the database has been changed", change=migration.name)

    async def _update(
        self, change: Mapping[str, Any], more: Mapping[str, Any] | None = None
    ) -> bool:
        """Changes the document under one's own claim; whether one still has it."""
        own = {"_id": _ID, "claim": self._name, **(more or {})}
        return bool((await self._schema.update_one(own, change)).matched_count)
