"""Health: what is up, and what is said of what is not."""

from __future__ import annotations

from pathlib import Path

from chatme.health.service import HealthService, resident_bytes
from chatme_tests.fakes import opened_engine

PLENTY = 1024 * 1024


async def test_all_is_up(tmp_path: Path) -> None:
    """With a database that answers and memory to spare, both parts are up and nothing is wrong."""
    async with opened_engine(tmp_path / "data", []) as engine:
        report = await HealthService(engine, PLENTY).report()

    assert (report.status, report.error) == ("ok", {})
    assert report.info == report.details
    assert {"mongodb", "memory_heap"} == set(report.details)
    assert report.details["mongodb"]["status"] == "up"
    assert 0 <= report.details["mongodb"]["pingMs"] < 2000
    assert report.details["memory_heap"]["residentMb"] > 1


async def test_a_closed_database_is_down(tmp_path: Path) -> None:
    """A database that does not answer is named, without details, and the rest is still told."""
    async with opened_engine(tmp_path / "data", []) as engine:
        pass
    report = await HealthService(engine, PLENTY).report()

    assert report.status == "error"
    assert report.error == {
        "mongodb": {"status": "down", "message": "The database does not answer."}
    }
    assert list(report.info) == ["memory_heap"]


async def test_memory_over_its_limit_is_down(tmp_path: Path) -> None:
    """More memory than is allowed is a part that is down, with the limit in words."""
    async with opened_engine(tmp_path / "data", []) as engine:
        report = await HealthService(engine, 1).report()

    assert report.status == "error"
    assert list(report.error) == ["memory_heap"]
    assert report.error["memory_heap"]["message"] == "More than 1 MiB are in use."
    assert list(report.info) == ["mongodb"]


async def test_the_report_is_the_contract_s(tmp_path: Path) -> None:
    """On the wire the report has the four fields of the contract."""
    async with opened_engine(tmp_path / "data", []) as engine:
        plain = (await HealthService(engine, PLENTY).report()).to_plain()

    assert list(plain) == ["status", "info", "error", "details"]


def test_resident_memory_is_measured() -> None:
    """The measure moves with what the process holds."""
    before = resident_bytes()
    held = bytearray(b"x") * (64 * 1024 * 1024)

    assert resident_bytes() - before > 32 * 1024 * 1024
    assert len(held) > 0
