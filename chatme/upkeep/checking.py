"""The check of the settings' database, and the end of erasures that were cut."""

from __future__ import annotations

from collections.abc import Callable

from odmantic import AIOEngine

from chatme.accounts.models import Erasure
from chatme.settings import Settings
from chatme.storage import atomic
from chatme.storage.engine import EMBEDDED_FILE, open_engine
from chatme.upkeep.check.findings import Finding
from chatme.upkeep.check.plans import slow_queries
from chatme.upkeep.check.run import Check, Outcome
from chatme.upkeep.progress import Progress
from chatme.wiring import open_services

PAUSE = 2.0
"""Seconds between the two looks at what seems wrong, where servers may write meanwhile."""


async def check(
    settings: Settings,
    progress: Progress,
    say: Callable[[Finding, bool], object],
    *,
    repair: bool = False,
    explain: bool = False,
    pause: float = PAUSE,
) -> Outcome:
    """Looks at the whole database, and mends what can be mended where that is wanted.

    Where ``explain`` is, queries that no index serves are faults as well, if the server tells.

    Raises `NotCurrent`, `FileNotFoundError`, and `DatabaseError`, also where a server has the file.
    """
    is_embedded = settings.mongodb_uri is None
    if is_embedded and not (settings.data_dir / EMBEDDED_FILE).is_file():
        raise FileNotFoundError(f"there is no database in {settings.data_dir}")
    async with open_engine(settings, sweeping=False) as engine:
        pause = 0.0 if is_embedded else pause
        outcome = await Check(engine, progress, say, pause=pause, repair=repair).run()
        for each in (await slow_queries(engine) or ()) if explain else ():
            outcome.found += 1
            say(each, False)
        cut = await _erasures(engine)
    if repair and cut:
        # They are the services' own work: as at the start of a server, and to the end.
        async with open_services(settings) as services:
            await services.accounts.accounts.finish_erasures()
        async with open_engine(settings, sweeping=False) as engine:
            outcome.mended += cut - await _erasures(engine)
    return outcome


async def _erasures(engine: AIOEngine) -> int:
    return await atomic.count(engine, Erasure, {})
