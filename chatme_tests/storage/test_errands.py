"""Errands: done to their end, and their caller is never kept waiting for the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from chatme.errors import NotFound, Unavailable
from chatme.storage.errands import Errand, Errands
from chatme.storage.lifeline import Lifeline, Patience


class Database:
    """What is asked, and is away until it is told otherwise."""

    def __init__(self) -> None:
        self.asked = 0
        self.back = asyncio.Event()
        self.missed = asyncio.Event()

    async def ask(self) -> int:
        """How often it was asked, this time included."""
        self.asked += 1
        self._answer()
        return self.asked

    async def ping(self) -> None:
        """Answers while it is there."""
        self.missed.set()
        self._answer()

    def _answer(self) -> None:
        if not self.back.is_set():
            raise AutoReconnect("away")


@asynccontextmanager
async def _opened(database: Database) -> AsyncIterator[tuple[Errands, Lifeline]]:
    async def ready() -> None:
        """There is nothing to make."""

    lifeline = Lifeline(ready, database.ping, Patience(0.001, 1.0))
    await lifeline.prepare()
    errands = Errands(lifeline, pause=0.001, closing=0.02)
    yield errands, lifeline
    await errands.aclose()
    await lifeline.aclose()


async def _ask(database: Database, errand: Errand) -> int:
    return await errand.surely(database.ask)


async def test_an_errand_answers() -> None:
    """Whoever waits gets the result, or what the work raises, and what was held is let go of."""
    database, ended = Database(), list[str]()
    database.back.set()

    async def fails(errand: Errand) -> None:
        await errand.once(database.ask)
        raise NotFound

    async with _opened(database) as (errands, _), AsyncExitStack() as held:
        held.callback(ended.append, "held")
        assert await errands.begin(lambda errand: _ask(database, errand), held.pop_all()) == 1
        assert ended == ["held"]
        with pytest.raises(NotFound):
            await errands.begin(fails, held.pop_all())
        await asyncio.sleep(0)
        assert len(errands) == 0


async def test_it_goes_on_when_the_database_is_back() -> None:
    """The caller hears at once that the database is away; while it is nothing asks it, and when it
    is back the work is done, what it holds being held until then."""
    database, ended = Database(), asyncio.Event()
    async with _opened(database) as (errands, lifeline), AsyncExitStack() as held:
        held.callback(ended.set)
        answer = errands.begin(lambda errand: _ask(database, errand), held.pop_all())
        with pytest.raises(Unavailable):
            await answer
        await asyncio.wait_for(database.missed.wait(), 5)
        await asyncio.sleep(0.01)
        assert not lifeline.is_ready()
        asked = database.asked
        await asyncio.sleep(0.02)
        assert database.asked == asked
        assert not ended.is_set()
        database.back.set()
        await asyncio.wait_for(ended.wait(), 5)

    assert database.asked == asked + 1


async def test_who_stops_waiting_stops_nothing() -> None:
    """A caller who is cancelled leaves the work to be done; a fault of it then is logged."""
    database, go, done = Database(), asyncio.Event(), asyncio.Event()
    database.back.set()

    async def waits(errand: Errand) -> None:
        await errand.once(go.wait)
        done.set()
        raise ZeroDivisionError

    async with _opened(database) as (errands, _):
        caller = asyncio.ensure_future(errands.begin(waits, AsyncExitStack()))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        with capture_logs() as logs:
            go.set()
            await asyncio.wait_for(done.wait(), 5)
            await errands.aclose()
            await asyncio.sleep(0)

    assert [each["event"] for each in logs] == ["what a caller no longer waited for has failed"]


@pytest.mark.parametrize("there_at", [1, 2, 3])
async def test_what_was_on_its_way_is_looked_for_twice(there_at: int) -> None:
    """What a write of unknown outcome has left is found at the second look as well, and the caller
    does not wait for either."""
    database, found = Database(), list[int | None]()
    database.back.set()

    async def seen() -> int | None:
        asked = await database.ask()
        return asked if asked >= there_at else None

    async def looks(errand: Errand) -> None:
        found.append(await errand.look(Unavailable.briefly(), seen))

    async with _opened(database) as (errands, _):
        with pytest.raises(Unavailable):
            await errands.begin(looks, AsyncExitStack())
        assert found == []

    assert found == [there_at if there_at < 3 else None]


async def test_the_end_is_bounded() -> None:
    """Work that does not end is cut at the end, and its caller is told."""
    database, ended = Database(), list[str]()
    database.back.set()

    async def never(errand: Errand) -> None:
        await errand.once(asyncio.Event().wait)

    async with _opened(database) as (errands, _), AsyncExitStack() as held:
        held.callback(ended.append, "held")
        answer = errands.begin(never, held.pop_all())
        await asyncio.sleep(0)
        await errands.aclose()
        with pytest.raises(Unavailable):
            await answer

    assert ended == ["held"]
