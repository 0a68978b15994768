"""Whether the service is whole: every part asked at once, within a bound, for many callers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from chatme.health.checks import Check, Down
from chatme.health.wire import HealthReport

DEADLINE = 2.0
FRESH_SECONDS = 1.0

log = structlog.stdlib.get_logger("chatme.health")


class HealthService:
    """Lives as long as the app; `aclose` it.

    Whoever asks while a report is being made, or within a second of it, is told the same: however
    often health is asked, the parts are asked once a second.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        deadline: float = DEADLINE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probes = {name: _Probe(check, deadline) for name, check in checks.items()}
        self._now = now
        self._report: asyncio.Task[HealthReport] | None = None
        self._fresh_until = 0.0
        self._down: frozenset[str] = frozenset()

    async def report(self) -> HealthReport:
        """How every part is, no older than a second."""
        known = self._report
        if known is None or (known.done() and self._now() >= self._fresh_until):
            self._report = known = asyncio.create_task(self._ask_all())
        # Shielded: a caller who hangs up takes nothing from the others.
        return await asyncio.shield(known)

    async def aclose(self) -> None:
        """Gives up what is still being asked."""
        asking = [probe.asking for probe in self._probes.values()]
        tasks = [task for task in (self._report, *asking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_all(self) -> HealthReport:
        found = await asyncio.gather(*(probe.ask() for probe in self._probes.values()))
        details = dict(zip(self._probes, found, strict=True))
        up = {name: part for name, part in details.items() if part["status"] == "up"}
        down = {name: part for name, part in details.items() if part["status"] != "up"}
        self._log(down)
        self._fresh_until = self._now() + FRESH_SECONDS
        return HealthReport(status="error" if down else "ok", info=up, error=down, details=details)

    def _log(self, down: Mapping[str, Mapping[str, Any]]) -> None:
        """Tells the log what changed since the last report, once."""
        for name in down.keys() - self._down:
            log.warning("a part is down", part=name, reason=down[name]["message"])
        for name in self._down - down.keys():
            log.info("a part is up again", part=name)
        self._down = frozenset(down)


class _Probe:
    """One part, asked by one question at a time: a frozen part would gather them."""

    def __init__(self, check: Check, deadline: float) -> None:
        self.asking: asyncio.Task[dict[str, Any]] | None = None
        self._check = check
        self._deadline = deadline

    async def ask(self) -> dict[str, Any]:
        """How the part is; down where it says nothing in time, then or since it was last asked."""
        if self.asking is None or self.asking.done():
            self.asking = asyncio.create_task(self._answer())
        answered, _ = await asyncio.wait({self.asking}, timeout=self._deadline)
        if not answered:
            return {"status": "down", "message": f"No answer within {self._deadline:g} s."}
        return self.asking.result()

    async def _answer(self) -> dict[str, Any]:
        try:
            return {"status": "up", **await self._check()}
        except Down as down:
            return {"status": "down", **down.facts, "message": down.message}
