"""The parts of health: what is said of each when it is up, and when it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatme.health.checks import (
    Check,
    Down,
    database,
    disk,
    free_bytes,
    memory,
    redis,
    resident_bytes,
)
from chatme.storage.lifeline import Lifeline
from chatme.storage.redis import RedisError
from chatme_tests.fakes import AlwaysThere, opened_engine

MIB = 1024 * 1024


async def _why(check: Check) -> Down:
    """What is told of a part that is down."""
    with pytest.raises(Down) as caught:
        await check()
    return caught.value


async def test_a_database_is_up(tmp_path: Path) -> None:
    """A database that answers tells how long that took."""
    async with opened_engine(tmp_path / "data", []) as engine:
        facts = await database(engine, AlwaysThere())()

    assert list(facts) == ["pingMs"]
    assert 0 <= facts["pingMs"] < 2000


async def test_a_closed_database_is_down(tmp_path: Path) -> None:
    """One that does not is named, without details."""
    async with opened_engine(tmp_path / "data", []) as engine:
        pass

    assert (await _why(database(engine, AlwaysThere()))).message == "The database does not answer."


async def test_a_deleted_file_is_down(tmp_path: Path) -> None:
    """A database whose file was deleted under it would lose all that it still writes."""
    async with opened_engine(tmp_path / "data", [], mongodb_uri=None) as engine:
        (tmp_path / "data" / "chatme.db").unlink()

        assert (
            await _why(database(engine, AlwaysThere()))
        ).message == "The database does not answer."


async def _never() -> None:
    raise NotImplementedError


async def test_a_database_that_is_not_ready_is_down(tmp_path: Path) -> None:
    """One that answers, but whose indexes are still to be made, is not up yet."""
    opening = Lifeline(_never)
    async with opened_engine(tmp_path / "data", []) as engine:
        down = await _why(database(engine, opening))

    assert down.message == "The database is not ready yet."
    assert list(down.facts) == ["pingMs"]


@pytest.mark.parametrize("fault", [RedisError("no"), ConnectionRefusedError("no")])
async def test_redis_is_down(fault: Exception) -> None:
    """Whatever keeps Redis from answering, it is down, without details."""

    async def ping() -> None:
        raise fault

    assert (await _why(redis(ping))).message == "Redis does not answer."


async def test_redis_is_up() -> None:
    """A Redis that answers tells how long that took."""

    async def ping() -> None:
        pass

    assert list(await redis(ping)()) == ["pingMs"]


async def test_memory_has_a_limit() -> None:
    """At its limit memory is up, over it down, and either way it is told how much there is."""
    over = await _why(memory(100, lambda: 101 * MIB))

    assert await memory(100, lambda: 100 * MIB)() == {"residentMb": 100}
    assert (over.message, over.facts) == ("More than 100 MiB are in use.", {"residentMb": 101})


def test_resident_memory_is_measured() -> None:
    """The measure moves with what the process holds."""
    before = resident_bytes()
    held = bytearray(b"x") * (64 * MIB)

    assert resident_bytes() - before > 32 * MIB
    assert len(held) > 0


async def test_the_disk_has_a_floor(tmp_path: Path) -> None:
    """At its floor the disk is up, under it down, and either way it is told how much is free."""
    full = await _why(disk(tmp_path, 100, lambda _: 99 * MIB))

    assert await disk(tmp_path, 100, lambda _: 100 * MIB)() == {"freeMb": 100}
    assert (full.message, full.facts) == ("Less than 100 MiB are free.", {"freeMb": 99})


async def test_an_unreadable_disk_is_down(tmp_path: Path) -> None:
    """A file system that fails is down."""

    def fails(_: Path) -> int:
        raise OSError

    assert (await _why(disk(tmp_path, 0, fails))).message == "The data folder cannot be read."


def test_a_folder_to_be_made(tmp_path: Path) -> None:
    """What is free is known before the data folder is there, as with a MongoDB elsewhere."""
    assert free_bytes(tmp_path / "not" / "yet") > 0


@pytest.mark.parametrize("part", [memory, disk])
def test_the_real_measures_are_the_default(part: Callable[..., Any]) -> None:
    """Nothing but a test hands in a measure of its own."""
    assert (part.__defaults__ or ())[-1] in {resident_bytes, free_bytes}
