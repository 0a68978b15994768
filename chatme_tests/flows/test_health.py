"""Health of the running server, with real failures."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from chatme.health import checks
from chatme.health.service import FRESH_SECONDS, HealthService
from chatme.storage.engine import open_engine
from chatme_tests.fakes import AlwaysThere, settings_of
from chatme_tests.mongodb_stub import MongoDBStub
from chatme_tests.redis_stub import RedisStub, free_port
from chatme_tests.server import Server
from chatme_tests.serving import PATIENCE

MIB = 1024 * 1024
PARTS = {"mongodb", "memory_heap", "disk"}


async def _health(server: Server) -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
        response = await http.get(f"{server.url}/api/v1/health")
        live = await http.get(f"{server.url}/api/v1/health/live")
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    return response.status_code, response.json()


async def _only_down(server: Server) -> tuple[str, dict[str, Any]]:
    """The one part that is down, while all others are up and the server serves on."""
    status, report = await _health(server)
    assert (status, report["status"]) == (503, "error")
    ((name, part),) = report["error"].items()
    assert report["details"] == {**report["info"], name: part}
    assert all(each["status"] == "up" for each in report["info"].values())
    assert set(report["details"]) >= PARTS
    return name, part


async def _until(server: Server, wanted: int) -> dict[str, Any]:
    """The first report with that status: one may be a second old."""
    async with asyncio.timeout(PATIENCE):
        while True:
            status, report = await _health(server)
            if status == wanted:
                return report
            await asyncio.sleep(0.1)


async def test_a_whole_server(server: Server) -> None:
    """Every part is up and tells its measure."""
    status, report = await _health(server)

    assert (status, report["status"], report["error"]) == (200, "ok", {})
    assert report["info"] == report["details"]
    assert {name: set(part) for name, part in report["details"].items()} == {
        "mongodb": {"status", "pingMs"},
        "memory_heap": {"status", "residentMb"},
        "disk": {"status", "freeMb"},
    }


async def test_a_lost_database(data: Path) -> None:
    """A database whose file is gone is down, before anybody trusts it with more."""
    with Server(data, embedded=True) as server:
        (data / "chatme.db").unlink()
        found = await _only_down(server)

    assert found == ("mongodb", {"status": "down", "message": "The database does not answer."})


async def test_too_much_memory(data: Path) -> None:
    """A process over its limit is down."""
    with Server(data, {"HEALTH_MEMORY_LIMIT_MB": "64"}) as server:
        name, part = await _only_down(server)

    assert (name, part["message"]) == ("memory_heap", "More than 64 MiB are in use.")
    assert part["residentMb"] > 64


async def test_redis_is_away(data: Path) -> None:
    """A Redis that is configured and does not answer is down."""
    with Server(data, {"REDIS_URL": f"redis://127.0.0.1:{free_port()}"}) as server:
        found = await _only_down(server)

    assert found == ("redis", {"status": "down", "message": "Redis does not answer."})


async def test_redis_is_there(data: Path) -> None:
    """One that answers is up, with its time."""
    async with RedisStub() as stub:
        with Server(data, {"REDIS_URL": stub.url}) as server:
            status, report = await _health(server)
    assert stub.pings == 1

    assert (status, set(report["info"])) == (200, {*PARTS, "redis"})
    assert report["info"]["redis"]["pingMs"] >= 0


async def test_a_full_disk(small_disk: Path) -> None:
    """With less free than the floor the disk is down; once there is room again it is up."""
    filler = small_disk / "filler"
    with Server(small_disk / "data", {"HEALTH_DISK_FREE_MB": "16"}) as server:
        assert (await _health(server))[0] == 200
        filler.write_bytes(bytes(56 * MIB))
        report = await _until(server, 503)
        filler.unlink()
        await _until(server, 200)

    assert list(report["error"]) == ["disk"]
    assert report["error"]["disk"]["message"] == "Less than 16 MiB are free."
    assert report["error"]["disk"]["freeMb"] < 16


async def test_a_flood_of_questions(server: Server) -> None:
    """Hundreds of calls at once are told the same."""
    limits = httpx.Limits(max_connections=20)
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE, limits=limits) as http:
        calls = (http.get(f"{server.url}/api/v1/health") for _ in range(200))
        answers = await asyncio.gather(*calls)
    texts = {answer.text for answer in answers}

    assert {answer.status_code for answer in answers} == {200}
    assert len(texts) < 20


@asynccontextmanager
async def _over(uri: str, folder: Path) -> AsyncIterator[HealthService]:
    """Health over a MongoDB elsewhere, which forgets what it said as fast as it is asked."""
    async with open_engine(settings_of(folder, mongodb_uri=uri)) as engine:
        ticks = itertools.count()
        parts = {"mongodb": checks.database(engine, AlwaysThere())}
        service = HealthService(parts, 0.5, lambda: next(ticks) * FRESH_SECONDS)
        async with asyncio.timeout(2 * PATIENCE):
            yield service
        await service.aclose()


async def test_a_mongodb_that_stops(tmp_path: Path) -> None:
    """A MongoDB that answers is up; once it is stopped it is down."""
    async with MongoDBStub() as stub, _over(stub.uri, tmp_path) as service:
        assert (await service.report()).info["mongodb"]["pingMs"] >= 0
        await stub.stop()
        assert list((await service.report()).error) == ["mongodb"]


async def test_a_mongodb_that_freezes(tmp_path: Path) -> None:
    """One that takes a ping and does not answer is down at the deadline, is not asked again by
    each report, and is up soon after it thaws: the first ping ends by itself."""
    async with MongoDBStub() as stub, _over(stub.uri, tmp_path) as service:
        assert (await service.report()).status == "ok"
        stub.thawed.clear()
        for _ in range(3):
            part = (await service.report()).error["mongodb"]
            assert part == {"status": "down", "message": "No answer within 0.5 s."}
        assert stub.asked["ping"] == 2

        while (await service.report()).error["mongodb"]["message"].startswith("No answer"):
            pass
        stub.thawed.set()
        while (await service.report()).status != "ok":
            pass


async def test_a_silent_mongodb(tmp_path: Path) -> None:
    """A server that takes connections and never says a word is down at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"mongodb://127.0.0.1:{silent.getsockname()[1]}"
        async with _over(uri, tmp_path) as service:
            found = (await service.report()).error

    assert found["mongodb"]["message"] == "No answer within 0.5 s."
