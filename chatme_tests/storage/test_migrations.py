"""Changes of the stored documents: each once, whoever starts, and whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from odmantic import AIOEngine

from chatme.storage.engine import DatabaseError, open_engine
from chatme.storage.migrations import (
    MIGRATIONS,
    ForeignSchema,
    Migration,
    Pace,
    migrate,
    version,
    version_of,
)
from chatme_tests.fakes import SOMETIME, FrozenClock, settings_of
from chatme_tests.server import ROOT
from chatme_tests.upkeep.places import ENGINES, place_of

QUICK = Pace(beat=0.01, look=0.005, patience=60)
IMPATIENT = Pace(beat=0.01, look=0.005, patience=0.02)


class Toys:
    """Three migrations that say when they begin and end; the second takes a while."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.begun = asyncio.Event()

    @property
    def all(self) -> tuple[Migration, ...]:
        """The three."""
        return (
            Migration("one", lambda engine: self._apply(engine, "one")),
            Migration("two", lambda engine: self._apply(engine, "two")),
            Migration("three", lambda engine: self._apply(engine, "three")),
        )

    async def _apply(self, engine: AIOEngine, name: str) -> None:
        self.said.append(f"{name} begins")
        if name == "two":
            self.begun.set()
            await self.hold.wait()
        await engine.database["toys"].update_one({"_id": name}, {"$inc": {"n": 1}}, upsert=True)
        self.said.append(f"{name} ends")


@pytest.fixture(params=ENGINES)
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AIOEngine]:
    """An open database of each kind."""
    async with place_of(request.param, tmp_path) as settings, open_engine(settings) as opened:
        yield opened


async def _migrate(engine: AIOEngine, toys: Toys, pace: Pace = QUICK, **more: Any) -> None:
    await migrate(engine, toys.all, FrozenClock(), **{"alone": False, "pace": pace, **more})


async def _toys(engine: AIOEngine) -> dict[str, int]:
    return {each["_id"]: each["n"] async for each in engine.database["toys"].find()}


def test_the_list_is_one_to_go_by() -> None:
    """The program's own migrations have a name each."""
    names = [each.name for each in MIGRATIONS]

    assert len(set(names)) == len(names)


async def test_each_is_applied_once_in_order(engine: AIOEngine) -> None:
    """A fresh database has none, then all, with the time of each, and then nothing is done."""
    toys = Toys()
    before = await version(engine, toys.all)
    await _migrate(engine, toys)
    await _migrate(engine, toys)
    found: Any = await engine.database["schema"].find_one({})

    assert (before, await version(engine, toys.all)) == (0, 3)
    assert toys.said == [
        f"{name} {what}" for name in ("one", "two", "three") for what in ("begins", "ends")
    ]
    assert await _toys(engine) == {"one": 1, "two": 1, "three": 1}
    assert found["applied"][1] == {"name": "two", "at": SOMETIME}
    assert found["claim"] is None


async def test_nothing_to_do_writes_nothing(engine: AIOEngine) -> None:
    """Without migrations the database is not touched."""
    await migrate(engine, (), FrozenClock(), alone=False)

    assert await engine.database.list_collection_names() == []


async def test_a_longer_list_goes_on(engine: AIOEngine) -> None:
    """A newer program applies what is new to it alone."""
    toys = Toys()
    await migrate(engine, toys.all[:1], FrozenClock(), alone=False)
    await _migrate(engine, toys)

    assert await _toys(engine) == {"one": 1, "two": 1, "three": 1}


async def test_racing_nodes_apply_each_once(engine: AIOEngine) -> None:
    """Of ten nodes that start at once one applies a migration, and all wait for its end."""
    toys = Toys()
    toys.hold.clear()
    nodes = [asyncio.create_task(_migrate(engine, toys)) for _ in range(10)]
    await toys.begun.wait()
    done, _ = await asyncio.wait(nodes, timeout=0.1)
    assert not done
    toys.hold.set()
    await asyncio.gather(*nodes)

    assert len(toys.said) == 6
    assert await _toys(engine) == {"one": 1, "two": 1, "three": 1}


async def test_a_claim_that_stands_still_is_taken_over(engine: AIOEngine) -> None:
    """What a dead node has claimed is applied by the next one, after its patience."""
    toys = Toys()
    dead = {"_id": "schema", "applied": [], "claim": "dead", "beats": 7}
    await engine.database["schema"].insert_one(dead)
    waiting = asyncio.create_task(_migrate(engine, toys))
    await asyncio.wait([waiting], timeout=0.1)
    assert toys.said == []
    await _migrate(engine, Toys(), IMPATIENT)
    await waiting

    # The impatient one may take what the other is at as well, and do it once more.
    assert set(await _toys(engine)) == {"one", "two", "three"}
    assert await version(engine, toys.all) == 3


async def test_who_is_alone_waits_for_nobody(engine: AIOEngine) -> None:
    """Where no other process can have the database, an old claim is taken at once."""
    toys = Toys()
    dead = {"_id": "schema", "applied": [], "claim": "dead", "beats": 7}
    await engine.database["schema"].insert_one(dead)
    await _migrate(engine, toys, alone=True)

    assert await version(engine, toys.all) == 3


async def test_who_lost_the_claim_writes_down_nothing(engine: AIOEngine) -> None:
    """A node whose claim was taken stops, and follows; nothing is counted twice."""
    slow, quick = Toys(), Toys()
    slow.hold.clear()
    first = asyncio.create_task(_migrate(engine, slow))
    await slow.begun.wait()
    found: Any = await engine.database["schema"].find_one({})
    taken = {"$set": {"claim": "another"}, "$inc": {"beats": 1}}
    await engine.database["schema"].update_one({"claim": found["claim"]}, taken)
    await _migrate(engine, quick, IMPATIENT)
    await first

    assert "two ends" not in slow.said
    assert "two ends" in quick.said
    assert await version(engine, quick.all) == 3


async def test_a_migration_that_fails_lets_others_try(engine: AIOEngine) -> None:
    """Its error comes through, the claim is free at once, and the next start goes on from there."""
    toys, first, *rest = Toys(), *Toys().all

    async def fail(_: AIOEngine) -> None:
        raise ZeroDivisionError

    broken = (first, Migration(rest[0].name, fail), rest[1])
    with pytest.raises(ZeroDivisionError):
        await migrate(engine, broken, FrozenClock(), alone=False, pace=QUICK)
    assert await version(engine, broken) == 1
    await _migrate(engine, toys)

    assert toys.said[0] == "two begins"
    assert await version(engine, toys.all) == 3


async def test_a_start_that_is_called_off_lets_others_try(engine: AIOEngine) -> None:
    """A node that is stopped in the middle of a migration leaves no claim behind."""
    slow, toys = Toys(), Toys()
    slow.hold.clear()
    first = asyncio.create_task(_migrate(engine, slow))
    await slow.begun.wait()
    first.cancel()
    await asyncio.wait([first])
    await _migrate(engine, toys)

    assert await _toys(engine) == {"one": 1, "two": 1, "three": 1}


async def test_an_older_program_refuses(engine: AIOEngine) -> None:
    """A database that has had more, or others, is refused in words that say what to do."""
    toys = Toys()
    await _migrate(engine, toys)
    other = (Migration("other", toys.all[0].apply), *toys.all[1:])
    for older in (toys.all[:2], (), other):
        with pytest.raises(
            ForeignSchema, match=r"newer ChatMe: it has had 3 changes, the last “three”"
        ):
            await migrate(engine, older, FrozenClock(), alone=True)

    assert issubclass(ForeignSchema, DatabaseError)
    assert version_of(None, toys.all) == 0


KILLED = """
import asyncio, os, sys
from pathlib import Path
from chatme.storage.engine import open_engine
from chatme.storage.migrations import Migration, migrate
from chatme_tests.fakes import FrozenClock, settings_of

async def one(engine):
    await engine.database["toys"].insert_one({"_id": "one", "n": 1})

async def two(engine):
    await engine.database["toys"].insert_one({"_id": "half", "n": 1})
    os._exit(9)

async def main():
    async with open_engine(settings_of(Path(sys.argv[1]), mongodb_uri=None)) as engine:
        both = Migration("one", one), Migration("two", two)
        await migrate(engine, both, FrozenClock(), alone=True)

asyncio.run(main())
"""


async def test_a_killed_process_is_gone_on_from(tmp_path: Path) -> None:
    """Killed within the second migration, the next start begins with that one, and at once."""
    killed = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        KILLED,
        str(tmp_path),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )
    status = await killed.wait()
    toys = Toys()
    async with open_engine(settings_of(tmp_path, mongodb_uri=None)) as engine:
        before = await version(engine, toys.all)
        await _migrate(engine, toys, alone=True)
        after = await version(engine, toys.all)

    assert (status, before, after) == (9, 1, 3)
    assert toys.said[0] == "two begins"
