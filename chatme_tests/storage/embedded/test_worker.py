"""The two threads: groups, failures, limits and ends."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo.errors import InvalidOperation

from chatme.storage.embedded import writes
from chatme.storage.embedded.errors import QueueFullError, Refusal, StorageFailureError
from chatme.storage.embedded.scan import covered_count
from chatme.storage.embedded.store import Store, create
from chatme.storage.embedded.worker import Operation, Reader, Writer

NAMESPACE = ("chatme", "things")


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    """A running writer with room for a hundred operations."""
    create(path)
    made = Writer("writer", Store(path), asyncio.get_running_loop(), limit=100)
    made.start()
    yield made
    made.stop()
    made.join()


def insert(number: int) -> Any:
    """An operation that inserts a document."""
    raw = bson.encode({"_id": number})
    return lambda store: writes.insert(store, NAMESPACE, raw)


def count(store: Store) -> int:
    """How many documents there are."""
    collection = store.catalog.get(NAMESPACE)
    if collection is None:
        return 0
    found = covered_count(store, collection, ())
    return found or 0


class Gate:
    """Holds the thread in an operation until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, store: Store) -> None:
        self.reached.set()
        assert self._open.wait(10)

    def open(self) -> None:
        """Let the thread go on."""
        self._open.set()


async def test_what_waits_is_committed_at_once(writer: Writer) -> None:
    """Writes that wait while another runs share one commit."""
    gate = Gate()
    held = writer.submit(gate)
    await asyncio.to_thread(gate.reached.wait, 10)
    waiting = [writer.submit(insert(n)) for n in range(50)]
    gate.open()
    await asyncio.gather(held, *waiting)

    assert writer.commits == 2
    assert await writer.submit(count) == 50


async def test_a_failure_fails_alone(writer: Writer) -> None:
    """An operation that raises leaves nothing and hurts no other of its group."""

    def fails(store: Store) -> None:
        with store.atomic():
            writes.insert(store, NAMESPACE, bson.encode({"_id": 7}))
            raise ZeroDivisionError

    results = await asyncio.gather(
        *(writer.submit(each) for each in (insert(1), fails, insert(1), insert(2))),
        return_exceptions=True,
    )

    assert [type(None), ZeroDivisionError, Refusal, type(None)] == [type(each) for each in results]
    assert await writer.submit(count) == 2


async def test_a_broken_transaction_fails_the_group(writer: Writer) -> None:
    """When SQLite fails, no write of the group is acknowledged or there, and the next works."""

    def breaks(store: Store) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    await writer.submit(insert(0))
    gate = Gate()
    held = writer.submit(gate)
    await asyncio.to_thread(gate.reached.wait, 10)
    group = [writer.submit(each) for each in (insert(1), insert(0), breaks, insert(3))]
    gate.open()
    await held
    results = await asyncio.gather(*group, return_exceptions=True)

    assert [*[StorageFailureError] * 3, type(None)] == [type(each) for each in results]
    assert await writer.submit(count) == 2


async def test_a_failed_commit_fails_the_group(writer: Writer) -> None:
    """When the commit itself fails, every write of the group is told so and undone."""

    def undermines(store: Store) -> None:
        # A foreign key checked at the commit stands for a disk that is full by then.
        store.connection.execute("ROLLBACK")
        store.connection.execute("PRAGMA foreign_keys = ON")
        store.connection.execute("BEGIN IMMEDIATE")
        store.connection.execute("CREATE TABLE IF NOT EXISTS p(a PRIMARY KEY)")
        store.connection.execute(
            "CREATE TABLE IF NOT EXISTS c(a REFERENCES p(a) DEFERRABLE INITIALLY DEFERRED)"
        )
        store.connection.execute("INSERT INTO c VALUES (1)")

    await writer.submit(insert(0))
    gate = Gate()
    held = writer.submit(gate)
    await asyncio.to_thread(gate.reached.wait, 10)
    group = [writer.submit(each) for each in (undermines, insert(1), insert(2))]
    gate.open()
    await held
    results = await asyncio.gather(*group, return_exceptions=True)

    assert [StorageFailureError] * 3 == [type(each) for each in results]
    assert await writer.submit(count) == 1
    await writer.submit(insert(1))
    assert await writer.submit(count) == 2


async def test_the_queue_has_a_limit(writer: Writer) -> None:
    """Beyond its limit the queue refuses at once, and takes more when it has emptied."""
    gate = Gate()
    held = [writer.submit(gate)]
    held += [writer.submit(count) for _ in range(99)]

    with pytest.raises(QueueFullError):
        writer.submit(count)
    gate.open()
    await asyncio.gather(*held)
    assert await writer.submit(count) == 0


async def test_after_the_end(writer: Writer) -> None:
    """What was queued before the end is done, what comes after is refused."""
    queued = [writer.submit(insert(n)) for n in range(10)]
    writer.stop()

    with pytest.raises(InvalidOperation):
        writer.submit(count)
    assert await asyncio.gather(*queued) == [None] * 10


async def test_a_cancelled_caller(writer: Writer) -> None:
    """A caller that gives up disturbs no other."""
    gate = Gate()
    held = writer.submit(gate)
    given_up = writer.submit(insert(1))
    given_up.cancel()
    gate.open()
    await held

    assert await writer.submit(count) == 1


async def test_a_reader_sees_what_was_acknowledged(writer: Writer, path: Path) -> None:
    """A read after an acknowledged write sees it."""
    reader = Reader("reader", Store(path, read_only=True), asyncio.get_running_loop())
    reader.start()
    for number in range(50):
        await writer.submit(insert(number))
        assert number + 1 == await reader.submit(count)
    with pytest.raises(StorageFailureError):
        await reader.submit(lambda store: store.connection.execute("SELECT * FROM nowhere"))
    assert await reader.submit(count) == 50
    reader.stop()
    reader.join()


async def test_every_operation_is_watched(path: Path) -> None:
    """Whoever watches is told of each operation once, refused ones too, and of what waits."""
    told: list[tuple[Operation, float]] = []
    create(path)
    loop = asyncio.get_running_loop()
    made = Writer("w", Store(path), loop, watch=lambda *what: told.append(what))
    made.start()
    first, second = insert(1), insert(1)
    writes = [made.submit(first), made.submit(second)]
    waiting = made.waiting
    await asyncio.gather(*writes, return_exceptions=True)
    made.stop()
    await asyncio.to_thread(made.join)

    assert [operation for operation, _ in told] == [first, second]
    assert all(0 < seconds < 10 for _, seconds in told)
    assert (waiting, made.waiting) == (2, 0)
