"""Cut anywhere: everything of several writes, cut before and after each of them in turn, by the
database and by the process's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from pymongo.errors import AutoReconnect

from chatme.errors import Unavailable
from chatme.settings import Settings
from chatme.storage.engine import open_engine
from chatme.upkeep.check.findings import Finding
from chatme.upkeep.check.run import Check
from chatme.upkeep.progress import Progress
from chatme.wiring import Services, open_services
from chatme_tests.conversations.engines import Crash, CutEngine, DyingEngine, ScopedEngine
from chatme_tests.fakes import FrozenClock, settings_of
from chatme_tests.flows.cut_acts import ACTS, Act
from chatme_tests.flows.cut_scene import Scene


class Cut(NamedTuple):
    """Where and how it is cut: at which write, before or after it, and by what."""

    at: int
    late: bool
    killed: bool


class Theatre:
    """One database, in which every cut of an act has people of its own.

    ``calm`` is a server over it that is never cut, ``shaky`` one that each cut hits in its own way.
    """

    def __init__(
        self,
        engine: ScopedEngine,
        settings: Settings,
        clock: FrozenClock,
        calm: Services,
        shaky: Services,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.clock = clock
        self.calm = calm
        self.shaky = shaky

    async def play(self, act: Act, cut: Cut) -> Scene:
        """Does the act, which is cut."""
        scene = Scene(self.engine, self.clock)
        await scene.begin(self.calm)
        await act.before(self.calm, scene)
        kind = DyingEngine if cut.killed else CutEngine
        gate = kind(self.engine, cut.at, late=cut.late)
        self.engine.gate.set(gate)
        with suppress(AutoReconnect, Unavailable, Crash):
            await act.do(self.shaky, scene)
        assert len(gate.made) > cut.at
        return scene

    async def play_twice(self, act: Act, cut: Cut) -> Scene:
        """Does the act, which is cut by the database, and again."""
        scene = await self.play(act, cut)
        await self.again(act, scene, self.shaky)
        return scene

    async def settle(self) -> None:
        """What goes on without its caller comes to its end."""
        await self.shaky.conversations.conversations.errands.aclose()

    async def again(self, act: Act, scene: Scene, services: Services) -> None:
        """Does the act once more, which comes to its end."""
        await act.do(services, scene)
        await act.after(services, scene)
        await scene.check(services)

    def restarted(self) -> AbstractAsyncContextManager[Services]:
        """A server that was started after another one was killed."""
        return open_services(self.settings, self.clock, over=self.engine)

    async def mend(self) -> None:
        """Repairs what can be repaired, as `chatme check` does, to its end."""
        await self.faults(repair=True)
        async with self.restarted() as services:
            await services.accounts.accounts.finish_erasures()

    async def check(self, act: Act) -> None:
        """Nothing is wrong but for what the act may leave, and that can be mended."""
        found = await self.faults()
        assert all(act.leaves and each.endswith(act.leaves) for each in found)
        await self.mend()
        assert await self.faults() == []

    async def faults(self, *, repair: bool = False) -> list[str]:
        """What a check finds."""
        found: list[str] = []

        def say(each: Finding, _: bool) -> None:
            found.append(each.words)

        await Check(self.engine, Progress(), say, pause=0, repair=repair).run()
        return found


@pytest.fixture
async def theatre(tmp_path: Path) -> AsyncIterator[Theatre]:
    """An empty database."""
    settings, clock = settings_of(tmp_path), FrozenClock()
    async with open_engine(settings, sweeping=False) as engine:
        scoped = ScopedEngine(engine)
        async with (
            open_services(settings, clock, over=engine) as calm,
            open_services(settings, clock, over=scoped) as shaky,
        ):
            yield Theatre(scoped, settings, clock, calm, shaky)


@pytest.mark.parametrize("name", ACTS)
async def test_an_absence_is_made_up_for(theatre: Theatre, name: str) -> None:
    """Wherever the database was cut: once the caller has asked again it is done, once; who came to
    a group or was shut out found one notification of it, and what is left to mend of a conversation
    that was never made is seen by nobody."""
    act = ACTS[name]
    cuts = [Cut(at, late, killed=False) for at in range(act.writes) for late in (False, True)]
    scenes = await asyncio.gather(*(theatre.play_twice(act, cut) for cut in cuts))
    await theatre.settle()
    for scene in scenes:
        await scene.check_groups(theatre.shaky, shut_out=act.shuts_out)

    await theatre.check(act)


@pytest.mark.parametrize("name", ACTS)
async def test_a_crash_is_made_up_for(theatre: Theatre, name: str) -> None:
    """Wherever the process was killed: once another one was started, and the caller has asked
    again, it is done, once, as well."""
    act = ACTS[name]
    # What is there before a write was there after the one before.
    cuts = [Cut(at, late=True, killed=True) for at in range(act.writes)]
    scenes = await asyncio.gather(*(theatre.play(act, cut) for cut in cuts))
    async with theatre.restarted() as services:
        await asyncio.gather(*(theatre.again(act, scene, services) for scene in scenes))

    await theatre.check(act)


@pytest.mark.parametrize("name", ACTS)
async def test_a_crash_is_mended(theatre: Theatre, name: str) -> None:
    """Wherever the process was killed, and nobody asks again: a repair mends what is found."""
    act = ACTS[name]
    cuts = [Cut(at, late=True, killed=True) for at in range(act.writes)]
    await asyncio.gather(*(theatre.play(act, cut) for cut in cuts))

    await theatre.mend()
    assert await theatre.faults() == []
