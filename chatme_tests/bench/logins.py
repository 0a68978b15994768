"""What a storm of logins does to an open socket: the answer time of a ping, before and during.

Server and load run on the same machine; both figures come from one run, so their ratio says more
than either.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from chatme_tests.client import PASSWORD, Socket, signed_up
from chatme_tests.server import Server

LOGINS = 100
CALM_SECONDS = 5.0
PAUSE = 0.01
PATIENCE = 120
COST = "12"


async def run(*, small: bool) -> None:
    """Measures and prints."""
    logins = 10 if small else LOGINS
    with tempfile.TemporaryDirectory() as folder:
        settings = {"PASSWORD_COST": COST, "WS_RATE": "", "RATE_LIMIT_AUTH": ""}
        with Server(Path(folder) / "data", settings) as server:
            async with signed_up(server.url, "Ada Pings") as (ada,):
                socket = await ada.connect()
                calm = await _pings(socket, asyncio.create_task(asyncio.sleep(CALM_SECONDS)))
                start = time.perf_counter()
                storm = await _pings(
                    socket, asyncio.create_task(_storm(server.url, ada.email, logins))
                )
                seconds = time.perf_counter() - start
    say = sys.stdout.write
    say(f"{logins} logins at once (cost {COST}) took {seconds:.1f} s. A ping's answer, in ms:\n")
    say(f"{'':8}{'median':>10}{'p99':>10}{'most':>10}\n")
    for name, spans in (("before", calm), ("during", storm)):
        figures = (statistics.median(spans), statistics.quantiles(spans, n=100)[98], max(spans))
        say(f"{name:8}{''.join(f'{each * 1000:10.1f}' for each in figures)}\n")


async def _pings(socket: Socket, until: asyncio.Task[None]) -> list[float]:
    spans = []
    while not until.done():
        start = time.perf_counter()
        await socket.call("ping")
        spans.append(time.perf_counter() - start)
        socket.frames.clear()
        await asyncio.sleep(PAUSE)
    await until
    return spans


async def _storm(url: str, email: str, logins: int) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE, limits=limits) as http:
        body = {"email": email, "password": PASSWORD}
        answers = await asyncio.gather(
            *(http.post(f"{url}/api/v1/auth/login", json=body) for _ in range(logins))
        )
    assert all(each.status_code == 200 for each in answers)
