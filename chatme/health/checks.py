"""The parts that health looks at, and when each is down."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from odmantic import AIOEngine

from chatme.ports import Lifeline
from chatme.storage import engine as storage
from chatme.storage.redis import RedisError

Facts = Mapping[str, Any]
Check = Callable[[], Awaitable[Facts]]
"""Asks one part: what is known of it, or `Down`. It need not watch the time."""

_MIB = 1024 * 1024


class Down(Exception):
    """A part is down: why, in words for anybody, and what is known of it all the same."""

    def __init__(self, message: str, facts: Facts | None = None) -> None:
        self.message = message
        self.facts = dict(facts or {})
        super().__init__(message)


def database(engine: AIOEngine, lifeline: Lifeline) -> Check:
    """The database answers a ping, and can be used."""

    async def check() -> Facts:
        started = time.perf_counter()
        try:
            await storage.ping(engine)
        except storage.DatabaseError:
            raise Down("The database does not answer.") from None
        if not lifeline.is_ready():
            raise Down("The database is not ready yet.", {"pingMs": _ms_since(started)})
        return {"pingMs": _ms_since(started)}

    return check


def redis(ping: Callable[[], Awaitable[None]]) -> Check:
    """Redis answers a ping."""

    async def check() -> Facts:
        started = time.perf_counter()
        try:
            await ping()
        except (RedisError, OSError):
            raise Down("Redis does not answer.") from None
        return {"pingMs": _ms_since(started)}

    return check


def resident_bytes() -> int:
    """The memory that this process holds (Linux, proc(5): the second field of statm, in pages)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory(limit_mb: int, resident: Callable[[], int] = resident_bytes) -> Check:
    """The process holds no more than so many MiB."""

    async def check() -> Facts:
        used = round(resident() / _MIB, 1)
        if used > limit_mb:
            raise Down(f"More than {limit_mb} MiB are in use.", {"residentMb": used})
        return {"residentMb": used}

    return check


def free_bytes(folder: Path) -> int:
    """What this user can still write on the file system where the folder is, or will be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def disk(folder: Path, floor_mb: int, free: Callable[[Path], int] = free_bytes) -> Check:
    """The folder's file system has no less than so many MiB left."""

    async def check() -> Facts:
        try:
            # In a thread: a network file system may take its time.
            left = round(await asyncio.to_thread(free, folder) / _MIB, 1)
        except OSError:
            raise Down("The data folder cannot be read.") from None
        if left < floor_mb:
            raise Down(f"Less than {floor_mb} MiB are free.", {"freeMb": left})
        return {"freeMb": left}

    return check


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
