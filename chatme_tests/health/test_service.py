"""Health: one report of all parts, within a bound, shared by all who ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from chatme.health.checks import Check, Down
from chatme.health.service import FRESH_SECONDS, HealthService

SHORT = 0.01


class Part:
    """A part that counts how often it is asked, and answers when it may."""

    def __init__(self, *, frozen: bool = False, down: str = "") -> None:
        self.asked = 0
        self.down = down
        self.noticed = asyncio.Event()
        self.thawed = asyncio.Event()
        if not frozen:
            self.thawed.set()

    async def __call__(self) -> Mapping[str, Any]:
        """Its facts, or why it is down."""
        self.asked += 1
        self.noticed.set()
        await self.thawed.wait()
        if self.down:
            raise Down(self.down, {"left": 0})
        return {"left": 1}


class Stopwatch:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        """Now."""
        return self.at


@asynccontextmanager
async def _health(
    checks: Mapping[str, Check], deadline: float = 10, now: Callable[[], float] | None = None
) -> AsyncIterator[HealthService]:
    service = HealthService(checks, deadline, now or Stopwatch())
    try:
        yield service
    finally:
        await service.aclose()


async def test_all_is_up() -> None:
    """Where every part answers all is well, and the report has the contract's four fields."""
    async with _health({"one": Part(), "two": Part()}) as service:
        report = await service.report()

    part = {"status": "up", "left": 1}
    assert (report.status, report.error) == ("ok", {})
    assert report.info == report.details == {"one": part, "two": part}
    assert list(report.to_plain()) == ["status", "info", "error", "details"]


async def test_one_part_is_down() -> None:
    """A part that is down is named with its reason, and the rest is still told."""
    async with _health({"one": Part(down="Broken."), "two": Part()}) as service:
        report = await service.report()

    assert report.status == "error"
    assert report.error == {"one": {"status": "down", "left": 0, "message": "Broken."}}
    assert list(report.info) == ["two"]
    assert list(report.details) == ["one", "two"]


async def test_a_frozen_part_is_down() -> None:
    """A part that never answers is down at the deadline; the others are not held up by it."""
    async with _health({"one": Part(frozen=True), "two": Part()}, SHORT) as service:
        report = await service.report()

    assert report.error == {"one": {"status": "down", "message": "No answer within 0.01 s."}}
    assert report.info == {"two": {"status": "up", "left": 1}}


async def test_parts_are_asked_at_once() -> None:
    """Two parts that each wait for the other to be asked are both up."""
    first, second = Part(frozen=True), Part(frozen=True)

    async def one() -> Mapping[str, Any]:
        second.thawed.set()
        return await first()

    async def two() -> Mapping[str, Any]:
        first.thawed.set()
        return await second()

    async with _health({"one": one, "two": two}) as service:
        assert (await service.report()).status == "ok"


async def test_a_frozen_part_is_asked_once() -> None:
    """While a question hangs no other is put; once it is answered the part is up again."""
    part, now = Part(frozen=True), Stopwatch()
    async with _health({"one": part}, SHORT, now) as service:
        for _ in range(3):
            assert (await service.report()).status == "error"
            now.at += FRESH_SECONDS
        assert part.asked == 1
        part.thawed.set()
        assert (await service.report()).status == "ok"


async def test_a_flood_is_one_question() -> None:
    """A thousand callers at once are told the same of one look, and so are those soon after."""
    part, now = Part(), Stopwatch()
    async with _health({"one": part}, now=now) as service:
        reports = await asyncio.gather(*(service.report() for _ in range(1000)))
        now.at += FRESH_SECONDS * 0.9
        reports.append(await service.report())
        assert part.asked == 1
        assert all(report is reports[0] for report in reports)

        now.at += FRESH_SECONDS * 0.2
        await service.report()
        assert part.asked == 2


async def test_a_caller_who_hangs_up() -> None:
    """takes nothing from those who wait for the same report."""
    part = Part(frozen=True)
    async with _health({"one": part}) as service:
        leaves, stays = (asyncio.create_task(service.report()) for _ in range(2))
        await part.noticed.wait()
        leaves.cancel()
        await asyncio.wait({leaves})
        part.thawed.set()

        assert (await stays).status == "ok"


async def test_what_changed_is_logged_once() -> None:
    """The log says when a part went down and when it came back, and nothing in between."""
    part, now = Part(down="Broken."), Stopwatch()
    with capture_logs() as logged:
        async with _health({"one": part}, now=now) as service:
            for down in ("Broken.", "Broken.", "", ""):
                part.down = down
                await service.report()
                now.at += FRESH_SECONDS

    assert [line["event"] for line in logged] == ["a part is down", "a part is up again"]


async def test_the_end_gives_up_what_hangs() -> None:
    """Closing waits for no part."""
    service = HealthService({"one": Part(frozen=True)}, 10)
    waiting = asyncio.create_task(service.report())
    await asyncio.sleep(0)
    await service.aclose()

    with pytest.raises(asyncio.CancelledError):
        await waiting
