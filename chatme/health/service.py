"""What must be up for the service to be whole, and whether it is."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from odmantic import AIOEngine

from chatme.health.wire import HealthReport
from chatme.storage import engine as storage

PING_SECONDS = 2.0


class HealthService:
    """Lives as long as the app; holds no state of its own."""

    def __init__(self, engine: AIOEngine, memory_limit_mb: int) -> None:
        self._engine = engine
        self._memory_limit_mb = memory_limit_mb

    async def report(self) -> HealthReport:
        """Asks each part, each within two seconds."""
        details = {"mongodb": await self._database(), "memory_heap": self._memory()}
        up = {name: part for name, part in details.items() if part["status"] == "up"}
        down = {name: part for name, part in details.items() if part["status"] != "up"}
        return HealthReport(status="error" if down else "ok", info=up, error=down, details=details)

    async def _database(self) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            await asyncio.wait_for(storage.ping(self._engine), PING_SECONDS)
        except (storage.DatabaseError, TimeoutError):
            return {"status": "down", "message": "The database does not answer."}
        return {"status": "up", "pingMs": round((time.perf_counter() - started) * 1000, 2)}

    def _memory(self) -> dict[str, Any]:
        used = round(resident_bytes() / 1024 / 1024, 1)
        over = used > self._memory_limit_mb
        part: dict[str, Any] = {"status": "down" if over else "up", "residentMb": used}
        if over:
            part["message"] = f"More than {self._memory_limit_mb} MiB are in use."
        return part


def resident_bytes() -> int:
    """The memory that this process holds (Linux, proc(5): the second field of statm, in pages)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
