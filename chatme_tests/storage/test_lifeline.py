"""A database that is away is waited for, and nobody waits with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WTimeoutError,
)
from structlog.testing import capture_logs

from chatme.errors import Unavailable
from chatme.storage.embedded.errors import QueueFullError, StorageFailureError, UnsupportedError
from chatme.storage.lifeline import Lifeline, Patience

SOON = Patience(pause=0, ping=0.01)


class Database:
    """Raises what it is given, in turn, before it answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0
        self.silent = False
        self.seen = asyncio.Event()

    async def answer(self) -> None:
        """One question."""
        self.asked += 1
        self.seen.set()
        if self.silent:
            await asyncio.Event().wait()
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def database() -> Database:
    """A database that is there."""
    return Database()


@pytest.fixture
async def line(database: Database) -> AsyncIterator[Lifeline]:
    """The way to it, ready, with pings."""
    found = Lifeline(Database().answer, database.answer, SOON)
    await found.prepare()
    yield found
    await found.aclose()


async def _fail(line: Lifeline, error: Exception) -> None:
    async with line.guard():
        raise error


# The start


async def test_an_absence_is_waited_for(database: Database) -> None:
    """It is tried again, and said why, until the database is there; only then is it ready."""
    database.errors = [AutoReconnect("refused"), AutoReconnect("refused")]
    line = Lifeline(database.answer, patience=SOON)
    waiting = asyncio.create_task(line.wait())
    with capture_logs() as logs:
        with pytest.raises(Unavailable):
            await _fail(line, AssertionError("let in"))
        await line.prepare_patiently()
    await waiting

    assert (line.is_ready(), database.asked) == (True, 3)
    assert [each["event"] for each in logs] == ["waiting for the database"] * 2


async def test_what_does_not_pass_is_raised() -> None:
    """A fault of the database ends the patience; it is not ready."""
    line = Lifeline(Database(OperationFailure("index differs")).answer)
    with pytest.raises(OperationFailure):
        await line.prepare_patiently()
    assert not line.is_ready()


async def test_without_patience_an_absence_is_raised() -> None:
    """Who cannot wait is told at once."""
    with pytest.raises(AutoReconnect):
        await Lifeline(Database(AutoReconnect("refused")).answer).prepare()


# What is told


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("connection closed"),
        NetworkTimeout("timed out"),
        NotPrimaryError("stepped down"),
        ServerSelectionTimeoutError("no server"),
        WaitQueueTimeoutError("no connection is free"),
        ExecutionTimeout("operation exceeded time limit"),
        WTimeoutError("not journalled in time"),
        QueueFullError("20,000 wait"),
        StorageFailureError("disk is full"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_passes_may_be_tried_again(line: Lifeline, error: Exception) -> None:
    """Whatever says that the database is away becomes `unavailable`, with when to come back."""
    with pytest.raises(Unavailable) as raised:
        await _fail(line, error)
    assert (raised.value.retry_after, raised.value.__cause__) == (1, error)


@pytest.mark.parametrize(
    "error",
    [
        OperationFailure("bad value"),
        DuplicateKeyError("taken"),
        UnsupportedError("$where"),
        TimeoutError("somebody else's"),
        ValueError("no database's"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_fault_stays_a_fault(line: Lifeline, error: Exception) -> None:
    """What trying again does not mend comes through as it is."""
    with pytest.raises(type(error)):
        await _fail(line, error)


# In the middle


async def test_all_work_ends_with_a_lost_database(line: Lifeline, database: Database) -> None:
    """Where a failure is followed by a ping without answer, all that waits is told at once, what
    comes is refused, and everything goes on with the next answer."""
    database.silent = True
    begun = asyncio.Event()

    async def work() -> None:
        async with line.guard():
            begun.set()
            await asyncio.Event().wait()

    working = [asyncio.create_task(work()) for _ in range(3)]
    await begun.wait()
    with capture_logs() as logs:
        with pytest.raises(Unavailable):
            await _fail(line, AutoReconnect("reset"))
        results = await asyncio.gather(*working, return_exceptions=True)
        assert [type(each) for each in results] == [Unavailable] * 3
        assert not line.is_ready()
        with pytest.raises(Unavailable):
            await _fail(line, AssertionError("let in"))
        database.silent = False
        await line.wait()

    told = [each["event"] for each in logs]
    assert told == ["the database is away", "the database is lost", "the database is back"]
    async with line.guard():
        pass


async def test_a_refused_ping_is_no_answer(line: Lifeline, database: Database) -> None:
    """A database that is there but does no work, as one that has not read its users yet, is asked
    until it does: no answer of its ends the asking."""
    database.errors = [OperationFailure("not authorised"), OperationFailure("not authorised")]
    with capture_logs() as logs:
        with pytest.raises(Unavailable):
            await _fail(line, AutoReconnect("reset"))
        async with asyncio.timeout(5):
            while database.asked < 3:
                await database.seen.wait()
                database.seen.clear()
        await line.wait()

    told = [each["event"] for each in logs]
    assert told == ["the database is away", "the database is lost", "the database is back"]


async def test_one_failure_of_its_own_harms_nobody_else(line: Lifeline, database: Database) -> None:
    """Where the ping is answered, a failure was that operation's alone."""
    with pytest.raises(Unavailable):
        await _fail(line, NetworkTimeout("slow query"))
    await database.seen.wait()

    assert line.is_ready()


@pytest.mark.parametrize("error", [ExecutionTimeout("slow"), WTimeoutError("slow")])
async def test_a_slow_answer_is_a_sign_of_life(
    line: Lifeline, database: Database, error: Exception
) -> None:
    """An operation that the database itself gave up asks for no ping."""
    with pytest.raises(Unavailable):
        await _fail(line, error)
    await asyncio.sleep(0)

    assert database.asked == 0


async def test_without_pings_each_failure_is_its_own() -> None:
    """The embedded database is never lost: what failed is told, the next may succeed."""
    line = Lifeline(Database().answer)
    await line.prepare()
    for _ in range(3):
        with pytest.raises(Unavailable):
            await _fail(line, StorageFailureError("disk is full"))
        assert line.is_ready()
